"""Favourites, reactions, bookmarks, pins and muted threads."""

from collections.abc import Iterable, Sequence
from typing import Any

from fedi.ids import AccountId, StatusId
from fedi.model.accounts import Account
from fedi.model.interactions import Favourite, PinOutcome, Reaction, ReactionCount, ViewerFlags
from fedi.model.statuses import Status
from fedi.store.accounts import ACCOUNT
from fedi.store.database import Tx
from fedi.store.paging import FIRST_PAGE, Paged, Window
from fedi.store.rows import Shape
from fedi.store.statuses import STATUS, bump_stats

FAVOURITE = Shape(Favourite)
REACTION = Shape(Reaction)

MAX_PINS = 5  # as the client API's other servers have it

PUT_FAVOURITE = """
INSERT INTO favourite (account, status, uri, created_at) VALUES (:account, :status, :uri, :now_ms)
ON CONFLICT (account, status) DO NOTHING"""
DROP_FAVOURITE = f"DELETE FROM favourite WHERE account = :account AND status = :status RETURNING {FAVOURITE.columns}"
FIND_FAVOURITE = f"SELECT {FAVOURITE.columns} FROM favourite WHERE account = :account AND status = :status"
FIND_FAVOURITE_BY_URI = f"SELECT {FAVOURITE.columns} FROM favourite WHERE uri = :uri LIMIT 1"  # favourite_uri
FAVOURITED_BY = Paged(
    f"""SELECT f.id, {ACCOUNT.columns_of("a")} FROM favourite f JOIN account a ON a.id = f.account
 WHERE f.status = :status""",
    "f.id",
)  # favourite_status

# status_reblog
FIND_REBLOG = f"""
SELECT {STATUS.columns} FROM status WHERE reblog_of = :status AND account = :account AND deleted_at IS NULL"""
REBLOGGED_BY = Paged(
    f"""SELECT s.id, {ACCOUNT.columns_of("a")} FROM status s JOIN account a ON a.id = s.account
 WHERE s.reblog_of = :status AND s.deleted_at IS NULL AND s.visibility IN ('public', 'unlisted')""",
    "s.id",
)

PUT_REACTION = """
INSERT INTO reaction (account, status, emoji, emoji_url, uri, created_at)
VALUES (:account, :status, :emoji, :emoji_url, :uri, :now_ms)
ON CONFLICT (status, account, emoji) DO NOTHING"""
DROP_REACTION = f"""
DELETE FROM reaction WHERE status = :status AND account = :account AND emoji = :emoji RETURNING {REACTION.columns}"""
FIND_REACTION_BY_URI = f"SELECT {REACTION.columns} FROM reaction WHERE uri = :uri LIMIT 1"  # reaction_uri
LIST_REACTIONS = f"SELECT {REACTION.columns} FROM reaction WHERE status = :status ORDER BY id LIMIT :limit"
COUNT_REACTIONS = """
SELECT status, emoji, MAX(emoji_url), COUNT(*), SUM(CASE WHEN account = :viewer THEN 1 ELSE 0 END), MIN(id) AS first
  FROM reaction WHERE status IN INTS(:statuses) GROUP BY status, emoji ORDER BY status, first"""  # reaction_once

PUT_BOOKMARK = """
INSERT INTO bookmark (account, status, created_at) VALUES (:account, :status, :now_ms)
ON CONFLICT (account, status) DO NOTHING"""
DROP_BOOKMARK = "DELETE FROM bookmark WHERE account = :account AND status = :status"

PUT_PIN = """
INSERT INTO pin (account, status, created_at) VALUES (:account, :status, :now_ms)
ON CONFLICT (account, status) DO NOTHING"""
DROP_PIN = "DELETE FROM pin WHERE account = :account AND status = :status"
DROP_PINS = "DELETE FROM pin WHERE account = :account"
LIST_PINNED_IDS = "SELECT status FROM pin WHERE account = :account ORDER BY id"  # pin_pair
LIST_PINNED = f"""
SELECT {STATUS.columns_of("s")} FROM pin p JOIN status s ON s.id = p.status
 WHERE p.account = :account AND s.deleted_at IS NULL ORDER BY p.id DESC"""

MUTE_THREAD = """
INSERT INTO thread_mute (account, thread) VALUES (:account, :thread) ON CONFLICT (account, thread) DO NOTHING"""
UNMUTE_THREAD = "DELETE FROM thread_mute WHERE account = :account AND thread = :thread"

