"""Follows, blocks, mutes and notes, on both engines."""

import asyncio

import pytest

from fedi.model.relations import FollowerInbox, Relationship
from fedi.store import accounts, lists, relations
from fedi.store.paging import Window
from tests.support.rows import NOW_MS, put_account


async def follow(db, follower, target, state="accepted", **rest):
    rest = {"uri": None, "now_ms": NOW_MS} | rest
    return await db.write(
        "test", lambda tx: relations.put_follow(tx, follower=follower.id, target=target.id, state=state, **rest)
    )


async def counts(db, account):
    stats = await db.read(lambda tx: accounts.find_stats(tx, account.id))
    return stats.followers, stats.following


async def usernames(db, lister, *args, **rest):
    return [account.username for _, account in await db.read(lambda tx: lister(tx, *args, **rest))]


@pytest.fixture
async def ana(db):
    return await put_account(db, "ana")


@pytest.fixture
async def ben(db):
    return await put_account(db, "ben", "there.example")


async def test_a_follow_counts_when_it_is_accepted_and_only_once(db, ana, ben):
    asked = await follow(db, ben, ana, "requested", uri="https://there.example/f/1")
    assert (asked.state, await counts(db, ana)) == ("requested", (0, 0))
    assert await db.read(lambda tx: relations.count_follow_requests(tx, ana.id)) == 1
    assert not await db.read(lambda tx: relations.is_following(tx, ben.id, ana.id))

    assert await db.write("test", lambda tx: relations.accept_follow(tx, ben.id, ana.id))
    assert not await db.write("test", lambda tx: relations.accept_follow(tx, ben.id, ana.id))
    assert (await counts(db, ana), await counts(db, ben)) == ((1, 0), (0, 1))

    again = await follow(db, ben, ana, "requested", uri="https://there.example/f/2", notify=True, languages=("en",))
    assert (again.id, again.state, again.uri) == (asked.id, "accepted", "https://there.example/f/2")
    assert (again.notify, again.languages) == (True, ("en",))
    assert await counts(db, ana) == (1, 0)
    assert await db.read(lambda tx: relations.find_follow_by_uri(tx, "https://there.example/f/2")) == again
    assert await db.read(lambda tx: relations.find_follow(tx, ben.id, ana.id)) == again
    assert await db.read(lambda tx: relations.list_followed(tx, ben.id, [ana.id, ben.id])) == {ana.id}

    assert await db.write("test", lambda tx: relations.drop_follow(tx, ben.id, ana.id)) == again
    assert await db.write("test", lambda tx: relations.drop_follow(tx, ben.id, ana.id)) is None
    assert (await counts(db, ana), await counts(db, ben)) == ((0, 0), (0, 0))


async def test_follows_at_the_same_time_are_counted_once(db, ana, ben):
    follows = await asyncio.gather(*(follow(db, ben, ana, state) for state in ("requested", "accepted") * 3))
    assert len({one.id for one in follows}) == 1
    assert (await counts(db, ana), await counts(db, ben)) == ((1, 0), (0, 1))


async def test_accepting_a_follow_that_is_not_there_does_nothing(db, ana, ben):
    assert not await db.write("test", lambda tx: relations.accept_follow(tx, ben.id, ana.id))
    assert await counts(db, ana) == (0, 0)


async def test_a_request_that_is_dropped_was_never_counted(db, ana, ben):
    await follow(db, ben, ana, "requested")
    await db.write("test", lambda tx: relations.drop_follow(tx, ben.id, ana.id))
    assert await counts(db, ana) == (0, 0)


async def test_follower_pages_are_cut_by_row_id_in_both_directions(db, ana):
    for name in ("a", "b", "c", "d"):
        await follow(db, await put_account(db, name, "there.example"), ana)
    await follow(db, await put_account(db, "waits", "there.example"), ana, "requested")
    rows = await db.read(lambda tx: relations.list_followers(tx, ana.id))
    d, c, b, a = (row_id for row_id, _ in rows)
    assert [account.username for _, account in rows] == ["d", "c", "b", "a"]
    page = relations.list_followers
    assert await usernames(db, page, ana.id, Window(max_id=c, limit=1)) == ["b"]
    assert await usernames(db, page, ana.id, Window(since_id=a, limit=2)) == ["d", "c"]
    assert await usernames(db, page, ana.id, Window(min_id=a, limit=2)) == ["c", "b"]
    assert await usernames(db, page, ana.id, Window(max_id=d, min_id=b)) == ["c"]
    assert await usernames(db, page, ana.id, state="requested") == ["waits"]


