"""Statuses: writing, editing and deleting them, with the counts they change; threads; who may see them.

What an account or a tag has published is read from slots (``timelines``), never from here.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from fedi.ids import AccountId, StatusId
from fedi.model.statuses import Addressed, MediaAsWas, QuoteState, Status, StatusEdit, StatusStats, Tombstone
from fedi.store.accounts import bump_statuses
from fedi.store.database import Tx
from fedi.store.paging import FIRST_PAGE, Paged, Window
from fedi.store.relations import list_blockers, list_followed
from fedi.store.rows import Shape, column_of, from_json, to_json

STATUS = Shape(Status)
STATS = Shape(StatusStats)
EDIT = Shape(StatusEdit)
ADDRESSED = Shape(Addressed)
TOMBSTONE = Shape(Tombstone)

_EDITABLE = [
    "kind", "title", "content", "source", "spoiler", "sensitive", "language", "url", "quote_uri", "quote_of",
    "quote_state", "quote_authorization", "quote_policy", "mentions", "tags", "emojis", "has_media", "poll",
    "edited_at", "fetched_at", "replies_uri",
]  # fmt: skip

PUT_STATUS = f"""
INSERT INTO status ({STATUS.columns}) VALUES ({STATUS.parameters}) ON CONFLICT DO NOTHING"""
FIND_STATUS = f"SELECT {STATUS.columns} FROM status WHERE id = :id"
FIND_BY_URI = f"SELECT {STATUS.columns} FROM status WHERE uri = :uri"
FIND_ID_BY_URI = "SELECT id FROM status WHERE uri = :uri"
LIST_STATUSES = f"SELECT {STATUS.columns} FROM status WHERE id IN INTS(:ids)"
LIST_BY_URIS = f"SELECT {STATUS.columns} FROM status WHERE uri IN TEXTS(:uris)"
LIST_IDS_BY_URI = "SELECT uri, id FROM status WHERE uri IN TEXTS(:uris)"
LIST_VERSIONS = "SELECT id, version FROM status WHERE id IN INTS(:ids)"
LIST_IDS_OF = """
SELECT id FROM status WHERE account = :account AND id > :after AND deleted_at IS NULL ORDER BY id LIMIT :limit"""

PUT_EDIT = """
INSERT INTO status_edit (status, at, content, spoiler, sensitive, media, poll)
SELECT id, COALESCE(edited_at, created_at), content, spoiler, sensitive, :media, CAST(:poll AS TEXT)
  FROM status WHERE id = :id
