"""Timelines: home, public, tags, lists. Each is a page of slots, in id order, always."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec
from aiohttp import web
from aiohttp.web import Request, Response

from fedi.feeds.page import Cursor, Page
from fedi.ids import AccountId
from fedi.ledger.pages import Entry
from fedi.ledger.routing import tag_surface
from fedi.store import details, lists
from fedi.store.database import Tx
from fedi.store.details import StatusMarks
from fedi.text import normal_tag
from fedi.web.again import may_repeat
from fedi.web.callers import find_caller, require
from fedi.web.entities.encode import array
from fedi.web.keys import DATABASE, ENTITIES, FEEDS
from fedi.web.locale import translator_of
from fedi.web.mastodon.answers import (
    MOST_STATUSES,
    STATUSES,
    answer,
    cursor_of,
    limit_of,
    not_found,
    page_links,
    path_id,
)
from fedi.web.params import Params, read_params

Read = Callable[[Tx, Cursor], Awaitable[Page]]
MOST_PAGES = 6  # read for one narrowed answer
MOST_TAGS = 4  # beside the first, as many as clients offer


def setup_routes(app: web.Application) -> None:
    app.router.add_get("/api/v1/timelines/home", home)
    app.router.add_get("/api/v1/timelines/public", public)
    app.router.add_get("/api/v1/timelines/tag/{hashtag}", tag)
    app.router.add_get(r"/api/v1/timelines/list/{list_id:\d+}", members)


async def home(request: Request) -> Response:
    caller = await require(request, "read:statuses")
    params = await read_params(request)
    feeds, limit = request.app[FEEDS], limit_of(params, STATUSES, MOST_STATUSES)
    viewer = caller.account_id
    return await _answer(request, params, viewer, lambda tx, cursor: feeds.home(tx, viewer, cursor, limit))


async def members(request: Request) -> Response:
    """A list of the viewer's own; of somebody else's, nothing is known."""
    caller = await require(request, "read:lists")
    params = await read_params(request)
    feeds, limit = request.app[FEEDS], limit_of(params, STATUSES, MOST_STATUSES)
    viewer, list_id = caller.account_id, path_id(request, "list_id")

    async def read(tx: Tx, cursor: Cursor) -> Page:
        if await lists.find_list(tx, viewer, list_id) is None:
            raise not_found()
        return await feeds.members(tx, viewer, list_id, cursor, limit)

    return await _answer(request, params, viewer, read)


async def public(request: Request) -> Response:
    caller = await find_caller(request, "read:statuses")
    params = await read_params(request)
    feeds, limit = request.app[FEEDS], limit_of(params, STATUSES, MOST_STATUSES)
    narrow = Narrow(
        only_media=bool(params.flag("only_media")), remote=bool(params.flag("remote")), every=(), none=frozenset()
    )
    surface = "local" if params.flag("local") else "public"
    rows = limit if narrow.is_open() else MOST_STATUSES
    read = narrowed(lambda tx, cursor: feeds.surface(tx, surface, cursor, rows), narrow, limit)
    return await _answer(request, params, caller.account_id if caller else None, read)


async def tag(request: Request) -> Response:
    """Posts with a hashtag, or any of ``any[]``; with every one of ``all[]`` and none of ``none[]``."""
    caller = await find_caller(request, "read:statuses")
    params = await read_params(request)
    feeds, limit = request.app[FEEDS], limit_of(params, STATUSES, MOST_STATUSES)
    names = [request.match_info["hashtag"], *(params.texts("any") or [])[:MOST_TAGS]]
    surfaces = list(dict.fromkeys(tag_surface(name.removeprefix("#")) for name in names))
    narrow = Narrow(
        only_media=bool(params.flag("only_media")),
        remote=bool(params.flag("remote")),
        local=bool(params.flag("local")),
        every=tuple(_folded(name) for name in (params.texts("all") or [])[:MOST_TAGS]),
        none=frozenset(_folded(name) for name in (params.texts("none") or [])[:MOST_TAGS]),
    )

    rows = limit if narrow.is_open() else MOST_STATUSES

    async def read(tx: Tx, cursor: Cursor) -> Page:
        pages = [await feeds.surface(tx, surface, cursor, rows) for surface in surfaces]
        return pages[0] if len(pages) == 1 else merged(pages, rows, upwards=cursor.min_id is not None)

    return await _answer(request, params, caller.account_id if caller else None, narrowed(read, narrow, limit))


async def _answer(request: Request, params: Params, viewer: AccountId | None, read: Read) -> Response:
    """Bounded reads, so they may run inside the loop."""
    cursor, t = cursor_of(params), translator_of(request)
    entities, database = request.app[ENTITIES], request.app[DATABASE]
    may_repeat(request)

    async def unit(tx: Tx) -> tuple[Page, list[bytes]]:
        page = await read(tx, cursor)
        return page, await entities.timeline(tx, page, viewer, t)

    page, bodies = await database.read_now(unit)
    links = page_links(request, older=page.older, newer=page.newer)
    return answer(array(bodies), headers={"Link": links} if links else None)


# Narrowing by the reader's own choice -------------------------------------------------------------------------


class Narrow(NamedTuple):
    """What the reader asks of a public list. Tags are folded."""

    only_media: bool = False
    remote: bool = False
    local: bool = False
    every: tuple[str, ...] = ()
    none: frozenset[str] = frozenset()

    def is_open(self) -> bool:
        return not any(self)

    def admits(self, marks: StatusMarks) -> bool:
        if (self.only_media and not marks.has_media) or (self.remote and marks.local):
            return False
        if self.local and not marks.local:
            return False
        if not self.every and not self.none:
            return True
        tags = {_folded(name) for name in msgspec.json.decode(marks.tags)}
        return tags.issuperset(self.every) and not tags & self.none


def _folded(name: str) -> str:
    return normal_tag(name.removeprefix("#"))


def narrowed(read: Read, narrow: Narrow, limit: int) -> Read:
    """Reads on until the page is full, or until it has read enough; the ``next`` link goes on from there."""
    if narrow.is_open():
        return read

    async def read_narrowed(tx: Tx, cursor: Cursor) -> Page:
        entries: list[Entry] = []
        newer: int | None = None
        older: int | None = None
        for _ in range(MOST_PAGES):
            page = await read(tx, cursor)
            newer = page.newer if newer is None or cursor.min_id is not None else newer
            older = page.older
            marks = await details.list_marks(tx, [entry.object for entry in page.entries])  # type: ignore[misc]
            kept = [
                entry
                for entry in page.entries
                if entry.state == "hidden" or ((found := marks.get(entry.object)) and narrow.admits(found))  # type: ignore[call-overload]
            ]
            if cursor.min_id is not None:
                entries = kept + entries
                if page.newer is None or len(entries) >= limit:
                    entries = entries[-limit:]
                    break
                cursor = Cursor(max_id=cursor.max_id, min_id=page.newer)
            else:
                entries += kept
                if older is None or len(entries) >= limit:
                    break
                cursor = Cursor(max_id=older, since_id=cursor.since_id)
        if cursor.min_id is None and len(entries) > limit:
            entries = entries[:limit]
            older = entries[-1].object
        if cursor.min_id is not None and entries:
            older, newer = entries[-1].object, entries[0].object
        return Page(entries=entries, older=older, newer=newer)

    return read_narrowed


def merged(pages: list[Page], limit: int, *, upwards: bool) -> Page:
    """Several lists as one, each post once."""
    entries = sorted({entry.object: entry for page in pages for entry in page.entries}.values(), key=_object)
    kept = entries[:limit] if upwards else entries[-limit:]
    kept.reverse()
    if not kept:
        olders = [page.older for page in pages if page.older is not None]
        return Page(entries=[], older=max(olders, default=None), newer=None)
    more = len(entries) > len(kept) or upwards or any(page.older is not None for page in pages)
    return Page(entries=kept, older=kept[-1].object if more else None, newer=kept[0].object)


def _object(entry: Entry) -> int:
    return entry.object
