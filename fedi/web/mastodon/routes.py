"""Every route of the Mastodon API, and what its answers link to: each module adds its own."""

from aiohttp import web

from fedi.web import decisions, placeholders
from fedi.web.mastodon import (
    accounts,
    announcements,
    context,
    emojis,
    filters,
    grouped_notifications,
    instance,
    interactions,
    lists,
    markers,
    media,
    notifications,
    polls,
    preferences,
    profile,
    relationships,
    reports,
    search,
    statuses,
    streaming,
    timelines,
)

# The router tries the routes that begin alike one after the other: posting comes before what is done to a post.
MODULES = (
    statuses,
    accounts, announcements, context, emojis, filters, grouped_notifications, instance, interactions, lists, markers, media, notifications,
    polls, preferences, profile, relationships, reports, search, streaming, timelines,
    decisions, placeholders,
)  # fmt: skip


def setup_routes(app: web.Application) -> None:
    for module in MODULES:
        module.setup_routes(app)
