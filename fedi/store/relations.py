"""Follows, with the counts they change; blocks, mutes and private notes."""

from collections.abc import Iterable
from typing import Any, Literal

from fedi.ids import AccountId
from fedi.model.accounts import Account
from fedi.model.relations import Block, Follow, FollowerInbox, FollowState, Mute, Relationship
from fedi.store.accounts import ACCOUNT, bump_followers, bump_following
from fedi.store.database import Tx
from fedi.store.paging import FIRST_PAGE, Paged, Window
from fedi.store.rows import Shape, column_of, from_json

FOLLOW = Shape(Follow)
BLOCK = Shape(Block)
MUTE = Shape(Mute)

PUT_FOLLOW = f"""
INSERT INTO follow (follower, target, state, uri, reblogs, notify, languages, created_at)
VALUES (:follower, :target, :state, :uri, :reblogs, :notify, :languages, :now_ms)
ON CONFLICT (follower, target) DO NOTHING RETURNING {FOLLOW.columns}"""
UPDATE_FOLLOW = f"""
UPDATE follow SET uri = COALESCE(:uri, uri), reblogs = :reblogs, notify = :notify, languages = :languages,
       state = CASE WHEN state = 'severed' THEN :state ELSE state END
 WHERE follower = :follower AND target = :target RETURNING {FOLLOW.columns}"""
FIND_FOLLOW = f"SELECT {FOLLOW.columns} FROM follow WHERE follower = :follower AND target = :target"  # follow_once
FIND_FOLLOW_BY_URI = f"SELECT {FOLLOW.columns} FROM follow WHERE uri = :uri LIMIT 1"  # follow_uri
ACCEPT_FOLLOW = """
UPDATE follow SET state = 'accepted' WHERE follower = :follower AND target = :target AND state <> 'accepted'"""
DROP_FOLLOW = f"DELETE FROM follow WHERE follower = :follower AND target = :target RETURNING {FOLLOW.columns}"
IS_FOLLOWING = "SELECT 1 FROM follow WHERE follower = :follower AND target = :target AND state = 'accepted'"
LIST_FOLLOWED = """
SELECT target FROM follow WHERE follower = :follower AND state = 'accepted' AND target IN INTS(:targets)"""


def _accounts_by(table: str, via: str, where: str) -> Paged:
    """Accounts reached through a relation, cut by the id of the relation."""
    return Paged(
        f"SELECT r.id, {ACCOUNT.columns_of('a')} FROM {table} r JOIN account a ON a.id = r.{via} WHERE {where}", "r.id"
    )


LIST_FOLLOWERS = _accounts_by("follow", "follower", "r.target = :account AND r.state = :state")  # follow_target
COUNT_FOLLOW_REQUESTS = "SELECT COUNT(*) FROM follow WHERE target = :account AND state = 'requested'"  # follow_target
LIST_FOLLOWING = _accounts_by("follow", "target", "r.follower = :account AND r.state = :state")  # follow_once
LIST_BLOCKED = _accounts_by("block", "target", "r.account = :account")  # block_pair
LIST_MUTED = _accounts_by("mute", "target", "r.account = :account AND COALESCE(r.expires_at, :later) > :now_ms")

# follow_target; one row per destination, so that a server gets a post once however many followers it has.
# 50 000 followers on 2 000 servers: 48 ms.
LIST_FOLLOWER_INBOXES = """
SELECT COALESCE(a.shared_inbox, a.inbox) AS destination, MIN(a.host), COUNT(*)
  FROM follow f JOIN account a ON a.id = f.follower
 WHERE f.target = :account AND f.state = 'accepted' AND a.local = 0 AND a.gone_at IS NULL
 GROUP BY COALESCE(a.shared_inbox, a.inbox)"""
