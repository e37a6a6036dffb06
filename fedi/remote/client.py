"""The only door to other servers: federation, media, previews and push all leave through here.

Every address is judged when the socket is made, every redirect by hand, every answer is bounded in bytes and time.
Answers with any status come back as a :class:`Response`; what cannot be answered is :class:`Unreachable` (try
later), what must not be asked or breaks a rule is a :class:`PeerFault`.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from fedi import guard
from fedi.activitypub.urls import STRICT, UrlRules, check_url, is_loopback_host, wire_url
from fedi.activitypub.urls import host as host_of
from fedi.errors import PeerFault, Unreachable
from fedi.remote.addresses import may_connect

ACTIVITY_JSON = "application/activity+json"
AS2_PROFILE = "https://www.w3.org/ns/activitystreams"
ACCEPT_DOCUMENT = f'{ACTIVITY_JSON}, application/ld+json; profile="{AS2_PROFILE}"'

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK_BYTES = 64 * 1024
_POST_ANSWER_BYTES = 64 * 1024

_T = TypeVar("_T")

Sign = Callable[[str, str, bytes], Mapping[str, str]]
"""``(method, url, body) -> headers``: called once for every hop, with the URL exactly as it goes on the wire."""

Sink = Callable[[bytes], object]
"""Takes a download chunk by chunk, such as ``file.write``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Seconds: until connected, between two reads, and for the whole with all its redirects."""

    connect_s: float = 5
    read_s: float = 10
    total_s: float = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer. ``final_url`` is the one that gave it, after redirects; header names are in any case."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    final_url: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """How a download went. Nothing was written to the sink unless ``status`` is 2xx."""

    status: int
    headers: CIMultiDictProxy[str]
    final_url: str
    size_bytes: int


class AddressRefusedError(OSError):
    """A socket to a private or special address was asked for. One text for all, so that one stands for many."""

    def __init__(self) -> None:
        super().__init__("address refused")


class RemoteClient:
    """Asks other servers. Make it inside the running loop and close it, or use it with ``async with``.

    ``allow_loopback`` is for test instances: http and any port among ``localhost``, ``*.localhost``, 127.0.0.0/8
    and ``[::1]``. ``resolver`` and ``tls`` replace the system's name look-up and trust store.
    """

    def __init__(
        self,
        *,
        public_host: str,
        version: str,
        allow_loopback: bool = False,
        rules: UrlRules = STRICT,
        deadlines: Deadlines = Deadlines(),
        cap_bytes: int = 1024 * 1024,
        max_redirects: int = 3,
        connections: int = 200,
        connections_per_host: int = 8,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = UrlRules(allow_http_loopback=allow_loopback or rules.allow_http_loopback, ports=rules.ports)
        self._allow_loopback = self._rules.allow_http_loopback
        self._deadlines = deadlines
        self._cap_bytes = cap_bytes
        self._max_redirects = max_redirects
        self._resolver = _Resolver(resolver or aiohttp.ThreadedResolver(), allow_loopback=self._allow_loopback)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections,
                limit_per_host=connections_per_host,
                resolver=self._resolver,
                socket_factory=self._make_socket,
                ssl=tls or True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"fedi/{version}; +https://{public_host}/"},
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._session.close()
        await self._resolver.close()

    async def get(
        self,
        url: str,
        *,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
        sign: Sign | None = None,
        cap_bytes: int | None = None,
        deadlines: Deadlines | None = None,
    ) -> Response:
        """GET with redirects. Raises :class:`Unreachable` and :class:`PeerFault`; see the module."""
        cap = cap_bytes or self._cap_bytes

        async def read(answer: aiohttp.ClientResponse, final_url: str) -> Response:
            return _response(answer, final_url, await _read_body(answer, cap))

        return await self._get(url, {**(headers or {}), "Accept": accept}, sign, deadlines, read)

    async def get_document(self, url: str, *, sign: Sign | None = None) -> Response:
        """GET of an ActivityPub document. A 2xx answer of any other type is :class:`PeerFault` ``not-activitypub``:
        otherwise whoever may upload a file could speak for its host (CVE-2024-25623)."""
        response = await self.get(url, accept=ACCEPT_DOCUMENT, sign=sign)
        if response.ok and not is_document_type(response.headers.get("Content-Type", "")):
            raise PeerFault("not-activitypub", internal=f"{url}: {response.headers.get('Content-Type', '')[:100]!r}")
        return response

    async def download(
        self,
        url: str,
        sink: Sink,
        *,
        cap_bytes: int,
        accept: str = "*/*",
        sign: Sign | None = None,
        deadlines: Deadlines | None = None,
    ) -> Download:
        """GET whose body goes to ``sink``. Over ``cap_bytes``: :class:`PeerFault` ``response-too-large``, and the
        sink holds what had come so far."""

        async def read(answer: aiohttp.ClientResponse, final_url: str) -> Download:
            size_bytes = 0
            if 200 <= answer.status < 300:
                _refuse_announced_size(answer, cap_bytes)
                async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
                    size_bytes += len(chunk)
                    if size_bytes > cap_bytes:
                        raise _too_large(answer)
                    sink(chunk)
            return Download(status=answer.status, headers=answer.headers, final_url=final_url, size_bytes=size_bytes)

        return await self._get(url, {"Accept": accept}, sign, deadlines, read)

    async def post(
        self,
        url: str,
        *,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        sign: Sign | None = None,
        timeout_s: float = 30,
    ) -> Response:
        """POST, by default of an activity. Redirects are not followed; the answer's body is cut at 64 KiB."""
        guard.refuse_network()
        deadlines = Deadlines(connect_s=self._deadlines.connect_s, read_s=timeout_s, total_s=timeout_s)
        target = self._checked(url)
        sent = CIMultiDict({"Content-Type": ACTIVITY_JSON, **(headers or {})})
        if sign is not None:
            sent.update(sign("POST", target, body))
        async with _one_deadline(target, deadlines), self._ask("POST", target, sent, deadlines, body) as answer:
            return _response(answer, target, await _read_at_most(answer, _POST_ANSWER_BYTES))

    async def _get(
        self,
        url: str,
        headers: Mapping[str, str],
        sign: Sign | None,
        deadlines: Deadlines | None,
        read: Callable[[aiohttp.ClientResponse, str], Awaitable[_T]],
    ) -> _T:
        guard.refuse_network()
        deadlines = deadlines or self._deadlines
        target = self._checked(url)
        visited: set[str] = set()
        async with _one_deadline(target, deadlines):
            while True:
                visited.add(target)
                sent = CIMultiDict(headers)
                if sign is not None:
                    sent.update(sign("GET", target, b""))
                async with self._ask("GET", target, sent, deadlines) as answer:
                    if answer.status not in _REDIRECTS:
                        return await read(answer, target)
                    target = self._next_hop(target, answer.headers.get("Location"), visited)

    def _ask(
        self, method: str, target: str, headers: Mapping[str, str], deadlines: Deadlines, body: bytes | None = None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        try:
            url = URL(target, encoded=True)  # unencoded, yarl would rewrite escapes that are already signed
        except ValueError as wrong:
            raise PeerFault("bad-url", internal=f"{target[:200]!r}: {wrong}") from wrong
        return self._session.request(
            method,
            url,
            headers=headers,
            data=body,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=deadlines.connect_s, sock_read=deadlines.read_s, ceil_threshold=60
            ),
        )

    def _checked(self, url: str) -> str:
        check_url(url, self._rules)
        return wire_url(url)

    def _next_hop(self, target: str, location: str | None, visited: set[str]) -> str:
        if location is None:
            raise PeerFault("bad-redirect", internal=f"{target}: no Location")
        if len(visited) > self._max_redirects:
            raise PeerFault("bad-redirect", internal=f"{target}: more than {self._max_redirects}")
        try:
            onward = self._checked(urljoin(target, location))
        except (ValueError, PeerFault) as wrong:
            raise PeerFault("bad-redirect", internal=f"{target} to {location[:200]!r}") from wrong
        if onward in visited:
            raise PeerFault("bad-redirect", internal=f"{onward}: visited before")
        return onward

    def _make_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if not may_connect(address[0], allow_loopback=self._allow_loopback):
            raise AddressRefusedError
        return socket.socket(family=family, type=kind, proto=protocol)