ON CONFLICT (status, at) DO NOTHING"""
MEDIA_AS_IS = "SELECT id, description FROM media WHERE status = :id ORDER BY position, id"  # media_status
POLL_AS_IS = "SELECT options FROM poll WHERE id = :id"
UPDATE_STATUS = f"""
UPDATE status SET {", ".join(f"{name} = :{name}" for name in _EDITABLE)}, version = version + 1
 WHERE id = :id AND deleted_at IS NULL RETURNING version"""
LIST_EDITS = f"SELECT {EDIT.columns} FROM status_edit WHERE status = :status ORDER BY at"
SET_QUOTE_STATE = """
UPDATE status SET quote_state = :state, quote_authorization = :authorization, version = version + 1
 WHERE id = :id AND deleted_at IS NULL AND COALESCE(quote_state, '') <> :state"""
SET_QUOTE_OF = "UPDATE status SET quote_of = :quote_of, version = version + 1 WHERE id = :id AND quote_of IS NULL"
BUMP_VERSION = "UPDATE status SET version = version + 1 WHERE id = :id"
MARK_FETCHED = "UPDATE status SET fetched_at = :now_ms WHERE id = :id"

# A deleted status keeps its place in the thread and nothing that was said in it.
MARK_DELETED = """
UPDATE status SET deleted_at = :now_ms, version = version + 1, title = NULL, content = '', source = NULL, spoiler = '',
       sensitive = 0, language = NULL, url = NULL, quote_uri = NULL, quote_of = NULL, quote_state = NULL,
       quote_authorization = NULL, mentions = '[]', tags = '[]', emojis = '[]', has_media = 0, poll = NULL,
       application = NULL, replies_uri = NULL
 WHERE id = :id AND deleted_at IS NULL"""
MARK_REBLOGS_DELETED = """
UPDATE status SET deleted_at = :now_ms, version = version + 1
 WHERE reblog_of = :id AND deleted_at IS NULL RETURNING id, account"""  # status_reblog
DROP_WITH_STATUS = tuple(
    f"DELETE FROM {table} WHERE {column} = :id"
    for table, column in (
        ("mention", "status"),
        ("favourite", "status"),
        ("reaction", "status"),
        ("pin", "status"),
        ("bookmark", "status"),
        ("notification", "status"),
        ("status_edit", "status"),
        ("status_stats", "status"),
        ("poll", "id"),
        ("poll_vote", "poll"),
    )
)

PUT_ADDRESSED = """
INSERT INTO mention (status, account, silent) VALUES (:status, :account, :silent)
ON CONFLICT (status, account) DO UPDATE SET silent = excluded.silent"""
SILENCE_OTHERS = "UPDATE mention SET silent = 1 WHERE status = :status AND account NOT IN INTS(:named)"
LIST_ADDRESSED = f"SELECT {ADDRESSED.columns} FROM mention WHERE status = :status ORDER BY account"
LIST_ADDRESSED_TO = "SELECT status FROM mention WHERE account = :account AND status IN INTS(:statuses)"

PUT_TOMBSTONE = "INSERT INTO tombstone (uri, actor, at) VALUES (:uri, :actor, :at) ON CONFLICT (uri) DO NOTHING"
FIND_TOMBSTONE = f"SELECT {TOMBSTONE.columns} FROM tombstone WHERE uri = :uri"
LIST_TOMBSTONES = "SELECT uri FROM tombstone WHERE uri IN TEXTS(:uris)"

BUMP_STATS = """
INSERT INTO status_stats (status, replies, reblogs, favourites, quotes) VALUES (:status,
  CASE WHEN :replies > 0 THEN :replies ELSE 0 END, CASE WHEN :reblogs > 0 THEN :reblogs ELSE 0 END,
  CASE WHEN :favourites > 0 THEN :favourites ELSE 0 END, CASE WHEN :quotes > 0 THEN :quotes ELSE 0 END)
ON CONFLICT (status) DO UPDATE SET """ + ", ".join(
    f"{name} = CASE WHEN status_stats.{name} + :{name} > 0 THEN status_stats.{name} + :{name} ELSE 0 END"
    for name in ("replies", "reblogs", "favourites", "quotes")
)
SET_TOTALS = """
INSERT INTO status_stats (status, replies, reblogs, favourites) VALUES (:status,
  COALESCE(CAST(:replies AS BIGINT), 0), COALESCE(CAST(:reblogs AS BIGINT), 0), COALESCE(CAST(:favourites AS BIGINT), 0))
ON CONFLICT (status) DO UPDATE SET """ + ", ".join(
    f"{name} = COALESCE(CAST(:{name} AS BIGINT), status_stats.{name})" for name in ("replies", "reblogs", "favourites")
)
FIND_STATS = f"SELECT {STATS.columns} FROM status_stats WHERE status = :status"
LIST_STATS = f"SELECT {STATS.columns} FROM status_stats WHERE status IN INTS(:statuses)"

# The depth bounds a loop of replies, which only a liar makes.
ANCESTORS = f"""
WITH RECURSIVE up (id, parent, depth) AS (
  SELECT id, in_reply_to, 0 FROM status WHERE id = :id
  UNION ALL SELECT s.id, s.in_reply_to, up.depth + 1 FROM up JOIN status s ON s.id = up.parent WHERE up.depth < :limit)