# Each probe is one look into favourite_pair, status_reblog, bookmark_pair, pin_pair, thread_mute.
VIEWER_FLAGS = """
SELECT s.id,
       EXISTS (SELECT 1 FROM favourite x WHERE x.account = :viewer AND x.status = s.id),
       EXISTS (SELECT 1 FROM status x WHERE x.reblog_of = s.id AND x.account = :viewer AND x.deleted_at IS NULL),
       EXISTS (SELECT 1 FROM bookmark x WHERE x.account = :viewer AND x.status = s.id),
       EXISTS (SELECT 1 FROM pin x WHERE x.account = :viewer AND x.status = s.id),
       EXISTS (SELECT 1 FROM thread_mute x WHERE x.account = :viewer AND x.thread = s.thread)
  FROM status s WHERE s.id IN INTS(:statuses)"""


def _mine(table: str) -> Paged:
    return Paged(
        f"""SELECT x.id, {STATUS.columns_of("s")} FROM {table} x JOIN status s ON s.id = x.status
 WHERE x.account = :account AND s.deleted_at IS NULL""",
        "x.id",
    )


MY_FAVOURITES = _mine("favourite")  # favourite_pair, then sorted: a person's own favourites are thousands, not millions
MY_BOOKMARKS = _mine("bookmark")


def _account_with_id(row_id: int, *account: Any) -> tuple[int, Account]:
    return row_id, ACCOUNT.make(*account)


def _status_with_id(row_id: int, *status: Any) -> tuple[int, Status]:
    return row_id, STATUS.make(*status)


async def put_favourite(tx: Tx, account: AccountId, status: StatusId, *, uri: str | None, now_ms: int) -> bool:
    """Whether it is new; then it is counted."""
    changed = await tx.run(PUT_FAVOURITE, account=account, status=status, uri=uri, now_ms=now_ms) > 0
    if changed:
        await bump_stats(tx, status, favourites=+1)
    return changed


async def drop_favourite(tx: Tx, account: AccountId, status: StatusId) -> Favourite | None:
    """What was dropped; None when there was nothing."""
    dropped = await tx.one_as(FAVOURITE.make, DROP_FAVOURITE, account=account, status=status)
    if dropped:
        await bump_stats(tx, status, favourites=-1)
    return dropped


async def find_favourite(tx: Tx, account: AccountId, status: StatusId) -> Favourite | None:
    return await tx.one_as(FAVOURITE.make, FIND_FAVOURITE, account=account, status=status)


async def find_favourite_by_uri(tx: Tx, uri: str) -> Favourite | None:
    """By the id of its Like. The caller checks that it is the actor's: the id alone proves nothing."""
    return await tx.one_as(FAVOURITE.make, FIND_FAVOURITE_BY_URI, uri=uri)


async def list_favourited_by(tx: Tx, status: StatusId, window: Window = FIRST_PAGE) -> list[tuple[int, Account]]:
    """Newest first, each with the row id that pages are cut by."""
    return await FAVOURITED_BY.all_as(tx, _account_with_id, window, status=status)


async def list_favourites(tx: Tx, account: AccountId, window: Window = FIRST_PAGE) -> list[tuple[int, Status]]:
    """Newest favourite first, each with the row id that pages are cut by. Visibility is the caller's to ask."""
    return await MY_FAVOURITES.all_as(tx, _status_with_id, window, account=account)


async def find_reblog(tx: Tx, account: AccountId, status: StatusId) -> Status | None:
    """The boost of ``status`` by ``account``."""
    return await tx.one_as(STATUS.make, FIND_REBLOG, account=account, status=status)


async def list_reblogged_by(tx: Tx, status: StatusId, window: Window = FIRST_PAGE) -> list[tuple[int, Account]]:
    """Newest first, each with the id of its boost."""
    return await REBLOGGED_BY.all_as(tx, _account_with_id, window, status=status)


async def put_reaction(
    tx: Tx,
    account: AccountId,
    status: StatusId,
    emoji: str,
    *,
    emoji_url: str | None = None,
    uri: str | None,
    now_ms: int,
) -> bool:
    """Whether it is new. One account may choose several emoji."""
    values = {"account": account, "status": status, "emoji": emoji, "emoji_url": emoji_url, "uri": uri}
    return await tx.run(PUT_REACTION, **values, now_ms=now_ms) > 0


