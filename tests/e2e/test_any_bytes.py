"""Any bytes at any address: the right 4xx in the form of that address, nothing in the log of faults, nothing changed.

Every route of the running application is asked, by strangers and by somebody with a token for everything, with
parameters no app would send; and the port itself with bytes that are hardly HTTP. The numbers are fixed by a seed.
"""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import structlog
from aiohttp import web
from yarl import URL

from fedi.app import build_web
from fedi.auth.scopes import KNOWN
from fedi.outbox.draft import Draft
from fedi.store import oauth
from fedi.store.database import Tx
from fedi.web import federation, front, params
from tests.support.node import Node, open_node
from tests.support.peers import client_session

pytestmark = [
    pytest.mark.e2e,
    # aiohttp leaves the small files of a form that is refused to the collector, which closes them.
    pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile.*:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning"),
]

STRANGE_REQUESTS = 12  # per route and reader
STREAMS = "/api/v1/streaming"  # answers that end with the reader
PARAMETERS = (  # noqa: SIM905 - a hundred quotes
    "access_token account_id account_ids[] all[] any[] attribution_domains[] avatar bot category choices[] client_id "
    "client_name client_secret code code_challenge code_challenge_method code_verifier comment decision description "
    "discoverable display_name duration exclude_reblogs exclude_replies exclude_types[] exclusive expires_in "
    "fields_attributes[0][name] fields_attributes[0][value] file focus following force_login form_token forward "
    "grant_type header home[last_read_id] id[] in_reply_to_id lang language languages[] last_read_id limit list local "
    "locked login max_id media_attributes[][id] media_attributes[][description] media_ids[] min_id multiple next none[] "
    "note notifications notifications[last_read_id] notify offset only_media only_other_accounts page password pinned "
    "poll poll[options][] poll[expires_in] poll[multiple] q quote_approval_policy quoted_status_id reblogs redirect_uri "
    "redirect_uris remote replies_policy resolve resource response_type rule_ids[] scheduled_at scope scopes sensitive "
    "since_id source[language] source[privacy] spoiler_text state status status_ids[] stream tag tagged timeline[] "
    "title token type types[] visibility website with_suspended"
).split()
WORDS = [
    "", " ", "0", "1", "-1", "true", "null", "9" * 18, "9223372036854775807", "9223372036854775808", "9" * 400, "1e999",
    "\x00", "a\x00b", "\u0660\u0661", "\uff11", "\u202eevil", "\ufffe", "\U0010ffff", "<script>alert(1)</script>",
    "javascript:alert(1)", "../../etc/passwd", "%", "%00", "%ed%a0%80", "'; DROP TABLE status --", "{{7*7}}", "#", "#\u200d",
    "@", "@@", "@nobody@", "lena", "@lena", "@lena@localhost", "acct:lena@localhost", "http://[::1", "http://", "https://a@b/",
    "http://127.0.0.1:1/", "urn:ietf:wg:oauth:2.0:oob", "read write", "code", "authorization_code", "client_credentials",
    "public", "direct", "home", "notifications", "user", "list", "hashtag", "en", "zz-ZZ", "\r\nX: y", "x" * 3000,
]  # fmt: skip
VALUES: list[Any] = [
    *WORDS, None, True, False, 0, -1, 2**63, -(2**63) - 1, 10**30, 1.5, 1e308, float("nan"), float("inf"), [], {}, [[]], [{}],
    {"a": {"b": []}}, ["1", 2, None], [None], {"id": "1"}, [{"id": None}], "\ud800", "a\udfffb", ["\ud800"], {"\ud800": 1},
]  # fmt: skip
BODIES = [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b"\x00" * 64, b'{"a":' * 5000, b"a=%", b"a[b]=1&a=2", b"a[][b]=1&a[]=2", b"[=1", b"]=[",
    b"=", b"&" * 2000, b'{"status": "\xed\xa0\x80"}', b'{"limit": 1e400}', b'{"a": ' + b"9" * 5000 + b"}", b"--x\r\n\r\n--x--",
    b'{"poll": 1}', b'{"poll[options]": {}}',
]  # fmt: skip
TYPES = [
    "application/json", "application/json; charset=utf-16", "application/x-www-form-urlencoded", "multipart/form-data",
    "multipart/form-data; boundary=x", "multipart/form-data; boundary=", "application/activity+json", "text/plain", "text/html",
    "application/octet-stream", "a/b; charset=nonsense", "application/ld+json; profile=x", ";", "",
]  # fmt: skip
HEADERS = [
    {}, {"Accept": "application/activity+json"}, {"Accept": "text/html"}, {"Accept": "\u00ff,;q=nan"}, {"Accept-Language": "ar;q=x, *"},
    {"Accept-Language": "x" * 3000}, {"Authorization": "Bearer "}, {"Authorization": "Bearer \u00ff\u00fe"}, {"Authorization": "Basic !!!"},
    {"Authorization": "Basic AAECAw=="}, {"Cookie": "session=\u00ff; form=\u00a0"}, {"Cookie": "=;;; session"}, {"Range": "bytes=9-1"},
    {"If-None-Match": "\u00ff"}, {"If-Modified-Since": "never"}, {"Signature": "x"}, {"Signature": 'keyId="a",signature="b"'},
    {"Signature-Input": "sig1=()", "Signature": "sig1=::"}, {"X-Forwarded-For": "::, x, 1.2.3.4.5"}, {"Host": "\u00ff"},
    {"Origin": "null"}, {"Idempotency-Key": "\u00ff" * 300}, {"Content-Encoding": "gzip"}, {"Content-Encoding": "br"},
    {"Access-Control-Request-Headers": "\u00ff"}, {"Upgrade": "websocket", "Connection": "Upgrade"}, {"Transfer-Encoding": "chunked"},
]  # fmt: skip
SEGMENTS = [
    "1",
    "0",
    "lena",
    "nobody",
    "9" * 18,
    "9" * 30,
    "-1",
    "%00",
    "%ff",
    "%ed%a0%80",
    "%2e%2e",
    "a%2Fb",
    "%F0%9F%92%A9",
    "_",
    "x" * 300,
]


