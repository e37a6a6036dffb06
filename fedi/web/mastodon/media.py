"""Attachments before they are in a status: upload, wait, describe, drop."""

import math

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.auth.tokens import Caller
from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.ids import MediaId
from fedi.media.uploads import Focus
from fedi.model.media import Media
from fedi.web.callers import require
from fedi.web.entities.media import render_media
from fedi.web.keys import MEDIA_URLS, UPLOADS
from fedi.web.mastodon.answers import answer, not_found, path_id
from fedi.web.mastodon.asked import empty
from fedi.web.params import Params, read_params
from fedi.web.uploaded import count_upload, read_upload, require_file

SCOPE = "write:media"


def setup_routes(app: web.Application) -> None:
    app.router.add_post("/api/v1/media", upload_and_wait)
    app.router.add_post("/api/v2/media", upload)
    app.router.add_get("/api/v1/media/{id}", show)
    app.router.add_put("/api/v1/media/{id}", describe)
    app.router.add_patch("/api/v1/media/{id}", describe)
    app.router.add_delete("/api/v1/media/{id}", drop)


async def upload_and_wait(request: Request) -> Response:
    """v1: the answer always has a ``url``, since some clients never ask again."""
    return await _upload(request, wait=True)


async def upload(request: Request) -> Response:
    """v2: 202 and no ``url`` while a large picture is drawn."""
    return await _upload(request, wait=False)


async def _upload(request: Request, *, wait: bool) -> Response:
    caller = await require(request, SCOPE)
    count_upload(request, caller)
    async with read_upload(request) as params:
        media = await request.app[UPLOADS].add(
            caller.account_id,
            require_file(params).file,
            description=_description(params) or "",
            focus=parse_focus(params.text("focus")),
            wait=wait,
        )
    return _answer(request, media, processing=202)


async def show(request: Request) -> Response:
    """206 while it is drawn, 422 when it could not be."""
    caller = await require(request, SCOPE)
    media = await request.app[UPLOADS].find(caller.account_id, _media_id(request))
    if media is None:
        raise not_found()
    if media.state == "failed":
        raise ClientFault("media-refused", _("This file is not a picture that can be shown, or it is damaged."))
    return _answer(request, media, processing=206)


async def describe(request: Request) -> Response:
    caller: Caller = await require(request, SCOPE)
    params = await read_params(request)
    media = await request.app[UPLOADS].describe(
        caller.account_id,
        _media_id(request),
        description=_description(params),
        focus=parse_focus(params.text("focus")),
    )
    if media is None:
        raise not_found()
    return _answer(request, media, processing=206)


async def drop(request: Request) -> Response:
    caller = await require(request, SCOPE)
    if not await request.app[UPLOADS].drop(caller.account_id, _media_id(request)):
        raise not_found()
    return empty()


def parse_focus(text: str | None) -> Focus | None:
    """``x,y``, each cut to -1 … 1. Raises ``ClientFault`` 422."""
    if text is None or not text.strip():
        return None
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise ClientFault("parameter-invalid", _("A focus is written x,y with numbers from -1 to 1.")) from None
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ClientFault("parameter-invalid", _("A focus is written x,y with numbers from -1 to 1."))
    return max(-1.0, min(1.0, x)), max(-1.0, min(1.0, y))


def _description(params: Params) -> str | None:
    text = params.text("description")
    return None if text is None else text.strip().replace("\0", "")


def _answer(request: Request, media: Media, *, processing: int) -> Response:
    status = processing if media.state == "processing" else 200
    return answer(render_media(media, request.app[MEDIA_URLS]), status=status)


def _media_id(request: Request) -> MediaId:
    return MediaId(path_id(request))
