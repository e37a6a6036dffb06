"""What a list of statuses needs beside their text: versions, counts, and what the viewer has to do with each.

One statement for a whole page, so that a page whose texts are cached costs no other.
"""

from collections.abc import Collection
from typing import NamedTuple

from fedi.ids import AccountId, StatusId
from fedi.model.statuses import QuotePolicy, QuoteState, Visibility
from fedi.store.database import Tx

# Bits of ``StatusDetail.flags``.
FAVOURITED, REBLOGGED, BOOKMARKED, PINNED, MUTED = 1, 2, 4, 8, 16

_SHOWN = """
SELECT s.id, s.version, s.account, s.visibility, s.reblog_of, s.quote_of, s.quote_uri, s.quote_state, s.quote_policy,
       s.poll, CASE WHEN s.deleted_at IS NULL THEN 0 ELSE 1 END,
       COALESCE(t.replies, 0), COALESCE(t.reblogs, 0), COALESCE(t.favourites, 0), COALESCE(t.quotes, 0),
       a.version, COALESCE(c.statuses, 0), COALESCE(c.followers, 0), COALESCE(c.following, 0), c.last_status_at,
       {viewer}
  FROM status s
  JOIN account a ON a.id = s.account
  LEFT JOIN status_stats t ON t.status = s.id
  LEFT JOIN account_stats c ON c.account = s.account
 WHERE s.id IN INTS(:ids)"""

_ANYBODY = "CASE WHEN s.visibility IN ('public', 'unlisted') THEN 1 ELSE 0 END, 0, 0, 0, 0"

# The uncorrelated part of each pair is evaluated once: most people have blocked, muted or pinned nothing.
_VIEWER = """
       CASE WHEN s.account = :viewer OR s.visibility IN ('public', 'unlisted') THEN 1
            WHEN EXISTS (SELECT 1 FROM mention x WHERE x.status = s.id AND x.account = :viewer) THEN 1
            WHEN s.visibility = 'private' AND EXISTS (SELECT 1 FROM follow x WHERE x.follower = :viewer
                  AND x.target = s.account AND x.state = 'accepted') THEN 1
            ELSE 0 END,
       CASE WHEN EXISTS (SELECT 1 FROM favourite x WHERE x.account = :viewer AND x.status = s.id) THEN 1 ELSE 0 END
     + CASE WHEN EXISTS (SELECT 1 FROM status x WHERE x.reblog_of = s.id AND x.account = :viewer
                            AND x.deleted_at IS NULL) THEN 2 ELSE 0 END
     + CASE WHEN EXISTS (SELECT 1 FROM bookmark x WHERE x.account = :viewer)
             AND EXISTS (SELECT 1 FROM bookmark x WHERE x.account = :viewer AND x.status = s.id) THEN 4 ELSE 0 END
     + CASE WHEN s.account = :viewer
             AND EXISTS (SELECT 1 FROM pin x WHERE x.account = :viewer AND x.status = s.id) THEN 8 ELSE 0 END
     + CASE WHEN EXISTS (SELECT 1 FROM thread_mute x WHERE x.account = :viewer)
             AND EXISTS (SELECT 1 FROM thread_mute x WHERE x.account = :viewer AND x.thread = s.thread) THEN 16 ELSE 0 END,
       CASE WHEN EXISTS (SELECT 1 FROM block x WHERE x.account = :viewer)
             AND EXISTS (SELECT 1 FROM block x WHERE x.account = :viewer AND x.target = s.account) THEN 2
            WHEN EXISTS (SELECT 1 FROM mute x WHERE x.account = :viewer)
             AND EXISTS (SELECT 1 FROM mute x WHERE x.account = :viewer AND x.target = s.account
                            AND (x.expires_at IS NULL OR x.expires_at > :now_ms)) THEN 1
            ELSE 0 END,
       CASE WHEN EXISTS (SELECT 1 FROM block x WHERE x.target = :viewer)
             AND EXISTS (SELECT 1 FROM block x WHERE x.account = s.account AND x.target = :viewer) THEN 1 ELSE 0 END,
       CASE WHEN s.quote_policy = 'followers' AND EXISTS (SELECT 1 FROM follow x WHERE x.follower = :viewer
                  AND x.target = s.account AND x.state = 'accepted') THEN 1 ELSE 0 END"""

FOR_ANYBODY = _SHOWN.replace("{viewer}", _ANYBODY)
FOR_VIEWER = _SHOWN.replace("{viewer}", _VIEWER)

MARKS = "SELECT id, local, has_media, tags FROM status WHERE id IN INTS(:ids)"


class StatusDetail(NamedTuple):
    """``kept_out``: 2 when the viewer blocks the author, 1 when they mute them. ``may_read``: by visibility alone."""

    id: StatusId
    version: int
    account: AccountId
    visibility: Visibility
    reblog_of: StatusId | None
    quote_of: StatusId | None
    quote_uri: str | None
    quote_state: QuoteState | None
    quote_policy: QuotePolicy
    poll: StatusId | None
    deleted: int
    replies: int
    reblogs: int
    favourites: int
    quotes: int
    account_version: int
    account_statuses: int
    account_followers: int
    account_following: int
    account_last_status_at: int | None
    may_read: int
    flags: int
    kept_out: int
    blocked_by: int
    follows: int


class StatusMarks(NamedTuple):
    """What a reader may narrow a list by. ``tags`` is JSON."""

    id: StatusId
    local: int
    has_media: int
    tags: str


async def list_details(
    tx: Tx, ids: Collection[StatusId], viewer: AccountId | None, now_ms: int
) -> dict[StatusId, StatusDetail]:
    """For each of ``ids`` that exists; deleted ones too."""
    if not ids:
        return {}
    if viewer is None:
        rows = await tx.all(FOR_ANYBODY, ids=ids)
    else:
        rows = await tx.all(FOR_VIEWER, ids=ids, viewer=viewer, now_ms=now_ms)
    return {row[0]: StatusDetail._make(row) for row in rows}


async def list_marks(tx: Tx, ids: Collection[StatusId]) -> dict[StatusId, StatusMarks]:
    return {marks.id: marks for marks in await tx.all_as(StatusMarks, MARKS, ids=ids)} if ids else {}
