"""Something in between: forwards every request to a server behind it, and shows, refuses or changes what passes.

tap = await Tap.start(port, server_port)       # others call the server at ``port``
tap.passed[-1].received.activity               # newest last, with the answer that the server gave
tap.refuse = lambda got: 401 if got.header("Signature-Input") else None
tap.change_body = lambda body: body.replace(b"tea", b"gin")
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

from tests.support.peers import Received

_OWN = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A request and how it was answered; ``refused`` by the tap itself, the server never saw it."""

    received: Received
    status: int
    body: bytes
    refused: bool

    @property
    def scheme(self) -> str | None:
        """Which kind of HTTP signature it carried."""
        if self.received.header("Signature-Input"):
            return "rfc9421"
        return "cavage" if self.received.header("Signature") else None


class Tap:
    """Use ``start`` and ``stop``. ``refuse`` gives a status to answer with instead of forwarding, or None."""

    def __init__(self, port: int, server_port: int) -> None:
        self.passed: list[Passed] = []
        self.refuse: Callable[[Received], int | None] = lambda _got: None
        self.change_body: Callable[[bytes], bytes] = lambda body: body
        self._port = port
        self._server = f"http://127.0.0.1:{server_port}"
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    async def start(cls, port: int, server_port: int) -> Self:
        tap = cls(port, server_port)
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{tail:.*}", tap._pass)
        tap._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )
        tap._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await tap._runner.setup()
        await web.TCPSite(tap._runner, "127.0.0.1", port).start()
        return tap

    async def stop(self) -> None:
        if self._runner is not None and self._session is not None:
            await self._runner.cleanup()
            await self._session.close()

    def as_usual(self) -> None:
        """Forwards everything unchanged again, and forgets what passed."""
        self.passed.clear()
        self.refuse = lambda _got: None
        self.change_body = lambda body: body

    def posts(self, kind: str | None = None) -> list[Passed]:
        """Activities that came, of one type if named."""
        return [
            one
            for one in self.passed
            if one.received.method == "POST"
            and one.received.path.endswith("inbox")
            and (kind is None or one.received.activity["type"] == kind)
        ]

    async def _pass(self, request: web.Request) -> web.Response:
        got = Received(
            method=request.method,
            path=request.raw_path,
            headers=list(request.headers.items()),
            body=await request.read(),
            origin=f"http://{request.headers.get('Host', '')}",
        )
        status = self.refuse(got)
        if status is not None:
            self.passed.append(Passed(received=got, status=status, body=b"", refused=True))
            return web.Response(status=status)
        try:
            return await self._forward(got)
        except aiohttp.ClientConnectionError:
            return web.Response(status=502)

    async def _forward(self, got: Received) -> web.Response:
        assert self._session is not None
        headers = [(name, value) for name, value in got.headers if name.lower() not in _OWN]
        headers += [(name, value) for name, value in got.headers if name.lower() == "date"]  # it is signed
        async with self._session.request(
            got.method,
            URL(self._server + got.path, encoded=True),
            headers=headers,
            data=self.change_body(got.body) or None,
            allow_redirects=False,
        ) as answer:
            body = await answer.read()
            self.passed.append(Passed(received=got, status=answer.status, body=body, refused=False))
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _OWN]
            return web.Response(status=answer.status, body=body, headers=kept)
