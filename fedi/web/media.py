"""Serves what people uploaded, and copies of remote media. Nothing here may run in a browser or be taken for ActivityPub.

A file's type is the one we gave it when its bytes were looked at; a name we would not have made is not looked up.
"""

from pathlib import Path

from aiohttp import web
from aiohttp.web import FileResponse, Request

from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.web.keys import FILES, MEDIA_URLS, REMOTE_COPIES

_YEAR_S = 31_536_000
_DAY_S = 86_400
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "*",  # web clients of other origins draw them on a canvas
    "Referrer-Policy": "no-referrer",
}
_OTHER_SERVERS = "fedi/"  # how our own requests, and those of servers like us, begin their User-Agent


def setup_routes(app: web.Application) -> None:
    app.router.add_get(r"/media/{name:files/.+}", serve_file)
    app.router.add_get(r"/media/proxy/{mac:[A-Za-z0-9_-]{24}}/{encoded:[A-Za-z0-9_-]+}", serve_copy)


async def serve_file(request: Request) -> FileResponse:
    """An upload: never changed under its name, so that browsers may keep it."""
    found = request.app[FILES].find(request.match_info["name"])
    if found is None or not found[0].is_file():
        raise _missing()
    return _answer(*found, max_age_s=_YEAR_S)


async def serve_copy(request: Request) -> FileResponse:
    """A copy of a remote file, fetched if need be, of a URL that we signed."""
    if request.headers.get("User-Agent", "").startswith(_OTHER_SERVERS):
        # Readers come here, servers go to the origin: two proxies could send each other in circles.
        raise ClientFault("proxy-loop", _("Servers fetch media from where it was published."), status=403)
    url = request.app[MEDIA_URLS].read_proxied(request.match_info["mac"], request.match_info["encoded"])
    if url is None:
        raise _missing()
    copy = await request.app[REMOTE_COPIES].get(url)
    return _answer(copy.path, copy.content_type, max_age_s=_DAY_S)


def _answer(path: Path, content_type: str, *, max_age_s: int) -> FileResponse:
    cache = f"public, max-age={max_age_s}" + (", immutable" if max_age_s == _YEAR_S else "")
    return FileResponse(path, headers={**_HEADERS, "Content-Type": content_type, "Cache-Control": cache})


def _missing() -> ClientFault:
    return ClientFault("not-found", _("Nothing is here."), status=404)
