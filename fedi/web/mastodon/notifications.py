"""What a person is told, one by one (v1)."""

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.ids import AccountId
from fedi.model.notifications import Notification
from fedi.store import markers, notifications
from fedi.store.database import Tx
from fedi.store.paging import Window
from fedi.web.callers import require
from fedi.web.entities.others import kinds_of
from fedi.web.keys import DATABASE, ENTITIES
from fedi.web.mastodon.answers import Cut, answer, answer_value, cut, limit_of, not_found, one_more, path_id, window_of
from fedi.web.mastodon.asked import answer_page, empty
from fedi.web.params import Params, read_params

READ, WRITE = "read:notifications", "write:notifications"
UNREAD, MOST_UNREAD = 100, 1000


def setup_routes(app: web.Application) -> None:
    app.router.add_get("/api/v1/notifications", list_all)
    app.router.add_post("/api/v1/notifications/clear", clear)
    app.router.add_get("/api/v1/notifications/unread_count", count_unread)
    app.router.add_get("/api/v1/notifications/{id}", show)
    app.router.add_post("/api/v1/notifications/{id}/dismiss", dismiss)


async def list_all(request: Request) -> Response:
    caller = await require(request, READ)
    params = await read_params(request)
    window = window_of(params)

    async def unit(tx: Tx) -> tuple[Cut, list[bytes]]:
        rows = await list_page(tx, caller.account_id, params, one_more(window))
        page = cut([(row.id, row) for row in rows], window)
        return page, await request.app[ENTITIES].notifications(tx, page.rows, caller.account_id)

    return answer_page(request, *await request.app[DATABASE].read(unit))


async def list_page(tx: Tx, owner: AccountId, params: Params, window: Window) -> list[Notification]:
    """``types[]`` and ``exclude_types[]`` are the words of clients, of which one may stand for several kinds."""
    actor = params.integer("account_id")
    kinds = kinds_of(params.texts("types") or ())
    if params.texts("types") and not kinds:
        return []  # only types we never send
    return await notifications.list_notifications(
        tx,
        owner,
        window,
        kinds=kinds,
        excluded=kinds_of(params.texts("exclude_types") or ()),
        actor=None if actor is None else AccountId(actor),
    )


async def show(request: Request) -> Response:
    caller = await require(request, READ)
    wanted = path_id(request)

    async def unit(tx: Tx) -> list[bytes]:
        row = await notifications.find_notification(tx, caller.account_id, wanted)
        return [] if row is None else await request.app[ENTITIES].notifications(tx, [row], caller.account_id)

    found = await request.app[DATABASE].read(unit)
    if not found:
        raise not_found()
    return answer(found[0])


async def count_unread(request: Request) -> Response:
    caller = await require(request, READ)
    limit = limit_of(await read_params(request), UNREAD, MOST_UNREAD)
    count = await request.app[DATABASE].read(lambda tx: count_above_marker(tx, caller.account_id, limit))
    return answer_value({"count": count})


async def count_above_marker(tx: Tx, owner: AccountId, limit: int) -> int:
    """How many are newer than the last one read; counting ends at ``limit``."""
    marker = (await markers.list_markers(tx, owner, ["notifications"])).get("notifications")
    above = int(marker.last_read_id) if marker else 0
    return await notifications.count_above(tx, owner, above, limit=limit)


async def dismiss(request: Request) -> Response:
    caller = await require(request, WRITE)
    wanted = path_id(request)
    if not await request.app[DATABASE].write(
        "dismiss a notification", lambda tx: notifications.drop_notification(tx, caller.account_id, wanted)
    ):
        raise not_found()
    return empty()


async def clear(request: Request) -> Response:
    caller = await require(request, WRITE)
    await request.app[DATABASE].write("clear notifications", lambda tx: notifications.drop_all(tx, caller.account_id))
    return empty()