LIST_INBOXES = """
SELECT COALESCE(a.shared_inbox, a.inbox) AS destination, MIN(a.host), COUNT(*) FROM account a
 WHERE a.id IN INTS(:accounts) AND a.local = 0 AND a.gone_at IS NULL
 GROUP BY COALESCE(a.shared_inbox, a.inbox)"""
LIST_LOCAL_FOLLOWERS = """
SELECT f.follower FROM follow f JOIN account a ON a.id = f.follower
 WHERE f.target = :account AND f.state = 'accepted' AND a.local = 1
   AND f.reblogs >= :reblogs AND f.notify >= :notify ORDER BY f.id"""
HAS_LOCAL_FOLLOWERS = """
SELECT 1 FROM follow f JOIN account a ON a.id = f.follower
 WHERE f.target = :account AND f.state = 'accepted' AND a.local = 1 LIMIT 1"""
LIST_FOLLOWER_URIS = """
SELECT a.uri FROM follow f JOIN account a ON a.id = f.follower
 WHERE f.target = :account AND f.state = 'accepted' AND a.host = :host ORDER BY a.uri"""

_OTHERS_COUNT = """
UPDATE account_stats SET {count} = CASE WHEN {count} > 0 THEN {count} - 1 ELSE 0 END
 WHERE account IN (SELECT {other} FROM follow WHERE {mine} = :account AND state = 'accepted')"""
FORGET_IN_FOLLOWERS = _OTHERS_COUNT.format(count="followers", other="target", mine="follower")
FORGET_IN_FOLLOWING = _OTHERS_COUNT.format(count="following", other="follower", mine="target")
NO_COUNTS = "UPDATE account_stats SET followers = 0, following = 0 WHERE account = :account"
DROP_RELATIONS = (
    "DELETE FROM follow WHERE follower = :account",
    "DELETE FROM follow WHERE target = :account",
    "DELETE FROM block WHERE account = :account",
    "DELETE FROM block WHERE target = :account",
    "DELETE FROM mute WHERE account = :account",
    "DELETE FROM mute WHERE target = :account",
    "DELETE FROM account_note WHERE account = :account",
    "DELETE FROM list_member WHERE account = :account",
)

PUT_BLOCK = """
INSERT INTO block (account, target, uri, created_at) VALUES (:account, :target, :uri, :now_ms)
ON CONFLICT (account, target) DO NOTHING"""
DROP_BLOCK = f"DELETE FROM block WHERE account = :account AND target = :target RETURNING {BLOCK.columns}"
FIND_BLOCK = f"SELECT {BLOCK.columns} FROM block WHERE account = :account AND target = :target"
FIND_BLOCK_BY_URI = f"SELECT {BLOCK.columns} FROM block WHERE account = :account AND uri = :uri"
IS_BLOCK_BETWEEN = """
SELECT 1 FROM block WHERE (account = :one AND target = :other) OR (account = :other AND target = :one) LIMIT 1"""
LIST_BLOCKERS = "SELECT account FROM block WHERE target = :target AND account IN INTS(:accounts)"  # block_pair

PUT_MUTE = """
INSERT INTO mute (account, target, notifications, expires_at, created_at)
VALUES (:account, :target, :notifications, :expires_at, :now_ms)
ON CONFLICT (account, target) DO UPDATE SET notifications = excluded.notifications, expires_at = excluded.expires_at"""
DROP_MUTE = "DELETE FROM mute WHERE account = :account AND target = :target"
FIND_MUTE = f"""
SELECT {MUTE.columns} FROM mute
 WHERE account = :account AND target = :target AND COALESCE(expires_at, :later) > :now_ms"""
DROP_EXPIRED_MUTES = "DELETE FROM mute WHERE expires_at <= :now_ms"

PUT_NOTE = """
INSERT INTO account_note (account, target, note) VALUES (:account, :target, :note)
ON CONFLICT (account, target) DO UPDATE SET note = excluded.note"""
DROP_NOTE = "DELETE FROM account_note WHERE account = :account AND target = :target"

