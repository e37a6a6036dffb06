"""Reading positions: every list of statuses is a range of slots, read through the view ``v_timeline`` alone.

A page asks for ids below ``max_id`` and above ``min_id``; the rows carry the state of each slot, one row per slot
and decision touching it. What a row means is decided in :mod:`fedi.ledger.pages`, never by leaving rows out here.
"""

from typing import Literal, NamedTuple

from fedi.ids import AccountId, first_id_at
from fedi.store.database import Tx

MAX_ID = (1 << 63) - 1
EDGE_WAIT_MS = 10_000  # how long the newest end of a page waits for a post still being processed
WINDOW = 2_000  # ids a home page scans at a step; 20 followed posts are usually within the first 200

Order = Literal["newest", "oldest"]


class SlotRow(NamedTuple):
    """One slot as ``v_timeline`` shows it; the decision columns are None where nothing touches it."""

    surface: str
    pos: int
    object: int
    uri: str | None
    account: int | None
    visibility: str | None
    ready_at: int | None
    gone: str | None
    decision: str | None
    effect: str | None
    start_at: int | None
    until: int | None
    ended_at: int | None


class Range(NamedTuple):
    """Ids strictly between ``above`` and ``below``; ``oldest`` takes the items next to ``above``."""

    below: int = MAX_ID
    above: int = 0
    order: Order = "newest"


_COLUMNS = """t.surface_name, t.pos, t.object, t.uri, t.account, t.class, t.ready_at, t.gone,
    t.decision, t.effect, t.start_at, t.until, t.ended_at"""

# Posts accepted in the last seconds and not yet processed hold the newest end back, so that no client reads past
# them. Index object_pending: a handful of rows.
_EDGE = """SELECT min(n) FROM object WHERE ready_at IS NULL AND gone IS NULL AND n >= :fresh"""

# Index slot_object: a range of one surface. The limit counts slots, the join may add rows of further decisions.
_SURFACE_PAGE = f"""
SELECT {_COLUMNS} FROM v_timeline t
 WHERE t.surface = :surface AND t.object < :below AND t.object > :above
 ORDER BY t.object %(direction)s LIMIT :limit"""
_SURFACE_NUMBER = "SELECT surface FROM surface_head WHERE name = :name"

# Home: the newest ids of everybody, narrowed by probing follows (index object_home covers it).
# ``floor`` bounds the scan when few of the followed speak; the caller moves it on (see :func:`window_end`).
_MINE = {
    "home": """o.account = :viewer OR EXISTS (
            SELECT 1 FROM follow f WHERE f.follower = :viewer AND f.target = o.account AND f.state = 'accepted'
               AND (f.reblogs = 1 OR NOT EXISTS (SELECT 1 FROM object b WHERE b.n = o.n AND b.boost_of IS NOT NULL)))""",
    "list": """EXISTS (SELECT 1 FROM list_member m WHERE m.list = :list AND m.account = o.account)
        AND EXISTS (SELECT 1 FROM follow f
                     WHERE f.follower = :viewer AND f.target = o.account AND f.state = 'accepted')""",
}
_MERGE_PAGE = f"""
WITH page AS (
    SELECT o.n FROM object o
     WHERE o.archived = 0 AND o.n < :below AND o.n > :above AND o.class <> 'direct' AND ({{mine}})
     ORDER BY o.n %(direction)s LIMIT :limit)
SELECT {_COLUMNS} FROM page p
  JOIN object a ON a.n = p.n
  JOIN surface_head h ON h.name = (CASE a.class WHEN 'private' THEN 'author-f:' ELSE 'author:' END) || a.author
  JOIN v_timeline t ON t.surface = h.surface AND t.object = p.n
 ORDER BY p.n %(direction)s"""
_WINDOW_END = """SELECT n FROM object WHERE archived = 0 AND n < :below AND n > :above
 ORDER BY n %(direction)s LIMIT 1 OFFSET :window"""