async def test_following_lists_whom_one_follows(db, ana, ben):
    await follow(db, ana, ben)
    assert await usernames(db, relations.list_following, ana.id) == ["ben"]
    assert await usernames(db, relations.list_following, ben.id) == []


async def test_followers_behind_one_shared_inbox_are_one_destination(db, ana):
    shared = "https://there.example/inbox"
    for name in ("a", "b"):
        await follow(db, await put_account(db, name, "there.example"), ana)
    alone = await put_account(db, "alone", "single.example", shared_inbox=None)
    gone = await put_account(db, "gone", "gone.example", gone_at=NOW_MS)
    local = await put_account(db, "local")
    for account in (alone, gone, local):
        await follow(db, account, ana)
    await follow(db, await put_account(db, "waits", "waits.example"), ana, "requested")
    found = await db.read(lambda tx: relations.list_follower_inboxes(tx, ana.id))
    expected = {
        FollowerInbox(inbox=shared, host="there.example", recipients=2),
        FollowerInbox(inbox=alone.inbox, host="single.example", recipients=1),
    }
    assert len(found) == 2 and set(found) == expected
    some = await db.read(lambda tx: relations.list_inboxes(tx, [alone.id, local.id]))
    assert some == [FollowerInbox(inbox=alone.inbox, host="single.example", recipients=1)]
    assert await db.read(lambda tx: relations.list_inboxes(tx, [])) == []


async def test_local_followers_are_found_by_what_they_asked_for(db, ben):
    plain, quiet, keen = [await put_account(db, name) for name in ("plain", "quiet", "keen")]
    assert not await db.read(lambda tx: relations.has_local_followers(tx, ben.id))
    await follow(db, plain, ben)
    await follow(db, quiet, ben, reblogs=False)
    await follow(db, keen, ben, notify=True)
    await follow(db, await put_account(db, "far", "far.example"), ben)

    async def found(**rest):
        return await db.read(lambda tx: relations.list_local_followers(tx, ben.id, **rest))

    assert await found() == [plain.id, quiet.id, keen.id]
    assert await found(with_reblogs=True) == [plain.id, keen.id]
    assert await found(notified=True) == [keen.id]
    assert await db.read(lambda tx: relations.has_local_followers(tx, ben.id))
    assert await db.read(lambda tx: relations.list_follower_uris(tx, ben.id, "far.example")) == [
        "https://far.example/users/far"
    ]


async def test_a_block_is_found_from_both_sides_and_dropped_once(db, ana, ben):
    uri = "https://there.example/b/1"
    assert await db.write("test", lambda tx: relations.put_block(tx, ben.id, ana.id, uri=uri, now_ms=NOW_MS))
    assert not await db.write("test", lambda tx: relations.put_block(tx, ben.id, ana.id, uri=uri, now_ms=NOW_MS))
    assert await db.read(lambda tx: relations.is_block_between(tx, ana.id, ben.id))
    assert await db.read(lambda tx: relations.list_blockers(tx, ana.id, [ben.id, ana.id])) == {ben.id}
    assert await db.read(lambda tx: relations.find_block(tx, ana.id, ben.id)) is None
    block = await db.read(lambda tx: relations.find_block_by_uri(tx, ben.id, uri))
    assert block == await db.read(lambda tx: relations.find_block(tx, ben.id, ana.id))
    assert await db.read(lambda tx: relations.find_block_by_uri(tx, ana.id, uri)) is None
    assert await usernames(db, relations.list_blocked, ben.id) == ["ana"]
    assert await db.write("test", lambda tx: relations.drop_block(tx, ben.id, ana.id)) == block
    assert await db.write("test", lambda tx: relations.drop_block(tx, ben.id, ana.id)) is None
    assert not await db.read(lambda tx: relations.is_block_between(tx, ana.id, ben.id))


