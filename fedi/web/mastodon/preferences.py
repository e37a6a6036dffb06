"""Posting defaults and reading preferences. Their names have colons in them."""

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.store import users
from fedi.web.callers import require
from fedi.web.keys import DATABASE
from fedi.web.mastodon.answers import answer_value


def setup_routes(app: web.Application) -> None:
    app.router.add_get("/api/v1/preferences", show_preferences)


async def show_preferences(request: Request) -> Response:
    caller = await require(request, "read:accounts")
    user = await request.app[DATABASE].read_now(lambda tx: users.find_user(tx, caller.account_id))
    assert user is not None, "a token of somebody who cannot sign in"
    settings = user.settings
    return answer_value({
        "posting:default:visibility": settings.visibility,
        "posting:default:sensitive": settings.sensitive,
        "posting:default:language": settings.language,
        "posting:default:quote_policy": settings.quote_policy,
        "reading:expand:media": settings.expand_media,
        "reading:expand:spoilers": settings.expand_spoilers,
        "reading:autoplay:gifs": settings.autoplay_gifs,
    })  # fmt: skip