RELATIONSHIPS = """
SELECT a.id, f.state, f.reblogs, f.notify, f.languages, g.state, b.id, c.id, m.id, m.notifications, m.expires_at, n.note
  FROM account a
  LEFT JOIN follow f ON f.follower = :viewer AND f.target = a.id
  LEFT JOIN follow g ON g.follower = a.id AND g.target = :viewer
  LEFT JOIN block b ON b.account = :viewer AND b.target = a.id
  LEFT JOIN block c ON c.account = a.id AND c.target = :viewer
  LEFT JOIN mute m ON m.account = :viewer AND m.target = a.id AND COALESCE(m.expires_at, :later) > :now_ms
  LEFT JOIN account_note n ON n.account = :viewer AND n.target = a.id
 WHERE a.id IN INTS(:targets)"""

_LATER = 2**62  # a mute without an end


async def put_follow(
    tx: Tx,
    *,
    follower: AccountId,
    target: AccountId,
    state: Literal["requested", "accepted"],
    uri: str | None,
    now_ms: int,
    reblogs: bool = True,
    notify: bool = False,
    languages: tuple[str, ...] | None = None,
) -> Follow:
    """Requests or accepts. Twice is once, with the newest options; an accepted follow does not fall back to requested."""
    values = {
        "follower": follower,
        "target": target,
        "state": state,
        "uri": uri,
        "reblogs": int(reblogs),
        "notify": int(notify),
        "languages": column_of(languages),
    }
    follow = await tx.one_as(FOLLOW.make, PUT_FOLLOW, **values, now_ms=now_ms)
    if follow is not None:
        if state == "accepted":
            await _count(tx, follower, target, +1)
        return follow
    if state == "accepted":  # counted by the row that changes, so that two at once count once
        await accept_follow(tx, follower, target)
    follow = await tx.one_as(FOLLOW.make, UPDATE_FOLLOW, **values)
    assert follow is not None
    return follow


async def accept_follow(tx: Tx, follower: AccountId, target: AccountId) -> bool:
    """Whether it was waiting (or severed) until now; False also when there is no such follow."""
    changed = await tx.run(ACCEPT_FOLLOW, follower=follower, target=target) > 0
    if changed:
        await _count(tx, follower, target, +1)
    return changed


async def drop_follow(tx: Tx, follower: AccountId, target: AccountId) -> Follow | None:
    """Rejected, undone or removed. What was dropped; None when there was nothing."""
    dropped = await tx.one_as(FOLLOW.make, DROP_FOLLOW, follower=follower, target=target)
    if dropped and dropped.state == "accepted":
        await _count(tx, follower, target, -1)
    return dropped


async def drop_follows_between(tx: Tx, one: AccountId, other: AccountId) -> list[Follow]:
    """Both ways, as a block does. What was dropped."""
    dropped = [await drop_follow(tx, one, other), await drop_follow(tx, other, one)]
    return [follow for follow in dropped if follow]


async def _count(tx: Tx, follower: AccountId, target: AccountId, delta: int) -> None:
    await bump_following(tx, follower, delta)
    await bump_followers(tx, target, delta)


async def find_follow(tx: Tx, follower: AccountId, target: AccountId) -> Follow | None:
    return await tx.one_as(FOLLOW.make, FIND_FOLLOW, follower=follower, target=target)


async def find_follow_by_uri(tx: Tx, uri: str) -> Follow | None:
    """By the id of its Follow activity. The caller checks that the pair fits: the id alone proves nothing."""
    return await tx.one_as(FOLLOW.make, FIND_FOLLOW_BY_URI, uri=uri)


async def is_following(tx: Tx, follower: AccountId, target: AccountId) -> bool:
    return await tx.value(IS_FOLLOWING, follower=follower, target=target) is not None


