"""Every page, for the composition root."""

from aiohttp import web

from fedi.web.pages import about, profiles, sign_in, statuses


def routes() -> list[web.RouteDef]:
    return [*about.routes(), *sign_in.routes(), *statuses.routes(), *profiles.routes()]
