"""A status in its conversation, with how much of it we have; opening one makes us look for the rest."""

from typing import NamedTuple

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.clock import api_time
from fedi.ids import AccountId, StatusId
from fedi.model.statuses import Status
from fedi.store import jobs, statuses, threads
from fedi.store.database import Tx
from fedi.store.threads import Completeness
from fedi.web.callers import find_caller
from fedi.web.entities.others import render_context
from fedi.web.keys import CLOCK, DATABASE, ENTITIES
from fedi.web.locale import translator_of
from fedi.web.mastodon.answers import answer, status_id
from fedi.web.mastodon.statuses import seen_status


class Bounds(NamedTuple):
    ancestors: int
    descendants: int
    depth: int


FOR_PEOPLE = Bounds(4096, 4096, 4096)
FOR_ANYBODY = Bounds(40, 60, 20)


def setup_routes(app: web.Application) -> None:
    app.router.add_get("/api/v1/statuses/{id}/context", context)


class _Read(NamedTuple):
    status: Status
    body: bytes
    fetch: Completeness | None
    is_remote: bool


async def context(request: Request) -> Response:
    caller = await find_caller(request, "read:statuses")
    status, viewer = status_id(request), caller.account_id if caller else None
    found = await request.app[DATABASE].read(lambda tx: _read(request, tx, status, viewer))
    now_ms = request.app[CLOCK].ms()
    if viewer is not None and found.is_remote and _is_due(found.fetch, now_ms):
        await request.app[DATABASE].write("look for a thread", lambda tx: _look(tx, found.status, now_ms))
    return answer(found.body)


async def _read(request: Request, tx: Tx, status: StatusId, viewer: AccountId | None) -> _Read:
    row = await seen_status(tx, status, viewer)
    bounds = FOR_ANYBODY if viewer is None else FOR_PEOPLE
    above = await statuses.list_ancestors(tx, row.id, limit=bounds.ancestors)
    below = await statuses.list_descendants(tx, row.id, limit=bounds.descendants, depth=bounds.depth)
    entities, t = request.app[ENTITIES], translator_of(request)
    fetch = await threads.find_completeness(tx, row.thread)
    body = render_context(
        await entities.listing(tx, [one.id for one in above], viewer, t),
        await entities.listing(tx, [one.id for one in below], viewer, t),
        fedi=await _completeness(tx, row, fetch),
    )
    return _Read(row, body, fetch, is_remote=any(not one.local for one in (row, *above, *below)))


async def _completeness(tx: Tx, row: Status, fetch: Completeness | None) -> dict[str, object]:
    """``known`` counts the posts of the whole conversation that we have; ``estimate`` is what its origin says."""
    return {
        "known": await statuses.count_thread(tx, row.thread),
        "estimate": None if fetch is None else fetch.estimate,
        "complete": None if fetch is None else fetch.complete,
        "missing": {} if fetch is None else fetch.missing,
        "fetched_at": None if fetch is None or fetch.fetched_at is None else api_time(fetch.fetched_at),
    }


def _is_due(fetch: Completeness | None, now_ms: int) -> bool:
    return fetch is None or fetch.next_at is None or fetch.next_at <= now_ms


async def _look(tx: Tx, status: Status, now_ms: int) -> None:
    await jobs.enqueue(tx, "fetch_thread", {"status": status.id}, dedup=str(status.thread), now_ms=now_ms)