async def test_follows_between_two_are_dropped_both_ways(db, ana, ben):
    await follow(db, ana, ben)
    await follow(db, ben, ana)
    dropped = await db.write("test", lambda tx: relations.drop_follows_between(tx, ana.id, ben.id))
    assert [(one.follower, one.target) for one in dropped] == [(ana.id, ben.id), (ben.id, ana.id)]
    assert (await counts(db, ana), await counts(db, ben)) == ((0, 0), (0, 0))


async def test_a_mute_ends_when_it_said(db, ana, ben):
    await db.write("test", lambda tx: relations.put_mute(tx, ana.id, ben.id, now_ms=NOW_MS, expires_at=NOW_MS + 10))

    async def muted(now_ms):
        found = await db.read(lambda tx: relations.find_mute(tx, ana.id, ben.id, now_ms))
        shown = (await db.read(lambda tx: relations.list_relationships(tx, ana.id, [ben.id], now_ms)))[ben.id].muting
        listed = await usernames(db, relations.list_muted, ana.id, now_ms)
        assert (found is not None) == shown == (listed == ["ben"])
        return shown

    assert await muted(NOW_MS + 9)
    assert not await muted(NOW_MS + 10)
    assert await db.write("test", lambda tx: relations.drop_expired_mutes(tx, NOW_MS + 10)) == 1
    await db.write("test", lambda tx: relations.put_mute(tx, ana.id, ben.id, now_ms=NOW_MS, notifications=False))
    assert await muted(NOW_MS + 10**15)
    assert await db.write("test", lambda tx: relations.drop_mute(tx, ana.id, ben.id))
    assert not await db.write("test", lambda tx: relations.drop_mute(tx, ana.id, ben.id))


async def test_relationships_tell_everything_in_the_viewers_words(db, ana, ben):
    other = await put_account(db, "other", "other.example")
    await follow(db, ana, ben, reblogs=False, notify=True, languages=("en", "fr"))
    await follow(db, ben, ana, "requested")
    await follow(db, ana, other, "requested")
    await follow(db, other, ana)

    async def unit(tx):
        await relations.put_block(tx, ana.id, other.id, uri=None, now_ms=NOW_MS)
        await relations.put_block(tx, ben.id, ana.id, uri=None, now_ms=NOW_MS)
        await relations.put_mute(tx, ana.id, ben.id, now_ms=NOW_MS, notifications=False, expires_at=NOW_MS + 5)
        await relations.set_note(tx, ana.id, ben.id, "old")
        await relations.set_note(tx, ana.id, ben.id, "met in Oran")
        await relations.set_note(tx, ana.id, other.id, "x")
        await relations.set_note(tx, ana.id, other.id, "")

    await db.write("test", unit)
    found = await db.read(lambda tx: relations.list_relationships(tx, ana.id, [ben.id, other.id, 7], NOW_MS))
    assert found == {
        ben.id: Relationship(
            target=ben.id,
            following=True,
            notifying=True,
            languages=("en", "fr"),
            requested_by=True,
            blocked_by=True,
            muting=True,
            muting_expires_at=NOW_MS + 5,
            note="met in Oran",
        ),
        other.id: Relationship(target=other.id, requested=True, followed_by=True, blocking=True),
    }


async def test_an_account_that_goes_leaves_no_relation_and_right_counts(db, ana, ben):
    other = await put_account(db, "other", "other.example")
    await follow(db, ana, ben)
    await follow(db, ben, other)
    await follow(db, ana, other)
    await follow(db, ben, ana, "requested")
    await db.write("test", lambda tx: relations.put_block(tx, other.id, ben.id, uri=None, now_ms=NOW_MS))
    await db.write("test", lambda tx: relations.set_note(tx, ben.id, other.id, "n"))
    await db.write("test", lambda tx: relations.drop_relations(tx, ben.id))
    assert [await counts(db, one) for one in (ana, ben, other)] == [(0, 1), (0, 0), (1, 0)]
    assert await db.read(lambda tx: relations.find_follow(tx, ben.id, ana.id)) is None
    assert not await db.read(lambda tx: relations.is_block_between(tx, other.id, ben.id))
    assert await db.read(lambda tx: lists.list_lists_with(tx, ana.id, ben.id)) == []
    found = await db.read(lambda tx: relations.list_relationships(tx, ben.id, [other.id], NOW_MS))
    assert found[other.id] == Relationship(target=other.id)