# A profile merges its author's streams (index object_account). ``:followers`` admits the followers' stream.
_ACCOUNT_PAGE = f"""
WITH page AS (
    SELECT o.n, o.class, o.author, o.archived FROM object o
     WHERE o.account = :account AND o.n < :below AND o.n > :above
       AND (o.class IN ('public', 'unlisted') OR (:followers = 1 AND o.class = 'private'))
       {{narrow}}
     ORDER BY o.n %(direction)s LIMIT :limit)
SELECT {_COLUMNS} FROM page p
  JOIN surface_head h ON h.name = (CASE WHEN p.class = 'private' THEN 'author-f:'
                                        WHEN p.archived = 1 THEN 'archive:' ELSE 'author:' END) || p.author
  JOIN v_timeline t ON t.surface = h.surface AND t.object = p.n
 ORDER BY p.n %(direction)s"""
_NARROW = {
    "no_reblogs": "AND o.boost_of IS NULL",
    # A self-reply continues a thread; it is not a reply to somebody.
    "no_replies": """AND NOT EXISTS (SELECT 1 FROM status s WHERE s.id = o.n AND s.in_reply_to_uri IS NOT NULL
                     AND coalesce(s.in_reply_to_account, 0) <> s.account)""",
    "only_media": "AND EXISTS (SELECT 1 FROM status s WHERE s.id = o.n AND s.has_media = 1)",
    "tagged": """AND EXISTS (SELECT 1 FROM slot x JOIN surface_head g ON g.surface = x.surface
                 WHERE x.object = o.n AND g.name = :tag_surface)""",
}


def _both(sql: str) -> dict[Order, str]:
    return {"newest": sql % {"direction": "DESC"}, "oldest": sql % {"direction": "ASC"}}


SURFACE_PAGE = _both(_SURFACE_PAGE)
MERGE_PAGE = {name: _both(_MERGE_PAGE.replace("{mine}", mine)) for name, mine in _MINE.items()}
WINDOW_END = _both(_WINDOW_END)


async def edge(tx: Tx, now_ms: int) -> int:
    """The id below which everything accepted is settled; pages end there."""
    found = await tx.value(_EDGE, fresh=first_id_at(now_ms - EDGE_WAIT_MS))
    return MAX_ID if found is None else int(found)


async def list_surface(tx: Tx, name: str, span: Range, limit: int) -> list[SlotRow]:
    """Slots of one surface, in id order as asked. Unknown surfaces are empty."""
    surface = await tx.value(_SURFACE_NUMBER, name=name)
    if surface is None:
        return []
    rows = await tx.all(SURFACE_PAGE[span.order], surface=surface, below=span.below, above=span.above, limit=limit)
    return list(map(SlotRow._make, rows))


async def list_home(tx: Tx, viewer: AccountId, span: Range, limit: int) -> list[SlotRow]:
    """The merge, by id, of the streams ``viewer`` follows and their own. Bound ``span`` by a window."""
    rows = await tx.all(MERGE_PAGE["home"][span.order], viewer=viewer, below=span.below, above=span.above, limit=limit)
    return list(map(SlotRow._make, rows))


async def list_members(tx: Tx, viewer: AccountId, list_id: int, span: Range, limit: int) -> list[SlotRow]:
    """The same merge for the members of one of the viewer's lists."""
    rows = await tx.all(
        MERGE_PAGE["list"][span.order], viewer=viewer, list=list_id, below=span.below, above=span.above, limit=limit
    )
    return list(map(SlotRow._make, rows))


async def window_end(tx: Tx, span: Range) -> int | None:
    """The id ``WINDOW`` posts into ``span``, where a scan pauses; None when the span holds fewer."""
    found = await tx.value(WINDOW_END[span.order], below=span.below, above=span.above, window=WINDOW)
    return None if found is None else int(found)


async def list_account(
    tx: Tx,
    account: AccountId,
    span: Range,
    limit: int,
    *,
    followers: bool,
    narrow: frozenset[str] = frozenset(),
    tag: str | None = None,
) -> list[SlotRow]:
    """One author's streams. ``narrow`` holds keys of the client's own choices (no_reblogs, only_media …)."""
    wanted = sorted(narrow | ({"tagged"} if tag else set()))
    sql = (_ACCOUNT_PAGE.replace("{narrow}", "\n".join(_NARROW[key] for key in wanted))) % {
        "direction": "DESC" if span.order == "newest" else "ASC"
    }
    named = {"tag_surface": f"tag:{tag}"} if tag else {}
    rows = await tx.all(
        sql, account=account, below=span.below, above=span.above, limit=limit, followers=int(followers), **named
    )
    return list(map(SlotRow._make, rows))
