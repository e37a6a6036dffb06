"""Streaming, in the three dialects that apps speak: one stream per socket, many on one socket, server-sent events.

Events carry ids. What a listener is sent is read again for its viewer, by the same reading as the timelines.
"""

import asyncio
from typing import Any

import msgspec
from aiohttp import WSMsgType, web
from aiohttp.web import Request, Response, StreamResponse, WebSocketResponse

from fedi.auth.tokens import Grant
from fedi.errors import ClientFault, Problem
from fedi.i18n import _
from fedi.streaming.hub import STATUSES, Subscription, to_account
from fedi.web.callers import bearer_of, caller_from
from fedi.web.keys import HUB, TOKENS
from fedi.web.locale import translator_of
from fedi.web.mastodon.streams import Frame, Watcher, parse_stream, scopes_of

PING_S = 30
THUMP_S = 15
MOST_STREAMS = 50  # on one socket
MAX_MESSAGE_BYTES = 4096


def setup_routes(app: web.Application) -> None:
    app.router.add_get("/api/v1/streaming", socket)
    app.router.add_get("/api/v1/streaming/", socket)
    app.router.add_get("/api/v1/streaming/health", health)
    for path, name in _EVENT_PATHS.items():
        app.router.add_get(f"/api/v1/streaming/{path}", _event_source(name))
    app.on_shutdown.append(_end_streams)


async def _end_streams(app: web.Application) -> None:
    """Or a process that is told to stop would wait for every reader to leave."""
    app[HUB].close()


# The paths of the third dialect and the names of their streams.
_EVENT_PATHS = {
    "user": "user",
    "user/notification": "user:notification",
    "public": "public",
    "public/local": "public:local",
    "public/remote": "public:remote",
    "hashtag": "hashtag",
    "hashtag/local": "hashtag:local",
    "list": "list",
    "direct": "direct",
}


async def health(_request: Request) -> Response:
    return Response(text="OK")


# WebSocket ----------------------------------------------------------------------------------------------------


async def socket(request: Request) -> StreamResponse:
    """``stream`` in the query subscribes at once; ``{"type": "subscribe", …}`` at any time."""
    offered = [part.strip() for part in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if part.strip()]
    secret = bearer_of(request) or (offered[0] if offered else None)
    grant = None if secret is None else await request.app[TOKENS].find(secret)
    caller = caller_from(grant, request)
    assert secret is not None
    # Chrome closes a socket that does not echo what it offered.
    ws = WebSocketResponse(protocols=offered[:1], heartbeat=PING_S, max_msg_size=MAX_MESSAGE_BYTES)
    if not ws.can_prepare(request):
        raise ClientFault("no-websocket", _("This address speaks WebSocket."), status=400)
    watcher = Watcher(request.app, caller.account_id)
    with request.app[HUB].subscribe(STATUSES, to_account(caller.account_id)) as events:
        await ws.prepare(request)
        if name := request.query.get("stream"):
            await _subscribe(request, ws, watcher, secret, dict(request.query) | {"stream": name})
        sending = asyncio.create_task(_send(request, ws, watcher, secret, events))
        try:
            await _listen(request, ws, watcher, secret)
        finally:
            events.close()
            await sending
    return ws


async def _listen(request: Request, ws: WebSocketResponse, watcher: Watcher, secret: str) -> None:
    async for message in ws:
        if message.type is not WSMsgType.TEXT:
            continue
        try:
            asked = msgspec.json.decode(message.data)
        except msgspec.DecodeError:
            continue
        if not isinstance(asked, dict):
            continue
        match asked.get("type"):
            case "subscribe":
                await _subscribe(request, ws, watcher, secret, asked)
            case "unsubscribe":
                await _subscribe(request, ws, watcher, secret, asked, leaving=True)