SELECT {STATUS.columns_of("s")} FROM up JOIN status s ON s.id = up.id WHERE up.depth > 0 ORDER BY up.depth DESC"""
# status_reply; the LIMIT ends the walk, level by level, before it has seen a huge thread.
DESCENDANTS = f"""
WITH RECURSIVE down (id, depth) AS (
  SELECT id, 1 FROM status WHERE in_reply_to = :id
  UNION ALL SELECT s.id, down.depth + 1 FROM down JOIN status s ON s.in_reply_to = down.id WHERE down.depth < :depth)
SELECT {STATUS.columns} FROM status WHERE id IN (SELECT id FROM down LIMIT :limit)"""
LIST_REPLY_URIS = """
SELECT id, uri FROM status
 WHERE in_reply_to = :id AND id > :after AND visibility IN ('public', 'unlisted') AND deleted_at IS NULL
 ORDER BY id LIMIT :limit"""  # status_reply
COUNT_THREAD = "SELECT COUNT(*) FROM status WHERE thread = :thread AND deleted_at IS NULL"  # status_thread
LIST_QUOTES = Paged(
    f"SELECT {STATUS.columns} FROM status WHERE quote_of = :id AND quote_state = 'accepted' AND deleted_at IS NULL",
    "id",
)  # status_quote

# status_reply_uri. The root of the parent's own thread is left out: it would make a ring.
LINK_ORPHANS = """
UPDATE status SET in_reply_to = :id, in_reply_to_account = :account, version = version + 1
 WHERE in_reply_to_uri = :uri AND in_reply_to IS NULL AND id <> :id AND id <> :thread
RETURNING id, thread, visibility"""
MOVE_THREADS = "UPDATE status SET thread = :thread WHERE thread IN INTS(:threads)"  # status_thread
MOVE_THREAD_MUTES = """
INSERT INTO thread_mute (account, thread) SELECT DISTINCT account, CAST(:thread AS BIGINT)
  FROM thread_mute WHERE thread IN INTS(:threads)
ON CONFLICT (account, thread) DO NOTHING"""

_DISTRIBUTED = ("public", "unlisted")


async def put_status(tx: Tx, status: Status, addressed: Sequence[Addressed] = (), *, is_awaited: bool = True) -> bool:
    """Inserts, and counts it with its author, its parent, what it boosts and what it quotes.

    Replies that came before it find their parent (``is_awaited=False``: there are none). False, and nothing changed, when its URI is there already, or another
    boost of the same status by the same account.
    """
    if await tx.run(PUT_STATUS, **STATUS.values(status)) == 0:
        return False
    if addressed:
        await tx.many(PUT_ADDRESSED, _addressed_rows(status.id, addressed))
    await _count(tx, status, +1)
    if is_awaited and not status.local and not status.is_reblog:
        await link_orphans(tx, status)
    return True


async def _count(tx: Tx, status: Status, delta: int) -> None:
    if status.visibility != "direct":
        await bump_statuses(tx, status.account, delta, status.created_at if delta > 0 else None)
    if status.in_reply_to is not None and status.visibility in _DISTRIBUTED:
        await bump_stats(tx, status.in_reply_to, replies=delta)
    if status.reblog_of is not None:
        await bump_stats(tx, status.reblog_of, reblogs=delta)
    if status.quote_of is not None and status.quote_state == "accepted":
        await bump_stats(tx, status.quote_of, quotes=delta)


async def update_status(tx: Tx, status: Status, *, keep_history: bool = True) -> Status | None:
    """Writes ``status`` as it should be now and keeps the version before, with its media and poll as they still are:
    so it comes before ``media.attach`` and changes to the poll. What identifies it and its place never change.

    ``keep_history=False`` for changes that are no edit. Returns the new version; None when it is deleted.
    """
    before = await find_status(tx, status.id)
    if before is None or before.deleted_at is not None:
        return None
    if keep_history:
        media = tuple(MediaAsWas(id=row[0], description=row[1]) for row in await tx.all(MEDIA_AS_IS, id=status.id))
        options = await tx.value(POLL_AS_IS, id=status.id)
        titles = None if options is None else tuple(option["title"] for option in from_json(options))
        await tx.run(PUT_EDIT, id=status.id, media=to_json(media), poll=column_of(titles))
    version = await tx.value(UPDATE_STATUS, **STATUS.values(status))
    assert version is not None
    was, is_ = _quoted(before), _quoted(status)
    if was != is_:
        if was is not None:
            await bump_stats(tx, was, quotes=-1)
        if is_ is not None:
            await bump_stats(tx, is_, quotes=+1)
    return replace(status, version=version)


def _quoted(status: Status) -> StatusId | None:
    return status.quote_of if status.quote_state == "accepted" else None


async def set_quote_state(tx: Tx, status: Status, state: QuoteState, authorization: str | None) -> bool:
    """The quoted author's answer to ``status``. Whether anything changed."""
    changed = await tx.run(SET_QUOTE_STATE, id=status.id, state=state, authorization=authorization) > 0
    if changed and status.quote_of is not None:
        delta = (state == "accepted") - (status.quote_state == "accepted")
        if delta:
            await bump_stats(tx, status.quote_of, quotes=delta)
    return changed


