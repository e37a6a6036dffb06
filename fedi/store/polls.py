"""Polls, votes and their tallies."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from fedi.ids import AccountId, StatusId
from fedi.model.polls import Poll, PollOption, VoteOutcome
from fedi.store.database import Tx
from fedi.store.rows import Shape

POLL = Shape(Poll)

PUT_POLL = f"INSERT INTO poll ({POLL.columns}) VALUES ({POLL.parameters})"
UPDATE_POLL = """
UPDATE poll SET multiple = :multiple, expires_at = :expires_at, closed_at = :closed_at, voters = :voters,
       options = :options WHERE id = :id"""
FIND_POLL = f"SELECT {POLL.columns} FROM poll WHERE id = :id"
LIST_POLLS = f"SELECT {POLL.columns} FROM poll WHERE id IN INTS(:ids)"
# Changes nothing, but others wait for this row until we are done: two votes at once are both counted.
HOLD_POLL = f"UPDATE poll SET id = id WHERE id = :id RETURNING {POLL.columns}"
CHOICES_OF = "SELECT choice FROM poll_vote WHERE poll = :poll AND account = :account ORDER BY choice"
PUT_VOTE = """
INSERT INTO poll_vote (poll, account, choice, uri) VALUES (:poll, :account, :choice, :uri)
ON CONFLICT (poll, account, choice) DO NOTHING"""
LIST_CHOICES = """
SELECT poll, choice FROM poll_vote WHERE account = :account AND poll IN INTS(:polls) ORDER BY poll, choice"""
LIST_LOCAL_VOTERS = """
SELECT DISTINCT v.account FROM poll_vote v JOIN local_user u ON u.account = v.account
 WHERE v.poll = :poll ORDER BY v.account"""
LIST_ENDED = f"""
SELECT {POLL.columns_of("p")} FROM poll p WHERE p.closed_at IS NULL AND p.expires_at <= :now_ms
 ORDER BY p.expires_at LIMIT :limit"""
MARK_CLOSED = "UPDATE poll SET closed_at = :now_ms WHERE id = :id AND closed_at IS NULL"
DROP_VOTES = "DELETE FROM poll_vote WHERE poll = :poll"
DROP_POLL = "DELETE FROM poll WHERE id = :poll"


async def put_poll(tx: Tx, poll: Poll) -> None:
    await tx.run(PUT_POLL, **POLL.values(poll))


async def update_poll(tx: Tx, poll: Poll) -> None:
    """An edit. When the choices are no longer the same, all votes are void."""
    before = await tx.one_as(POLL.make, HOLD_POLL, id=poll.id)
    if before is None:
        await put_poll(tx, poll)
        return
    if _question(before) != _question(poll):
        await tx.run(DROP_VOTES, poll=poll.id)
    await tx.run(UPDATE_POLL, **POLL.values(poll))


def _question(poll: Poll) -> tuple[bool, tuple[str, ...]]:
    return poll.multiple, tuple(option.title for option in poll.options)


async def set_tallies(
    tx: Tx, poll: StatusId, votes: Sequence[int], *, voters: int | None, closed_at: int | None
) -> bool:
    """As told by the poll's own server. False when the number of options differs: that is an edit, not a tally."""
    before = await tx.one_as(POLL.make, HOLD_POLL, id=poll)
    if before is None or len(before.options) != len(votes):
        return False
    options = tuple(
        PollOption(title=option.title, votes=count) for option, count in zip(before.options, votes, strict=True)
    )
    after = replace(before, options=options, voters=voters, closed_at=closed_at or before.closed_at)
    await tx.run(UPDATE_POLL, **POLL.values(after))
    return True


async def find_poll(tx: Tx, poll: StatusId) -> Poll | None:
    return await tx.one_as(POLL.make, FIND_POLL, id=poll)


async def find_many(tx: Tx, polls: Iterable[StatusId]) -> dict[StatusId, Poll]:
    wanted = set(polls)
    if not wanted:
        return {}
    return {poll.id: poll for poll in await tx.all_as(POLL.make, LIST_POLLS, ids=wanted)}


async def vote(
    tx: Tx,
    poll: StatusId,
    account: AccountId,
    choices: Sequence[int],
    *,
    now_ms: int,
    uri: str | None = None,
    adding: bool = False,
) -> VoteOutcome:
    """Counts all of ``choices`` (indexes of options), or none of them and says why.

    ``adding``: with several choices the next may come later, as it does from other servers, one activity each.
    """
    found = await tx.one_as(POLL.make, HOLD_POLL, id=poll)
    chosen = set(choices)
    if found is None or any(not 0 <= choice < len(found.options) for choice in chosen):
        return "no-such-option"
    if not chosen:
        return "no-choice"
    if found.is_closed(now_ms):
        return "closed"
    if len(chosen) > 1 and not found.multiple:
        return "one-choice-only"
    before = {row[0] for row in await tx.all(CHOICES_OF, poll=poll, account=account)}
    if before and (not (adding and found.multiple) or before & chosen):
        return "already-voted"
    await tx.many(
        PUT_VOTE, [{"poll": poll, "account": account, "choice": choice, "uri": uri} for choice in sorted(chosen)]
    )
    options = tuple(
        replace(option, votes=option.votes + 1) if index in chosen else option
        for index, option in enumerate(found.options)
    )
    voters = found.voters if found.voters is None or before else found.voters + 1
    await tx.run(UPDATE_POLL, **POLL.values(replace(found, options=options, voters=voters)))
    return "counted"


async def list_choices(tx: Tx, account: AccountId, polls: Iterable[StatusId]) -> dict[StatusId, tuple[int, ...]]:
    """What ``account`` chose; polls without a vote of it are left out."""
    chosen: dict[StatusId, tuple[int, ...]] = {}
    for poll, choice in await tx.all(LIST_CHOICES, account=account, polls=set(polls)):
        chosen[poll] = (*chosen.get(poll, ()), choice)
    return chosen


async def list_local_voters(tx: Tx, poll: StatusId) -> list[AccountId]:
    """People here who voted: to be told when it ends."""
    return [row[0] for row in await tx.all(LIST_LOCAL_VOTERS, poll=poll)]


async def list_ended(tx: Tx, now_ms: int, *, limit: int = 100) -> list[Poll]:
    """Past their end and not marked closed yet."""
    return await tx.all_as(POLL.make, LIST_ENDED, now_ms=now_ms, limit=limit)


async def mark_closed(tx: Tx, poll: StatusId, now_ms: int) -> bool:
    return await tx.run(MARK_CLOSED, id=poll, now_ms=now_ms) > 0


async def drop_poll(tx: Tx, poll: StatusId) -> None:
    await tx.run(DROP_VOTES, poll=poll)
    await tx.run(DROP_POLL, poll=poll)
