"""Filters: none can be stored yet, so there are none to list; writing answers 404 like any unknown endpoint."""

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.web.callers import require
from fedi.web.mastodon.answers import answer_value


def setup_routes(app: web.Application) -> None:
    app.router.add_get("/api/v1/filters", list_filters)
    app.router.add_get("/api/v2/filters", list_filters)


async def list_filters(request: Request) -> Response:
    await require(request, "read:filters")
    return answer_value([])