async def list_followed(tx: Tx, follower: AccountId, targets: Iterable[AccountId]) -> set[AccountId]:
    """Those of ``targets`` that ``follower`` follows."""
    return {row[0] for row in await tx.all(LIST_FOLLOWED, follower=follower, targets=set(targets))}


def _with_id(row_id: int, *account: Any) -> tuple[int, Account]:
    return row_id, ACCOUNT.make(*account)


async def list_followers(
    tx: Tx, account: AccountId, window: Window = FIRST_PAGE, *, state: FollowState = "accepted"
) -> list[tuple[int, Account]]:
    """Newest first, each with the row id that pages are cut by. With ``requested``: who waits for an answer."""
    return await LIST_FOLLOWERS.all_as(tx, _with_id, window, account=account, state=state)


async def count_follow_requests(tx: Tx, account: AccountId) -> int:
    """How many wait for an answer of ``account``."""
    return int(await tx.value(COUNT_FOLLOW_REQUESTS, account=account))


async def list_following(
    tx: Tx, account: AccountId, window: Window = FIRST_PAGE, *, state: FollowState = "accepted"
) -> list[tuple[int, Account]]:
    return await LIST_FOLLOWING.all_as(tx, _with_id, window, account=account, state=state)


async def list_follower_inboxes(tx: Tx, account: AccountId) -> list[FollowerInbox]:
    """Where a post to followers goes, one entry per destination. Local followers need no delivery."""
    return _inboxes(await tx.all(LIST_FOLLOWER_INBOXES, account=account))


async def list_inboxes(tx: Tx, accounts: Iterable[AccountId]) -> list[FollowerInbox]:
    """Where something for ``accounts`` goes, local ones left out."""
    wanted = set(accounts)
    return _inboxes(await tx.all(LIST_INBOXES, accounts=wanted)) if wanted else []


def _inboxes(rows: list[tuple[Any, ...]]) -> list[FollowerInbox]:
    return [FollowerInbox(inbox=inbox, host=host, recipients=recipients) for inbox, host, recipients in rows]


async def list_local_followers(
    tx: Tx, account: AccountId, *, with_reblogs: bool = False, notified: bool = False
) -> list[AccountId]:
    """``with_reblogs``: only who wants its boosts; ``notified``: only who asked to be told of each post."""
    rows = await tx.all(LIST_LOCAL_FOLLOWERS, account=account, reblogs=int(with_reblogs), notify=int(notified))
    return [row[0] for row in rows]


async def has_local_followers(tx: Tx, account: AccountId) -> bool:
    return await tx.value(HAS_LOCAL_FOLLOWERS, account=account) is not None


async def list_follower_uris(tx: Tx, account: AccountId, host: str) -> list[str]:
    """Followers on one host, for the partial collection of FEP-8fcf."""
    return [row[0] for row in await tx.all(LIST_FOLLOWER_URIS, account=account, host=host)]


async def drop_relations(tx: Tx, account: AccountId) -> None:
    """Of an account that is gone: nobody follows it or is followed by it any more, and all counts say so."""
    await tx.run(FORGET_IN_FOLLOWERS, account=account)
    await tx.run(FORGET_IN_FOLLOWING, account=account)
    await tx.run(NO_COUNTS, account=account)
    for statement in DROP_RELATIONS:
        await tx.run(statement, account=account)


async def put_block(tx: Tx, account: AccountId, target: AccountId, *, uri: str | None, now_ms: int) -> bool:
    """Whether it is new. Follows between the two are the caller's to drop."""
    return await tx.run(PUT_BLOCK, account=account, target=target, uri=uri, now_ms=now_ms) > 0


async def drop_block(tx: Tx, account: AccountId, target: AccountId) -> Block | None:
    return await tx.one_as(BLOCK.make, DROP_BLOCK, account=account, target=target)


async def find_block(tx: Tx, account: AccountId, target: AccountId) -> Block | None:
    return await tx.one_as(BLOCK.make, FIND_BLOCK, account=account, target=target)


