"""Conversations: which posts we have of one, and how many there seem to be."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from fedi.ids import StatusId
from fedi.store.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """Of our copy of a conversation: ``known`` posts of about ``estimate`` (exactly, if ``complete``), and why the
    others are missing (``not-fetched``, ``refused``, ``unreachable``, ``deleted``, ``too-many``)."""

    thread: StatusId
    known: int
    estimate: int | None = None
    complete: bool = False
    missing: Mapping[str, int]
    fetched_at: int | None = None
    next_at: int | None = None


PUT_FETCH = """
INSERT INTO thread_fetch (thread, known, estimate, complete, missing, fetched_at, next_at)
VALUES (:thread, :known, :estimate, :complete, :missing, :fetched_at, :next_at)
ON CONFLICT (thread) DO UPDATE SET known = excluded.known, estimate = excluded.estimate, complete = excluded.complete,
  missing = excluded.missing, fetched_at = excluded.fetched_at, next_at = excluded.next_at"""
FIND_FETCH = """
SELECT thread, known, estimate, complete, missing, fetched_at, next_at FROM thread_fetch WHERE thread = :thread"""
COUNT = "SELECT count(*) FROM status WHERE thread = :thread AND deleted_at IS NULL AND reblog_of IS NULL"
# status_thread
LIST_URIS = """
SELECT id, uri FROM status
 WHERE thread = :thread AND id > :after AND visibility IN ('public', 'unlisted') AND deleted_at IS NULL
   AND reblog_of IS NULL
 ORDER BY id LIMIT :limit"""
COUNT_PUBLIC = """
SELECT count(*) FROM status
 WHERE thread = :thread AND visibility IN ('public', 'unlisted') AND deleted_at IS NULL AND reblog_of IS NULL"""
# Of remote posts: where their replies are listed. Newest first, since that is where new replies are.
LIST_REPLIES_URIS = """
SELECT uri, replies_uri FROM status
 WHERE thread = :thread AND local = 0 AND replies_uri IS NOT NULL AND deleted_at IS NULL
 ORDER BY id DESC LIMIT :limit"""


async def find_completeness(tx: Tx, thread: StatusId) -> Completeness | None:
    """As counted when it was last fetched."""
    row = await tx.one(FIND_FETCH, thread=thread)
    if row is None:
        return None
    thread_, known, estimate, complete, missing, fetched_at, next_at = row
    return Completeness(
        thread=thread_,
        known=known,
        estimate=estimate,
        complete=bool(complete),
        missing=json.loads(missing),
        fetched_at=fetched_at,
        next_at=next_at,
    )


async def put_completeness(tx: Tx, found: Completeness) -> None:
    await tx.run(
        PUT_FETCH,
        thread=found.thread,
        known=found.known,
        estimate=found.estimate,
        complete=int(found.complete),
        missing=json.dumps(dict(found.missing)),
        fetched_at=found.fetched_at,
        next_at=found.next_at,
    )


async def count_known(tx: Tx, thread: StatusId) -> int:
    return int(await tx.value(COUNT, thread=thread))


async def list_uris(tx: Tx, thread: StatusId, *, after: int, limit: int) -> tuple[int, list[tuple[StatusId, str]]]:
    """How many public and unlisted posts there are in all, and a page of them, oldest first."""
    rows = await tx.all(LIST_URIS, thread=thread, after=after, limit=limit)
    return int(await tx.value(COUNT_PUBLIC, thread=thread)), [(row[0], row[1]) for row in rows]


async def list_replies_uris(tx: Tx, thread: StatusId, *, limit: int) -> list[tuple[str, str]]:
    """Posts of the conversation with the collection of their replies."""
    return [(row[0], row[1]) for row in await tx.all(LIST_REPLIES_URIS, thread=thread, limit=limit)]