async def drop_reaction(tx: Tx, account: AccountId, status: StatusId, emoji: str) -> Reaction | None:
    return await tx.one_as(REACTION.make, DROP_REACTION, account=account, status=status, emoji=emoji)


async def find_reaction_by_uri(tx: Tx, uri: str) -> Reaction | None:
    return await tx.one_as(REACTION.make, FIND_REACTION_BY_URI, uri=uri)


async def list_reactions(tx: Tx, status: StatusId, *, limit: int = 200) -> list[Reaction]:
    return await tx.all_as(REACTION.make, LIST_REACTIONS, status=status, limit=limit)


async def count_reactions(
    tx: Tx, statuses: Iterable[StatusId], viewer: AccountId | None = None
) -> dict[StatusId, tuple[ReactionCount, ...]]:
    """Per status, the emoji first used first. Statuses without reactions are left out."""
    counted: dict[StatusId, tuple[ReactionCount, ...]] = {}
    rows = await tx.all(COUNT_REACTIONS, statuses=set(statuses), viewer=viewer or 0)
    for status, emoji, emoji_url, count, mine, _ in rows:
        one = ReactionCount(emoji=emoji, emoji_url=emoji_url, count=count, me=mine > 0)
        counted[status] = (*counted.get(status, ()), one)
    return counted


async def put_bookmark(tx: Tx, account: AccountId, status: StatusId, now_ms: int) -> bool:
    return await tx.run(PUT_BOOKMARK, account=account, status=status, now_ms=now_ms) > 0


async def drop_bookmark(tx: Tx, account: AccountId, status: StatusId) -> bool:
    return await tx.run(DROP_BOOKMARK, account=account, status=status) > 0


async def list_bookmarks(tx: Tx, account: AccountId, window: Window = FIRST_PAGE) -> list[tuple[int, Status]]:
    """Newest bookmark first, each with the row id that pages are cut by. Visibility is the caller's to ask."""
    return await MY_BOOKMARKS.all_as(tx, _status_with_id, window, account=account)


async def put_pin(tx: Tx, account: AccountId, status: StatusId, now_ms: int) -> PinOutcome:
    """Shows ``status`` at the top of its author's profile; at most MAX_PINS."""
    pinned = [row[0] for row in await tx.all(LIST_PINNED_IDS, account=account)]
    if status in pinned:
        return "already-pinned"
    if len(pinned) >= MAX_PINS:
        return "too-many"
    await tx.run(PUT_PIN, account=account, status=status, now_ms=now_ms)
    return "pinned"


async def drop_pin(tx: Tx, account: AccountId, status: StatusId) -> bool:
    return await tx.run(DROP_PIN, account=account, status=status) > 0


async def replace_pins(tx: Tx, account: AccountId, statuses: Sequence[StatusId], now_ms: int) -> None:
    """The ``featured`` collection of a remote account as read now, first one shown first; at most MAX_PINS."""
    await tx.run(DROP_PINS, account=account)
    first = list(dict.fromkeys(statuses))[:MAX_PINS]
    if first:
        await tx.many(PUT_PIN, [{"account": account, "status": status, "now_ms": now_ms} for status in reversed(first)])


async def list_pinned(tx: Tx, account: AccountId) -> list[Status]:
    """Newest pin first."""
    return await tx.all_as(STATUS.make, LIST_PINNED, account=account)


async def mute_thread(tx: Tx, account: AccountId, thread: StatusId) -> bool:
    """No more notifications about the conversation that begins with ``thread`` (``Status.thread``)."""
    return await tx.run(MUTE_THREAD, account=account, thread=thread) > 0


async def unmute_thread(tx: Tx, account: AccountId, thread: StatusId) -> bool:
    return await tx.run(UNMUTE_THREAD, account=account, thread=thread) > 0


async def list_viewer_flags(tx: Tx, viewer: AccountId, statuses: Iterable[StatusId]) -> dict[StatusId, ViewerFlags]:
    """For each of ``statuses`` that exists, in one statement."""
    return {
        row[0]: ViewerFlags(
            favourited=bool(row[1]),
            reblogged=bool(row[2]),
            bookmarked=bool(row[3]),
            pinned=bool(row[4]),
            muted=bool(row[5]),
        )
        for row in await tx.all(VIEWER_FLAGS, viewer=viewer, statuses=set(statuses))
    }
