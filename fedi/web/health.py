"""Whether the process lives and whether it can serve, for proxies and orchestrators."""

from aiohttp import web

from fedi.store.health import ping
from fedi.web.keys import DATABASE


def routes() -> list[web.RouteDef]:
    return [
        web.get("/livez", show_life),
        web.get("/readyz", show_readiness),
        web.get("/health", show_life),  # the name some clients ask for
    ]


async def show_life(_request: web.Request) -> web.Response:
    """200 while the loop turns: nobody should kill a process for being busy."""
    return web.Response(text="OK")


async def show_readiness(request: web.Request) -> web.Response:
    """200 when the database answers; an exception on the way becomes the 500 it deserves."""
    await request.app[DATABASE].read(ping)
    return web.json_response({"state": "ready"})
