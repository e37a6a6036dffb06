"""Announcements: nobody can write one yet, so the list is truly empty."""

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.web.callers import require
from fedi.web.mastodon.answers import answer_value


def setup_routes(app: web.Application) -> None:
    app.router.add_get("/api/v1/announcements", list_announcements)


async def list_announcements(request: Request) -> Response:
    await require(request)
    return answer_value([])