async def find_block_by_uri(tx: Tx, account: AccountId, uri: str) -> Block | None:
    """By the id of the Block activity that ``account`` sent."""
    return await tx.one_as(BLOCK.make, FIND_BLOCK_BY_URI, account=account, uri=uri)


async def is_block_between(tx: Tx, one: AccountId, other: AccountId) -> bool:
    """Either way."""
    return await tx.value(IS_BLOCK_BETWEEN, one=one, other=other) is not None


async def list_blockers(tx: Tx, target: AccountId, accounts: Iterable[AccountId]) -> set[AccountId]:
    """Those of ``accounts`` that block ``target``."""
    return {row[0] for row in await tx.all(LIST_BLOCKERS, target=target, accounts=set(accounts))}


async def list_blocked(tx: Tx, account: AccountId, window: Window = FIRST_PAGE) -> list[tuple[int, Account]]:
    return await LIST_BLOCKED.all_as(tx, _with_id, window, account=account)


async def put_mute(
    tx: Tx,
    account: AccountId,
    target: AccountId,
    *,
    now_ms: int,
    notifications: bool = True,
    expires_at: int | None = None,
) -> None:
    """Again: with the newest options."""
    await tx.run(
        PUT_MUTE,
        account=account,
        target=target,
        notifications=int(notifications),
        expires_at=expires_at,
        now_ms=now_ms,
    )


async def drop_mute(tx: Tx, account: AccountId, target: AccountId) -> bool:
    return await tx.run(DROP_MUTE, account=account, target=target) > 0


async def find_mute(tx: Tx, account: AccountId, target: AccountId, now_ms: int) -> Mute | None:
    return await tx.one_as(MUTE.make, FIND_MUTE, account=account, target=target, later=_LATER, now_ms=now_ms)


async def list_muted(tx: Tx, account: AccountId, now_ms: int, window: Window = FIRST_PAGE) -> list[tuple[int, Account]]:
    return await LIST_MUTED.all_as(tx, _with_id, window, account=account, later=_LATER, now_ms=now_ms)


async def drop_expired_mutes(tx: Tx, now_ms: int) -> int:
    return await tx.run(DROP_EXPIRED_MUTES, now_ms=now_ms)


async def set_note(tx: Tx, account: AccountId, target: AccountId, note: str) -> None:
    """What ``account`` remembers about ``target``, for its own eyes; '' forgets it."""
    if note:
        await tx.run(PUT_NOTE, account=account, target=target, note=note)
    else:
        await tx.run(DROP_NOTE, account=account, target=target)


async def list_relationships(
    tx: Tx, viewer: AccountId, targets: Iterable[AccountId], now_ms: int
) -> dict[AccountId, Relationship]:
    """One for each of ``targets`` that exists, in one statement."""
    rows = await tx.all(RELATIONSHIPS, viewer=viewer, targets=set(targets), later=_LATER, now_ms=now_ms)
    return {row[0]: _relationship(*row) for row in rows}


def _relationship(  # noqa: PLR0917 - the columns of a row
    target: AccountId,
    state: FollowState | None,
    reblogs: int | None,
    notify: int | None,
    languages: str | None,
    back: FollowState | None,
    blocking: int | None,
    blocked_by: int | None,
    muting: int | None,
    muting_notifications: int | None,
    muting_expires_at: int | None,
    note: str | None,
) -> Relationship:
    following = state == "accepted"
    return Relationship(
        target=target,
        following=following,
        requested=state == "requested",
        showing_reblogs=following and bool(reblogs),
        notifying=following and bool(notify),
        languages=None if languages is None else tuple(from_json(languages)),
        followed_by=back == "accepted",
        requested_by=back == "requested",
        blocking=blocking is not None,
        blocked_by=blocked_by is not None,
        muting=muting is not None,
        muting_notifications=bool(muting_notifications),
        muting_expires_at=muting_expires_at,
        note=note or "",
    )