class _Resolver(AbstractResolver):
    """Asks the system, except that ``*.localhost`` is this machine (RFC 6761), which not every system knows."""

    def __init__(self, system: AbstractResolver, *, allow_loopback: bool) -> None:
        self._system = system
        self._allow_loopback = allow_loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if self._allow_loopback and is_loopback_host(host):
            return [
                ResolveResult(
                    hostname=host,
                    host="127.0.0.1",
                    port=port,
                    family=socket.AF_INET,
                    proto=socket.IPPROTO_TCP,
                    flags=socket.AI_NUMERICHOST,
                )
            ]
        return await self._system.resolve(host, port, family)

    async def close(self) -> None:
        await self._system.close()


@lru_cache(maxsize=256)  # asked of every activity, and there are a handful of spellings
def is_document_type(content_type: str) -> bool:
    """Whether a Content-Type is one of the two of ActivityPub (section 3.2)."""
    message = Message()
    message["Content-Type"] = content_type
    kind = message.get_content_type()
    if kind == ACTIVITY_JSON:
        return True
    return kind == "application/ld+json" and AS2_PROFILE in str(message.get_param("profile", "")).split()


@asynccontextmanager
async def _one_deadline(target: str, deadlines: Deadlines) -> AsyncIterator[None]:
    """One clock for everything inside, and one translation of what may go wrong there."""
    host = host_of(target)
    try:
        async with asyncio.timeout(deadlines.total_s):
            yield
    except TimeoutError as late:
        raise Unreachable(host, "timed out") from late
    except aiohttp.InvalidURL as wrong:
        raise PeerFault("bad-url", internal=str(wrong)) from wrong
    except aiohttp.ClientConnectorError as failed:
        if isinstance(failed.os_error, AddressRefusedError):
            raise PeerFault("address-refused", internal=host) from failed
        raise Unreachable(host, str(failed)) from failed
    except (aiohttp.ClientError, ConnectionError, ssl.SSLError) as failed:  # not OSError: a sink may meet a full disk
        raise Unreachable(host, f"{type(failed).__name__}: {failed}") from failed


def _response(answer: aiohttp.ClientResponse, final_url: str, body: bytes) -> Response:
    return Response(status=answer.status, headers=answer.headers, body=body, final_url=final_url)


async def _read_body(answer: aiohttp.ClientResponse, cap_bytes: int) -> bytes:
    _refuse_announced_size(answer, cap_bytes)
    body = await _read_at_most(answer, cap_bytes + 1)
    if len(body) > cap_bytes:
        raise _too_large(answer)
    return body


async def _read_at_most(answer: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    """The decoded body, cut at ``limit_bytes``; the connection is dropped if more would come."""
    body = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) >= limit_bytes:
            answer.close()
            break
    return bytes(body[:limit_bytes])


def _refuse_announced_size(answer: aiohttp.ClientResponse, cap_bytes: int) -> None:
    if answer.content_length is not None and answer.content_length > cap_bytes:
        raise _too_large(answer)


def _too_large(answer: aiohttp.ClientResponse) -> PeerFault:
    answer.close()
    return PeerFault("response-too-large", internal=str(answer.url))