@dataclass(frozen=True, slots=True)
class Place:
    """A route: its method, and its path in pieces, of which some stand for anything."""

    method: str
    path: str

    def filled(self, choose: random.Random, own: list[str]) -> str:
        return re.sub(r"\{[^{}]*\}", lambda _: choose.choice(SEGMENTS + own), self.path)


def list_places(app: web.Application) -> list[Place]:
    found = {}
    for route in app.router.routes():
        resource = route.resource
        assert resource is not None
        shown = resource.canonical
        if not shown.startswith(STREAMS) or shown.endswith("/health"):
            found[route.method, shown] = Place(route.method, shown)
    return list(found.values())


@dataclass
class House:
    node: Node
    places: list[Place]
    token: str
    own: list[str]  # ids of things that are there
    port: int


@pytest.fixture
async def house(tmp_path: Path, database_url: str) -> AsyncIterator[House]:
    """On each engine: what one of them stores, the other may not take."""
    url = database_url if database_url.startswith("postgres") else f"sqlite:{database_url}"
    async with open_node(tmp_path / "node", database=url) as node:
        lena = await node.add_person("lena")
        status = await node.instance.outbox.post(lena.id, Draft(text="Hello #world"))

        async def token(tx: Tx) -> str:
            await oauth.put_app(tx, app_id=7, client_id="c", secret_hash="s", name="app", website=None, redirect_uris=["a:b"],
                                scopes=" ".join(KNOWN), now_ms=1)  # fmt: skip
            return await node.instance.tokens.issue(tx, app=7, account=lena.id, scopes=frozenset(KNOWN))

        app = build_web(node.instance)
        runner = front.Runner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        secret = await node.instance.database.write("test", token)
        port = runner.addresses[0][1]
        yield House(node, list_places(app), secret, [str(lena.id), str(status)], port)
        await runner.cleanup()


@asynccontextmanager
async def no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    with structlog.testing.capture_logs() as events:
        yield
    assert [event for event in events if event.get("log_level") in {"error", "critical"} or event.get("exc_info")] == []
    assert [record.getMessage() for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []


def strange_request(choose: random.Random, place: Place, own: list[str]) -> dict[str, Any]:
    """Arguments of one request."""
    method = (
        place.method
        if choose.random() < 0.9
        else choose.choice(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "BREW"])
    )
    path = place.filled(choose, own)
    names = choose.sample(PARAMETERS, choose.randint(0, 8))
    if choose.random() < 0.5:
        path += "?" + "&".join(f"{quote(name)}={query_value(choose)}" for name in names)
    headers = dict(choose.choice(HEADERS))
    body: bytes | None = None
    if method != "GET" or choose.random() < 0.1:
        kind = choose.random()
        if kind < 0.5:
            body = json.dumps({plain(name): choose.choice(VALUES) for name in names}).encode()
            headers["Content-Type"] = "application/json"
        elif kind < 0.7:
            body = "&".join(f"{quote(name)}={query_value(choose)}" for name in names).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif kind < 0.8:
            body = multipart(choose, names)
            headers["Content-Type"] = "multipart/form-data; boundary=x"
        else:
            body = choose.choice(BODIES)
            headers["Content-Type"] = choose.choice(TYPES)
    return {"method": method, "path": path, "headers": headers, "body": body}


