"""The outermost end of a connection: what is kept is given again without the application seeing the request.

The request is parsed and delimited as ever; only what would follow (a task, the router, the layers, an answer made of
headers) is spared. Whatever is unusual goes on to the application: see :mod:`fedi.web.again` for what is kept.
"""

from asyncio import AbstractEventLoop, BaseTransport, TimerHandle
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http import HttpVersion11
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web import BaseRequest, StreamResponse
from aiohttp.web_protocol import RequestHandler

from fedi.web.again import ANSWERS, Answers
from fedi.web.errors import render_unreadable

FIRST_REQUEST_S = 60  # until the head of a connection's first request is there

log = structlog.get_logger("fedi.web")


class Connection(RequestHandler):
    """aiohttp's connection. This class is all that knows its inside; ``test_front.py`` pins it."""

    __slots__ = ("_answers", "_patience", "_peer")

    def __init__(self, server: "Server", *, loop: AbstractEventLoop, **settings: Any) -> None:
        super().__init__(server, loop=loop, **settings)
        self._answers = server.answers
        self._peer: str | None = None
        self._patience: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._patience = self._loop.call_later(FIRST_REQUEST_S, self._end_if_silent)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def _end_if_silent(self) -> None:
        """Later ones end by the time that connections are kept alive; aiohttp would wait for the first for ever."""
        if self._request_count == 0:
            self.force_close()

    def data_received(self, data: bytes) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done() or self._messages or self._upgraded or self._paused:
            super().data_received(data)  # a request is on its way, or the client does not read
            return
        self._waiter = None  # so that nobody wakes up before we have looked
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        if not self._messages or (len(self._messages) == 1 and self._is_given_again()):
            return
        waiter.set_result(None)

    def _is_given_again(self) -> bool:
        message, payload = self._messages[0]
        if not isinstance(message, RawRequestMessage) or payload is not EMPTY_PAYLOAD:
            return False
        if message.method != "GET" or message.should_close or message.version != HttpVersion11 or message.upgrade:
            return False
        if "Expect" in message.headers:
            return False
        answer = self._answers.find(message, self._address())
        if answer is None:
            return False
        assert self._parser is not None
        assert self.transport is not None
        self._messages.clear()
        self._parser.message_consumed()
        self.transport.write(answer)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        return True

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> StreamResponse:
        """What is no HTTP gets its 400, and one line in the log: whoever scans the port writes no traces there."""
        has_left = isinstance(exc, ConnectionResetError)
        if not has_left and (status >= 500 or request.writer.output_size > 0):
            return super().handle_error(request, status, exc, message)
        log.info("unreadable", detail=f"{type(exc).__name__}: {message or ''}"[:200])
        response = render_unreadable(400 if has_left else status)
        response.force_close()
        return response

    def _address(self) -> str:
        if self._peer is None:
            name = self.peername
            self._peer = str(name[0]) if isinstance(name, tuple) else ""
        return self._peer


class Server(web.Server):
    """Bodies come to the application as they were sent: nobody makes us inflate them."""

    def __init__(self, of: web.Server, answers: Answers) -> None:
        settings = {**of._kwargs, "auto_decompress": False}  # noqa: SLF001 - its settings
        super().__init__(of.request_handler, request_factory=of.request_factory, **settings)
        self.answers = answers

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Serves an application with its kept answers in front."""

    async def _make_server(self) -> web.Server:
        return Server(await super()._make_server(), self.app[ANSWERS])
