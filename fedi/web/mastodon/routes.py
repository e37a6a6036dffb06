"""Every route of the Mastodon API: each module beside this one adds its own."""

from aiohttp import web

from fedi.web.mastodon import (
    context,
    interactions,
    polls,
    search,
    statuses,
    streaming,
    timelines,
)


def setup_routes(app: web.Application) -> None:
    for module in (statuses, context, interactions, polls, timelines, search, streaming):
        module.setup_routes(app)