def plain(name: str) -> str:
    return name.partition("[")[0]


def query_value(choose: random.Random) -> str:
    return choose.choice(["%ff", "%ed%a0%80", "%00", quote(choose.choice(WORDS)[:500])])


def multipart(choose: random.Random, names: list[str]) -> bytes:
    parts = []
    for name in names:
        file = choose.choice([b"", b'; filename="x.png"', b'; filename="../\xff"'])
        value = choose.choice(WORDS).encode("utf-8", "surrogatepass")
        parts.append(b'--x\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (name.encode(), file, value))
    return b"".join(parts) + choose.choice([b"--x--\r\n", b"", b"--x"])


async def send(
    session: aiohttp.ClientSession, house: House, request: dict[str, Any]
) -> tuple[int, dict[str, str], bytes]:
    """The answer; status 0 where the connection was closed on what is no HTTP."""
    url = URL(f"http://127.0.0.1:{house.port}{request['path']}", encoded=True)
    headers = {
        name: value.encode().decode("latin-1") if name != "Host" else value
        for name, value in request["headers"].items()
    }
    chunked = headers.pop("Transfer-Encoding", None) is not None
    body = request["body"]

    async def pieces() -> AsyncIterator[bytes]:
        yield body or b""

    try:
        async with (
            asyncio.timeout(20),
            session.request(
                request["method"], url, headers=headers, data=pieces() if chunked else body, allow_redirects=False
            ) as answer,
        ):
            return answer.status, dict(answer.headers), await answer.read()
    except aiohttp.ClientConnectionError:
        return 0, {}, b""


async def count_rows(house: House) -> dict[str, int]:
    listed = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    if house.node.instance.database.engine == "postgres":
        listed = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    return {row[0]: await house.node.value(f"SELECT COUNT(*) FROM {row[0]}") for row in await house.node.rows(listed)}


def check_answer(request: dict[str, Any], status: int, headers: dict[str, str], body: bytes) -> None:
    shown = (request, status, body[:500])
    assert status < 500 or status == 503, shown
    assert b"Traceback" not in body, shown
    path = request["path"].partition("?")[0]
    if status < 400 or request["method"] in {"HEAD", "BREW"}:
        return
    kind = headers.get("Content-Type", "").partition(";")[0]
    if path.startswith(("/api/", "/oauth/token", "/oauth/revoke", "/oauth/userinfo")):
        assert kind == "application/json", shown
        assert json.loads(body)["error"], shown
    elif path.startswith(("/inbox", "/fedi/", "/actor", "/.well-known/", "/nodeinfo/", "/contexts/")):
        assert kind in {"application/problem+json", "application/activity+json"}, shown


async def ask_everywhere(house: House, *, token: str | None, seed: int) -> None:
    choose = random.Random(seed)
    async with client_session() as session:
        for place in house.places:
            for _ in range(STRANGE_REQUESTS):
                request = strange_request(choose, place, house.own)
                if token is not None:
                    request["headers"]["Authorization"] = f"Bearer {token}"
                    request["path"] = request["path"].replace("access_token=", "access_tokens=")
                check_answer(request, *await send(session, house, request))


async def test_strangers_get_4xx_everywhere_and_change_nothing(house, caplog):
    before = await count_rows(house)
    async with no_fault_of_ours(caplog):
        await ask_everywhere(house, token=None, seed=1)
    after = await count_rows(house)
    apps = [table for table in after if "app" in table]  # anybody may register an app
    assert {name: count for name, count in after.items() if name not in apps} == {
        name: count for name, count in before.items() if name not in apps
    }


async def test_an_app_that_sends_nonsense_is_told_so_and_nothing_breaks(house, caplog):
    async with no_fault_of_ours(caplog):
        await ask_everywhere(house, token=house.token, seed=2)


async def test_bytes_that_are_hardly_http_get_4xx_or_silence(house, caplog):
    async with no_fault_of_ours(caplog):
        for sent in hardly_http():
            for leaves in (False, True):
                first = await exchange(house.port, sent, leaves=leaves)
            assert first == b"" or re.match(rb"HTTP/1\.[01] [234]\d\d ", first), (sent[:200], first[:200])
        async with client_session() as session:  # and the server is still there
            assert (await send(session, house, {"method": "GET", "path": "/health", "headers": {}, "body": None}))[
                0
            ] < 500


def hardly_http() -> Iterator[bytes]:
    good = b"Host: local.localhost\r\nConnection: close\r\n\r\n"
    for target in [b"http://other.example/inbox", b"//evil/inbox", b"*", b"\xff", b"/\x00", b"/%", b"/%zz", b"/a" * 5000, b"inbox", b"/?" + b"a=1&" * 1000,
                   b"/api/v1/timelines/public?a[", b"/users/lena#x", b"/users/lena;x", b"/users//lena", b"/./inbox", b"/inbox/../users/lena",
                   b"http://[::1", b"/users/%6cena", b"/@lena/%31"]:  # fmt: skip
        for method in (b"GET", b"POST", b"OPTIONS", b"TRACE", b"CONNECT", b"g\xc3\xa9t", b""):
            yield b"%b %b HTTP/1.1\r\n%b" % (method, target, good)
    for line in [
        b"GET / HTTP/1.0",
        b"GET / HTTP/0.9",
        b"GET / HTTP/2.0",
        b"GET /",
        b"PRI * HTTP/2.0",
        b"GET / HTTP/1.1 x",
        b"\x16\x03\x01",
    ]:
        yield line + b"\r\n" + good
    post = b"POST /inbox HTTP/1.1\r\nHost: local.localhost\r\nConnection: close\r\nContent-Type: application/activity+json\r\n"
    yield post + b"Content-Length: -1\r\n\r\n{}"
    yield post + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
    yield post + b"Content-Length: 99999999999999999999\r\n\r\n{}"
    yield post + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    yield post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"
    yield post + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"x" * 9000 + b"\r\n{}\r\n0\r\n\r\n"
    yield post + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    yield post + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nSignature: x\r\n\r\n"
    yield post + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"
    yield post + b"Content-Encoding: deflate\r\nContent-Length: 2\r\n\r\n{}"
    yield post + b"Content-Length: 1000\r\n\r\n{"
    yield post + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{"
    yield post.replace(b"inbox", b"api/v1/apps") + b"Content-Length: 1000\r\n\r\n{"
    yield post.replace(b"inbox", b"oauth/token").replace(
        b"application/activity+json", b"multipart/form-data; boundary=x"
    ) + (b'Content-Length: 1000\r\n\r\n--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n')
    yield post + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}"
    yield post + b"Expect: nonsense\r\nContent-Length: 2\r\n\r\n{}"
    yield b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + good
    yield b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n" + good
    yield b"GET / HTTP/1.1\r\nX\x00: y\r\n" + good
    yield b"GET / HTTP/1.1\r\nX: \x00y\r\n" + good
    yield b"GET / HTTP/1.1\r\n folded: y\r\n" + good
    yield b"GET /api/v1/streaming HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 1\r\n" + good
    choose = random.Random(3)
    for _ in range(50):
        yield choose.randbytes(choose.randint(1, 300)) + b"\r\n\r\n"


async def exchange(port: int, sent: bytes, *, leaves: bool) -> bytes:
    """What the server says to it; ``leaves``: the other end does not wait for that. Silence is an answer, too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        if leaves:
            writer.write_eof()
        async with asyncio.timeout(0.5):
            return await reader.read(1 << 20)
    except (ConnectionError, TimeoutError):
        return b""
    finally:
        writer.close()


async def test_who_is_too_slow_is_let_go(house, monkeypatch):
    monkeypatch.setattr(front, "FIRST_REQUEST_S", 0.05)
    monkeypatch.setattr(federation, "BODY_S", 0.05)
    monkeypatch.setattr(params, "BODY_S", 0.05)
    assert await first_line(house.port, b"") == b""
    assert await first_line(house.port, b"GET / HTTP/1.1\r\nHost: x\r\nX: ") == b""
    for path, kind in (("/inbox", "application/activity+json"), ("/api/v1/apps", "application/json")):
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: 9\r\n\r\n{{"
        assert (await first_line(house.port, head.encode())).startswith(b"HTTP/1.1 408 ")


async def first_line(port: int, sent: bytes) -> bytes:
    """What the server says by itself; nothing if it ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        async with asyncio.timeout(10):
            return await reader.readline()
    finally:
        writer.close()
