"""Custom emoji of this server, for pickers."""

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.store import emojis
from fedi.web.entities.media import custom_emoji_value
from fedi.web.keys import DATABASE, MEDIA_URLS
from fedi.web.mastodon.answers import answer_value


def setup_routes(app: web.Application) -> None:
    app.router.add_get("/api/v1/custom_emojis", list_emojis)


async def list_emojis(request: Request) -> Response:
    found = await request.app[DATABASE].read(emojis.list_local)
    return answer_value([custom_emoji_value(emoji, request.app[MEDIA_URLS]) for emoji in found])
