"""One page of one list for one reader: entries in id order, and where the pages beside it begin.

Everything here runs inside a read unit, so that the caller can fetch what the page shows in the same hop.
Hidden slots stay in the page as entries and do not fill its ``limit``: the range grows instead.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fedi.clock import Clock
from fedi.ids import AccountId
from fedi.ledger.pages import Entry, read_entries
from fedi.store import timelines
from fedi.store.database import Tx
from fedi.store.timelines import MAX_ID, Range, SlotRow

MOST_SLOTS = 200  # what a page may pass over when much of it is hidden
MOST_WINDOWS = 4  # how many windows a sparse home is searched through before it answers short
FLOOR_LIFE_MS = 2_000

Fetch = Callable[[Range, int], Awaitable[list[SlotRow]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Mastodon's paging: ``max_id`` pages down, ``since_id`` is a floor, ``min_id`` pages up from itself."""

    max_id: int | None = None
    since_id: int | None = None
    min_id: int | None = None

    def span(self, edge: int) -> Range:
        below = min(edge, self.max_id if self.max_id is not None else MAX_ID)
        if self.min_id is not None:
            return Range(below, max(self.min_id, self.since_id or 0), "oldest")
        return Range(below, self.since_id or 0, "newest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Entries newest first. ``older`` is the ``max_id`` of the next page, None at the end; ``newer`` the
    ``min_id`` of the page before, None for an empty page."""

    entries: list[Entry]
    older: int | None
    newer: int | None


class Feeds:
    """Reads the lists of statuses. Keeps nothing but the place where the newest window ends."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._floor: int | None = None
        self._floor_until = 0

    async def surface(self, tx: Tx, name: str, cursor: Cursor, limit: int) -> Page:
        """A page of ``public``, ``local``, ``tag:x`` or any other single surface."""

        async def fetch(span: Range, rows: int) -> list[SlotRow]:
            return await timelines.list_surface(tx, name, span, rows)

        return await self._page(tx, fetch, cursor, limit)

    async def account(
        self,
        tx: Tx,
        account: AccountId,
        cursor: Cursor,
        limit: int,
        *,
        followers: bool,
        narrow: frozenset[str] = frozenset(),
        tag: str | None = None,
    ) -> Page:
        """A page of one author's statuses; ``followers`` says whether the reader may see followers-only ones."""

        async def fetch(span: Range, rows: int) -> list[SlotRow]:
            return await timelines.list_account(tx, account, span, rows, followers=followers, narrow=narrow, tag=tag)

        return await self._page(tx, fetch, cursor, limit)

    async def home(self, tx: Tx, viewer: AccountId, cursor: Cursor, limit: int) -> Page:
        """A page of what the viewer follows, and of their own."""

        async def fetch(span: Range, rows: int) -> list[SlotRow]:
            return await timelines.list_home(tx, viewer, span, rows)

        return await self._windows(tx, fetch, cursor, limit)

    async def members(self, tx: Tx, viewer: AccountId, list_id: int, cursor: Cursor, limit: int) -> Page:
        """A page of one of the viewer's lists."""

        async def fetch(span: Range, rows: int) -> list[SlotRow]:
            return await timelines.list_members(tx, viewer, list_id, span, rows)

        return await self._windows(tx, fetch, cursor, limit)

    async def _page(self, tx: Tx, fetch: Fetch, cursor: Cursor, limit: int) -> Page:
        now_ms = self._clock.ms()
        span = cursor.span(await timelines.edge(tx, now_ms))
        entries, rest = await _collect(fetch, span, limit, now_ms // 1000)
        return _finish(entries, rest, span)

    async def _windows(self, tx: Tx, fetch: Fetch, cursor: Cursor, limit: int) -> Page:
        """A merge is searched window by window, so that silent follows cannot make a page expensive."""
        now_ms = self._clock.ms()
        span = cursor.span(await timelines.edge(tx, now_ms))
        entries: list[Entry] = []
        rest: Range | None = span
        for _ in range(MOST_WINDOWS):
            assert rest is not None
            end = await self._window_end(tx, rest, now_ms)
            window = rest if end is None else _within(rest, end)
            found, left = await _collect(fetch, window, limit - _shown(entries), now_ms // 1000)
            entries += found
            if left is not None:  # full before the window was used up
                rest = _beyond(rest, entries[-1].object)
                break
            rest = None if end is None else _beyond(rest, end)
            if rest is None or _shown(entries) >= limit:
                break
        return _finish(entries, rest, span)

    async def _window_end(self, tx: Tx, span: Range, now_ms: int) -> int | None:
        """The newest window's end is remembered for a moment: it moves slowly and is asked for at every page."""
        if span.order != "newest" or span.below != MAX_ID:
            return await timelines.window_end(tx, span)
        if now_ms >= self._floor_until:
            self._floor, self._floor_until = await timelines.window_end(tx, Range()), now_ms + FLOOR_LIFE_MS
        return self._floor if self._floor is not None and self._floor > span.above else None


def _shown(entries: list[Entry]) -> int:
    return sum(1 for entry in entries if entry.state == "shown")


def _within(span: Range, end: int) -> Range:
    """The part of ``span`` up to and including ``end``."""
    if span.order == "newest":
        return span._replace(above=end - 1)
    return span._replace(below=end + 1)


def _beyond(span: Range, last: int) -> Range:
    if span.order == "newest":
        return span._replace(below=last)
    return span._replace(above=last)


async def _collect(fetch: Fetch, span: Range, limit: int, now_s: int) -> tuple[list[Entry], Range | None]:
    """Entries until ``limit`` are shown, and the span left over, or None when it is used up."""
    entries: list[Entry] = []
    shown = 0
    rows_wanted = limit + 1
    while len(entries) < MOST_SLOTS:
        rows = await fetch(span, rows_wanted)
        found = read_entries(rows, now_s)
        cut = len(rows) == rows_wanted
        if cut and len(found) > 1:
            found.pop()  # the limit counts rows: further decisions about the last slot may be missing
        for index, entry in enumerate(found, 1):
            shown += entry.state == "shown"
            if shown == limit:
                entries += found[:index]
                return entries, None if index == len(found) and not cut else _beyond(span, entry.object)
        entries += found
        if not cut:
            return entries, None
        span = _beyond(span, found[-1].object)
        rows_wanted = min(2 * rows_wanted, MOST_SLOTS)
    return entries, span


def _finish(entries: list[Entry], rest: Range | None, span: Range) -> Page:
    if span.order == "oldest":
        entries.reverse()
        older = entries[-1].object if entries else None
        newer = entries[0].object if entries else None
        return Page(entries=entries, older=older, newer=newer)
    older = rest.below if rest is not None else None
    newer = entries[0].object if entries else None
    return Page(entries=entries, older=older, newer=newer)