async def set_quote_of(tx: Tx, status: Status, quoted: StatusId) -> None:
    """What it quotes was fetched later."""
    if await tx.run(SET_QUOTE_OF, id=status.id, quote_of=quoted) and status.quote_state == "accepted":
        await bump_stats(tx, quoted, quotes=+1)


async def bump_version(tx: Tx, status: StatusId) -> None:
    """Something shown with it changed, such as a description of its media."""
    await tx.run(BUMP_VERSION, id=status)


async def mark_fetched(tx: Tx, status: StatusId, now_ms: int) -> None:
    await tx.run(MARK_FETCHED, id=status, now_ms=now_ms)


async def mark_deleted(tx: Tx, status: StatusId, now_ms: int) -> list[StatusId] | None:
    """Blanks it and drops what hangs on it: likes, boosts, pins, bookmarks, notifications, history, poll, addressing
    (so ask first to whom the deletion must be told).

    Returns the ids of the boosts that went with it, whose objects go too; None when it was deleted already. Its media
    are the caller's (``media.drop_of_status``), since they have files.
    """
    before = await find_status(tx, status)
    if before is None or await tx.run(MARK_DELETED, id=status, now_ms=now_ms) == 0:
        return None
    await _count(tx, before, -1)
    for statement in DROP_WITH_STATUS:
        await tx.run(statement, id=status)
    reblogs = []
    if not before.is_reblog:
        for reblog, account in await tx.all(MARK_REBLOGS_DELETED, id=status, now_ms=now_ms):
            await bump_statuses(tx, account, -1, None)
            reblogs.append(reblog)
    return reblogs


async def find_status(tx: Tx, status: StatusId) -> Status | None:
    """Also when it is deleted: see ``deleted_at``."""
    return await tx.one_as(STATUS.make, FIND_STATUS, id=status)


async def find_by_uri(tx: Tx, uri: str) -> Status | None:
    return await tx.one_as(STATUS.make, FIND_BY_URI, uri=uri)


async def find_id_by_uri(tx: Tx, uri: str) -> StatusId | None:
    found: StatusId | None = await tx.value(FIND_ID_BY_URI, uri=uri)
    return found


async def find_many(tx: Tx, ids: Iterable[StatusId]) -> dict[StatusId, Status]:
    wanted = set(ids)
    if not wanted:
        return {}
    return {status.id: status for status in await tx.all_as(STATUS.make, LIST_STATUSES, ids=wanted)}


async def find_many_by_uri(tx: Tx, uris: Iterable[str]) -> dict[str, Status]:
    wanted = set(uris)
    if not wanted:
        return {}
    return {status.uri: status for status in await tx.all_as(STATUS.make, LIST_BY_URIS, uris=wanted)}


async def find_ids_by_uri(tx: Tx, uris: Iterable[str]) -> dict[str, StatusId]:
    """Those that we know."""
    return dict(await tx.all(LIST_IDS_BY_URI, uris=set(uris)))


