"""How far somebody has read."""

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.model.notifications import Marker
from fedi.store import markers
from fedi.store.database import Tx
from fedi.web.callers import require
from fedi.web.entities.others import marker_value
from fedi.web.keys import CLOCK, DATABASE
from fedi.web.mastodon.answers import MAX_INT, answer_value
from fedi.web.params import read_params

TIMELINES = ("home", "notifications")


def setup_routes(app: web.Application) -> None:
    app.router.add_get("/api/v1/markers", show_markers)
    app.router.add_post("/api/v1/markers", set_markers)


async def show_markers(request: Request) -> Response:
    caller = await require(request, "read:statuses")
    wanted = set((await read_params(request)).texts("timeline") or ()).intersection(TIMELINES)
    found = await request.app[DATABASE].read(lambda tx: markers.list_markers(tx, caller.account_id, wanted))
    return answer_value({timeline: marker_value(marker) for timeline, marker in found.items()})


async def set_markers(request: Request) -> Response:
    caller = await require(request, "write:statuses")
    params = await read_params(request)
    read: dict[str, str] = {}
    for timeline in TIMELINES:
        group = params.group(timeline)
        last = None if group is None else group.text("last_read_id")
        if last is not None:
            if not (last.isascii() and last.isdigit() and len(last) <= 19 and int(last) <= MAX_INT):
                raise ClientFault("parameter-invalid", _("A place in a timeline is the id of a post or notification."))
            read[timeline] = last
    now_ms = request.app[CLOCK].ms()

    async def unit(tx: Tx) -> dict[str, Marker]:
        return {
            timeline: await markers.put_marker(tx, caller.account_id, timeline, last, now_ms)
            for timeline, last in read.items()
        }

    stored = await request.app[DATABASE].write("move markers", unit) if read else {}
    return answer_value({timeline: marker_value(marker) for timeline, marker in stored.items()})
