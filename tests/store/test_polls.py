"""Polls and votes, on both engines."""

import asyncio
from dataclasses import replace

import pytest

from fedi.model.polls import Poll, PollOption
from fedi.store import polls
from tests.support.rows import NOW_MS, next_id, put_account


@pytest.fixture
async def ana(db):
    return await put_account(db, "ana")


@pytest.fixture
async def ben(db):
    return await put_account(db, "ben", "there.example")


async def put_poll(db, *titles, multiple=False, voters=0, **rest):
    options = tuple(PollOption(title=title) for title in titles)
    poll = Poll(id=next_id(), multiple=multiple, voters=voters, options=options, **rest)
    await db.write("test", lambda tx: polls.put_poll(tx, poll))
    return poll


async def vote(db, poll, account, *choices, now_ms=NOW_MS, **rest):
    return await db.write("test", lambda tx: polls.vote(tx, poll.id, account.id, choices, now_ms=now_ms, **rest))


async def tally(db, poll):
    found = await db.read(lambda tx: polls.find_poll(tx, poll.id))
    return [option.votes for option in found.options], found.voters


async def test_a_poll_comes_back_as_it_was_put(db):
    poll = await put_poll(db, "oui", "non", "نعم", expires_at=NOW_MS, multiple=True, voters=None)
    assert await db.read(lambda tx: polls.find_many(tx, [poll.id, 1])) == {poll.id: poll}
    assert await db.read(lambda tx: polls.find_many(tx, [])) == {}


async def test_one_vote_is_one_vote(db, ana, ben):
    poll = await put_poll(db, "a", "b")
    assert await vote(db, poll, ana, 1) == "counted"
    assert await vote(db, poll, ana, 1) == "already-voted"
    assert await vote(db, poll, ana, 0) == "already-voted"
    assert await vote(db, poll, ana, 0, adding=True) == "already-voted"
    assert await vote(db, poll, ben, 1, uri="https://there.example/v/1") == "counted"
    assert await tally(db, poll) == ([0, 2], 2)
    assert await db.read(lambda tx: polls.list_choices(tx, ana.id, [poll.id, 1])) == {poll.id: (1,)}
    assert await db.read(lambda tx: polls.list_local_voters(tx, poll.id)) == [ana.id]


async def test_what_cannot_be_voted_changes_nothing(db, ana):
    poll = await put_poll(db, "a", "b", expires_at=NOW_MS + 10)
    assert await vote(db, poll, ana, 2) == "no-such-option"
    assert await vote(db, poll, ana, -1) == "no-such-option"
    assert await vote(db, poll, ana) == "no-choice"
    assert await vote(db, poll, ana, 0, 1) == "one-choice-only"
    assert await vote(db, poll, ana, 0, now_ms=NOW_MS + 10) == "closed"
    assert await vote(db, replace(poll, id=1), ana, 0) == "no-such-option"
    assert await tally(db, poll) == ([0, 0], 0)


async def test_several_choices_come_at_once_or_one_by_one(db, ana, ben):
    poll = await put_poll(db, "a", "b", "c", multiple=True)
    assert await vote(db, poll, ana, 2, 0, 2) == "counted"
    assert await vote(db, poll, ana, 1) == "already-voted"
    assert await vote(db, poll, ben, 1, adding=True) == "counted"
    assert await vote(db, poll, ben, 2, adding=True) == "counted"
    assert await vote(db, poll, ben, 2, adding=True) == "already-voted"
    assert await tally(db, poll) == ([1, 1, 2], 2)
    assert await db.read(lambda tx: polls.list_choices(tx, ana.id, [poll.id])) == {poll.id: (0, 2)}


async def test_votes_at_the_same_time_are_all_counted(db):
    poll = await put_poll(db, "a", "b")
    voters = [await put_account(db, f"voter{number}", "there.example") for number in range(8)]
    outcomes = await asyncio.gather(*(vote(db, poll, voter, index % 2) for index, voter in enumerate(voters)))
    assert set(outcomes) == {"counted"}
    assert await tally(db, poll) == ([4, 4], 8)


async def test_the_origins_tallies_replace_ours(db, ana):
    poll = await put_poll(db, "a", "b", voters=None)
    await vote(db, poll, ana, 0)
    assert await tally(db, poll) == ([1, 0], None)

    async def told(votes, **rest):
        rest = {"voters": None, "closed_at": None} | rest
        return await db.write("test", lambda tx: polls.set_tallies(tx, poll.id, votes, **rest))

    assert await told([10, 5], voters=15, closed_at=NOW_MS)
    assert await tally(db, poll) == ([10, 5], 15)
    assert await vote(db, poll, ana, 1) == "closed"
    assert not await told([1, 2, 3])
    assert await tally(db, poll) == ([10, 5], 15)
    assert await db.read(lambda tx: polls.list_choices(tx, ana.id, [poll.id])) == {poll.id: (0,)}


async def test_other_choices_void_the_votes_and_other_dates_do_not(db, ana):
    poll = await put_poll(db, "a", "b")
    await vote(db, poll, ana, 0)
    kept = replace(await db.read(lambda tx: polls.find_poll(tx, poll.id)), expires_at=NOW_MS + 9)
    await db.write("test", lambda tx: polls.update_poll(tx, kept))
    assert (await db.read(lambda tx: polls.list_choices(tx, ana.id, [poll.id]))) == {poll.id: (0,)}
    changed = replace(poll, options=(PollOption(title="a"), PollOption(title="c")))
    await db.write("test", lambda tx: polls.update_poll(tx, changed))
    assert (await db.read(lambda tx: polls.list_choices(tx, ana.id, [poll.id]))) == {}
    assert await tally(db, poll) == ([0, 0], 0)
    new = replace(poll, id=next_id())
    await db.write("test", lambda tx: polls.update_poll(tx, new))
    assert await db.read(lambda tx: polls.find_poll(tx, new.id)) == new


async def test_a_poll_ends_once(db, ana):
    poll = await put_poll(db, "a", expires_at=NOW_MS)
    await put_poll(db, "b", expires_at=NOW_MS + 1)
    await put_poll(db, "c")
    assert await db.read(lambda tx: polls.list_ended(tx, NOW_MS)) == [poll]
    assert await db.write("test", lambda tx: polls.mark_closed(tx, poll.id, NOW_MS))
    assert not await db.write("test", lambda tx: polls.mark_closed(tx, poll.id, NOW_MS))
    assert await db.read(lambda tx: polls.list_ended(tx, NOW_MS)) == []
    await db.write("test", lambda tx: polls.drop_poll(tx, poll.id))
    assert await db.read(lambda tx: polls.find_poll(tx, poll.id)) is None