async def list_versions(tx: Tx, ids: Iterable[StatusId]) -> dict[StatusId, int]:
    """For caches of rendered bytes: far cheaper than the rows."""
    return dict(await tx.all(LIST_VERSIONS, ids=set(ids)))


async def list_ids_of(tx: Tx, account: AccountId, *, after: int = 0, limit: int = 500) -> list[StatusId]:
    """Everything an account has written that is not deleted, oldest first: to delete it. status_account."""
    return [row[0] for row in await tx.all(LIST_IDS_OF, account=account, after=after, limit=limit)]


async def list_edits(tx: Tx, status: StatusId) -> list[StatusEdit]:
    """Earlier versions, oldest first; the present one is the status itself."""
    return await tx.all_as(EDIT.make, LIST_EDITS, status=status)


async def put_addressed(tx: Tx, status: StatusId, addressed: Collection[Addressed]) -> None:
    """After an edit: who is named no more stays addressed silently, since they have seen it."""
    await tx.run(SILENCE_OTHERS, status=status, named=[to.account for to in addressed])
    if addressed:
        await tx.many(PUT_ADDRESSED, _addressed_rows(status, addressed))


def _addressed_rows(status: StatusId, addressed: Collection[Addressed]) -> list[dict[str, Any]]:
    return [{"status": status, "account": to.account, "silent": int(to.silent)} for to in addressed]


async def list_addressed(tx: Tx, status: StatusId) -> list[Addressed]:
    return await tx.all_as(ADDRESSED.make, LIST_ADDRESSED, status=status)


async def put_tombstone(tx: Tx, uri: str, actor: str, now_ms: int) -> bool:
    """``actor`` says that ``uri`` is deleted. Whether that is new. The caller has checked that it may say so."""
    return await tx.run(PUT_TOMBSTONE, uri=uri, actor=actor, at=now_ms) > 0


async def find_tombstone(tx: Tx, uri: str) -> Tombstone | None:
    return await tx.one_as(TOMBSTONE.make, FIND_TOMBSTONE, uri=uri)


async def list_tombstoned(tx: Tx, uris: Iterable[str]) -> set[str]:
    """Those of ``uris`` that are deleted."""
    return {row[0] for row in await tx.all(LIST_TOMBSTONES, uris=set(uris))}


async def bump_stats(
    tx: Tx, status: StatusId, *, replies: int = 0, reblogs: int = 0, favourites: int = 0, quotes: int = 0
) -> None:
    """By these differences. No count falls below zero."""
    await tx.run(BUMP_STATS, status=status, replies=replies, reblogs=reblogs, favourites=favourites, quotes=quotes)


async def set_totals(
    tx: Tx,
    status: StatusId,
    *,
    replies: int | None = None,
    reblogs: int | None = None,
    favourites: int | None = None,
) -> None:
    """As told by the status's own server; None: not told."""
    await tx.run(SET_TOTALS, status=status, replies=replies, reblogs=reblogs, favourites=favourites)


async def find_stats(tx: Tx, status: StatusId) -> StatusStats:
    """Zeros where nothing was counted yet."""
    return await tx.one_as(STATS.make, FIND_STATS, status=status) or StatusStats(status=status)


async def find_many_stats(tx: Tx, statuses: Iterable[StatusId]) -> dict[StatusId, StatusStats]:
    """One for each of ``statuses``."""
    stats = {status: StatusStats(status=status) for status in statuses}
    if stats:
        stats |= {found.status: found for found in await tx.all_as(STATS.make, LIST_STATS, statuses=list(stats))}
    return stats


async def list_ancestors(tx: Tx, status: StatusId, *, limit: int = 40) -> list[Status]:
    """From the oldest known one down to the parent; the nearest ``limit``. Deleted ones keep their place."""
    found = await tx.all_as(STATUS.make, ANCESTORS, id=status, limit=limit)
    return [one for one in {one.id: one for one in found}.values() if one.id != status]