async def _subscribe(
    request: Request,
    ws: WebSocketResponse,
    watcher: Watcher,
    secret: str,
    asked: dict[str, Any],
    *,
    leaving: bool = False,
) -> None:
    """A refusal is told on the socket, which stays open."""
    try:
        stream = parse_stream(asked)
        if leaving:
            watcher.streams.pop(stream, None)
            return
        grant = await request.app[TOKENS].find(secret)
        caller_from(grant, request, *scopes_of(stream))
        if len(watcher.streams) >= MOST_STREAMS:
            raise ClientFault("too-many-streams", _("Too many streams on one connection."))
        await watcher.add(stream)
    except Problem as problem:
        status = 401 if problem.status == 403 else problem.status
        await _say(ws, {"error": translator_of(request).problem(problem), "status": status})


async def _say(ws: WebSocketResponse, value: dict[str, Any]) -> None:
    try:
        await ws.send_str(msgspec.json.encode(value).decode())
    except ConnectionResetError:
        pass  # the reading side notices, and ends


async def _send(request: Request, ws: WebSocketResponse, watcher: Watcher, secret: str, events: Subscription) -> None:
    """Until the socket or the hub closes, or the token is revoked."""
    guard = asyncio.create_task(_close_when_revoked(request, secret, events))
    try:
        async for event in events:
            for frame in await watcher.frames(event):
                if not await _is_valid(request, secret):
                    return
                await _say(ws, _message(frame))
    finally:
        guard.cancel()
        await ws.close()


def _message(frame: Frame) -> dict[str, Any]:
    value: dict[str, Any] = {"stream": frame.stream.label(), "event": frame.kind}
    if frame.payload is not None:
        value["payload"] = frame.payload.decode()
    return value


async def _is_valid(request: Request, secret: str) -> bool:
    grant: Grant | None = await request.app[TOKENS].find(secret)
    return grant is not None


async def _close_when_revoked(request: Request, secret: str, events: Subscription) -> None:
    """A quiet stream ends too, when its token does."""
    while True:
        await asyncio.sleep(PING_S)
        if not await _is_valid(request, secret):
            events.close()
            return


# Server-sent events -------------------------------------------------------------------------------------------


def _event_source(name: str) -> Any:
    async def handler(request: Request) -> StreamResponse:
        secret = bearer_of(request)
        grant = None if secret is None else await request.app[TOKENS].find(secret)
        stream = parse_stream(_asked_of(request, name))
        caller = caller_from(grant, request, *scopes_of(stream))
        assert secret is not None
        watcher = Watcher(request.app, caller.account_id)
        await watcher.add(stream)
        return await _serve_events(request, watcher, secret)

    return handler


def _asked_of(request: Request, name: str) -> dict[str, Any]:
    only_media = request.query.get("only_media", "") in {"true", "1"}
    return dict(request.query) | {"stream": f"{name}:media" if only_media and name.startswith("public") else name}


async def _serve_events(request: Request, watcher: Watcher, secret: str) -> StreamResponse:
    headers = {"Content-Type": "text/event-stream", "Cache-Control": "private, no-store", "X-Accel-Buffering": "no"}
    response = StreamResponse(headers=headers)
    with request.app[HUB].subscribe(STATUSES, to_account(watcher.viewer)) as events:
        await response.prepare(request)
        thumps = asyncio.create_task(_thump(response, events))
        guard = asyncio.create_task(_close_when_revoked(request, secret, events))
        try:
            async for event in events:
                for frame in await watcher.frames(event):
                    if not await _is_valid(request, secret):
                        return response
                    data = frame.payload if frame.payload is not None else b"undefined"
                    await response.write(b"event: %b\ndata: %b\n\n" % (frame.kind.encode(), data))
        except ConnectionResetError:
            pass
        finally:
            thumps.cancel()
            guard.cancel()
    return response


async def _thump(response: StreamResponse, events: Subscription) -> None:
    """So that proxies and clients know the connection to be alive; a broken one is noticed here."""
    try:
        await response.write(b":)\n")
        while True:
            await asyncio.sleep(THUMP_S)
            await response.write(b":thump\n")
    except ConnectionResetError:
        events.close()
