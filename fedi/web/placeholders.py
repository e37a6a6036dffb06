"""Pictures for accounts that have none. Some clients know these two paths and show nothing instead."""

from functools import cache
from importlib.resources import files

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.web.entities.media import MISSING_AVATAR, MISSING_HEADER

_FILES = {MISSING_AVATAR: "missing-avatar.png", MISSING_HEADER: "missing-header.png"}


def setup_routes(app: web.Application) -> None:
    for path in _FILES:
        app.router.add_get(path, show)


async def show(request: Request) -> Response:
    headers = {"Cache-Control": "public, max-age=604800", "Access-Control-Allow-Origin": "*"}
    return Response(body=_picture(_FILES[request.path]), content_type="image/png", headers=headers)


@cache
def _picture(name: str) -> bytes:
    return (files("fedi.web") / "static" / name).read_bytes()