async def list_descendants(tx: Tx, status: StatusId, *, limit: int = 60, depth: int = 20) -> list[Status]:
    """Replies and their replies, each branch to its end before the next, oldest first. Deleted ones keep their place.

    When there are more than ``limit``, the levels nearest to ``status`` win.
    """
    found = await tx.all_as(STATUS.make, DESCENDANTS, id=status, limit=limit, depth=depth)
    replies: dict[StatusId, list[Status]] = {}
    for one in sorted(found, key=lambda one: one.id, reverse=True):
        if one.in_reply_to is not None and one.id != status:
            replies.setdefault(one.in_reply_to, []).append(one)
    ordered: list[Status] = []
    waiting = replies.pop(status, [])
    while waiting:
        one = waiting.pop()
        ordered.append(one)
        waiting += replies.pop(one.id, [])
    return ordered


async def list_reply_uris(tx: Tx, status: StatusId, *, after: int = 0, limit: int = 50) -> list[tuple[StatusId, str]]:
    """Known public and unlisted replies, oldest first, for the ``replies`` collection."""
    return [(row[0], row[1]) for row in await tx.all(LIST_REPLY_URIS, id=status, after=after, limit=limit)]


async def count_thread(tx: Tx, thread: StatusId) -> int:
    """Statuses of a conversation that we have."""
    return int(await tx.value(COUNT_THREAD, thread=thread))


async def list_quotes(tx: Tx, status: StatusId, window: Window = FIRST_PAGE) -> list[Status]:
    """Accepted quotes of it, newest first."""
    return await LIST_QUOTES.all_as(tx, STATUS.make, window, id=status)


async def link_orphans(tx: Tx, parent: Status) -> list[StatusId]:
    """Replies that arrived before ``parent`` join it and its thread. Their ids."""
    rows = await tx.all(LINK_ORPHANS, id=parent.id, account=parent.account, uri=parent.uri, thread=parent.thread)
    if not rows:
        return []
    threads = {thread for _, thread, _ in rows} - {parent.thread}
    if threads:
        await tx.run(MOVE_THREAD_MUTES, thread=parent.thread, threads=threads)
        await tx.run(MOVE_THREADS, thread=parent.thread, threads=threads)
    counted = sum(visibility in _DISTRIBUTED for _, _, visibility in rows)
    if counted:
        await bump_stats(tx, parent.id, replies=counted)
    return [row[0] for row in rows]


async def may_see(tx: Tx, status: Status, viewer: AccountId | None) -> bool:
    """Whether its author lets ``viewer`` (None: anybody) read it. A boost says nothing about what it boosts."""
    return bool(await list_visible(tx, [status], viewer))


async def list_visible(tx: Tx, statuses: Collection[Status], viewer: AccountId | None) -> set[StatusId]:
    """The ids of those that ``viewer`` may see, in at most three statements for any number.

    One's own always; nothing of who blocks the viewer; public and unlisted by everybody; private by accepted followers
    and those addressed; direct by those addressed. Deleted statuses by nobody.
    """
    living = [status for status in statuses if status.deleted_at is None]
    if viewer is None:
        return {status.id for status in living if status.visibility in _DISTRIBUTED}
    visible = {status.id for status in living if status.account == viewer}
    others = [status for status in living if status.account != viewer]
    if not others:
        return visible
    blockers = await list_blockers(tx, viewer, {status.account for status in others})
    others = [status for status in others if status.account not in blockers]
    visible |= {status.id for status in others if status.visibility in _DISTRIBUTED}
    closed = [status for status in others if status.visibility not in _DISTRIBUTED]
    if closed:
        ids = [status.id for status in closed]
        visible |= {row[0] for row in await tx.all(LIST_ADDRESSED_TO, account=viewer, statuses=ids)}
    private = [status for status in closed if status.visibility == "private" and status.id not in visible]
    if private:
        followed = await list_followed(tx, viewer, {status.account for status in private})
        visible |= {status.id for status in private if status.account in followed}
    return visible
