"""Answers that are kept and given again: never other than the application's, never longer than they hold."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from fedi.web import keys
from fedi.web.again import ANSWERS, MAX_BYTES
from tests.support.node import Node, open_node

HOME = "/api/v1/timelines/home"
PUBLIC = "/api/v1/timelines/public"
OWN = {"x-request-id", "date", "x-ratelimit-remaining", "x-ratelimit-reset"}  # each answer has its own
AP = {"Accept": "application/activity+json"}


@dataclass
class Heard:
    status: int
    headers: dict[str, str]
    body: bytes

    def same(self) -> tuple[int, dict[str, str], bytes]:
        """What must not depend on who answered."""
        return self.status, {name: value for name, value in self.headers.items() if name not in OWN}, self.body


class Line:
    """One connection, spoken byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, path: str, *, method: str = "GET", version: str = "1.1", body: bytes = b"", **headers: str) -> None:
        lines = [f"{method} {path} HTTP/{version}", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}"] if body else []
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    async def hear(self, *, body: bool = True) -> Heard:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        folded = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:-2])}
        assert len(folded) == len(head) - 3, "a header was sent twice"
        length = int(folded.get("content-length", 0)) if body else 0
        return Heard(int(head[0].split()[1]), folded, await self.reader.readexactly(length))

    async def ask(self, path: str, **more: str) -> Heard:
        self.send(path, **more)
        return await self.hear()


class Given:
    """Counts what the application was spared."""

    def __init__(self, app: web.Application, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        find = app[ANSWERS].find

        def counted(message, peer):
            answer = find(message, peer)
            self.count += answer is not None
            return answer

        monkeypatch.setattr(app[ANSWERS], "find", counted)


@pytest.fixture
def given(api, monkeypatch):
    return Given(api.app, monkeypatch)


@asynccontextmanager
async def line_to(port: int) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


@pytest.fixture
async def line(api):
    async with line_to(api.client.port) as found:
        yield found


def bearer(reader):
    return {"Authorization": f"Bearer {reader.token}"}


async def test_what_is_given_again_is_what_the_application_answers(api, line, given):
    ann = await api.person("ann")
    for text in ("one", "two"):
        await ann.post("/api/v1/statuses", status=text)
    for path, headers in (
        (f"{HOME}?limit=1", bearer(ann)),
        (PUBLIC, {}),
        ("/api/v1/instance", {}),
        ("/api/v2/instance", bearer(ann)),
    ):
        first = await line.ask(path, **headers)
        before = given.count
        again = await line.ask(path, **headers)
        assert given.count == before + 1, path
        assert again.same() == first.same()
        assert again.headers.keys() == first.headers.keys()
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
        assert int(again.headers["x-ratelimit-remaining"]) == int(first.headers["x-ratelimit-remaining"]) - 1


async def test_every_commit_ends_it_and_so_does_the_next_second(api, line, given):
    ann, bob = await api.person("ann"), await api.person("bob")
    await api.follow(ann.id, bob.id)
    assert (await line.ask(HOME, **bearer(ann))).body == b"[]"
    new = await bob.post("/api/v1/statuses", status="x")
    (shown,) = json.loads((await line.ask(HOME, **bearer(ann))).body)
    assert (shown["id"], given.count) == (new["id"], 0)
    await line.ask(HOME, **bearer(ann))
    assert given.count == 1
    api.clock.advance(s=1)
    await line.ask(HOME, **bearer(ann))
    assert given.count == 1


async def test_the_question_holds_who_asks_for_what_and_how(api, line, given):
    ann, bob = await api.person("ann"), await api.person("bob")
    await ann.post("/api/v1/statuses", status="x")
    assert len(json.loads((await line.ask(HOME, **bearer(ann))).body)) == 1
    assert (await line.ask(HOME, **bearer(bob))).body == b"[]"
    assert (await line.ask(HOME)).status == 401
    assert (await line.ask(HOME, Authorization="Bearer wrong")).status == 401
    assert (await line.ask(f"{HOME}?max_id=1", **bearer(ann))).body == b"[]"
    await line.ask(HOME, **bearer(ann), Accept_Language="fr")
    await line.ask(HOME, **bearer(ann), Cookie="lang=ar")
    assert given.count == 0


async def test_a_revoked_token_gets_nothing_more(api, line):
    ann = await api.person("ann")
    assert (await line.ask(HOME, **bearer(ann))).status == 200
    tokens = api.app[keys.TOKENS]
    (app_id,) = await api.db.read(lambda tx: tx.one("SELECT app FROM token WHERE account = :id", id=ann.id))
    await tokens.revoke(ann.token, app=app_id)
    assert (await line.ask(HOME, **bearer(ann))).status == 401


async def test_limits_are_counted_and_kept(api, line, monkeypatch):
    limits = api.app[ANSWERS]._limits
    monkeypatch.setattr(limits, "_lifted", False)
    left = int((await line.ask(PUBLIC)).headers["x-ratelimit-remaining"])
    for expected in range(left - 1, -1, -1):
        assert int((await line.ask(PUBLIC)).headers["x-ratelimit-remaining"]) == expected
    refused = await line.ask(PUBLIC)
    assert refused.status == 429
    assert "retry-after" in refused.headers


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE"])
async def test_other_methods_go_to_the_application(api, line, given, method):
    await line.ask(PUBLIC)
    line.send(PUBLIC, method=method)
    await line.hear(body=method != "HEAD")
    assert given.count == 0


async def test_a_connection_that_is_to_close_is_closed(api, line, given):
    await line.ask(PUBLIC)
    line.send(PUBLIC, Connection="close")
    assert (await line.hear()).status == 200
    assert await line.reader.read() == b""
    assert given.count == 0


async def test_requests_in_pieces_in_rows_and_with_bodies_keep_their_bounds(api, line, given):
    ann = await api.person("ann")
    await line.ask(PUBLIC)
    half = f"GET {PUBLIC} HTTP/1.1\r\nHost: loc".encode()
    line.writer.write(half)
    await line.writer.drain()
    await asyncio.sleep(0)
    line.writer.write(b"alhost\r\n\r\n")
    assert (await line.hear()).body == b"[]"
    assert given.count == 1
    for _ in range(3):  # sent without waiting
        line.send(PUBLIC)
    line.send("/api/v1/custom_emojis")
    line.send(PUBLIC)
    heard = [await line.hear() for _ in range(5)]
    assert [one.body for one in heard] == [b"[]"] * 5
    sneaked = f"GET {PUBLIC} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    body = json.dumps({"status": sneaked}).encode()  # a body is never taken for a request
    line.send("/api/v1/statuses", method="POST", body=body, **bearer(ann), Content_Type="application/json")
    assert json.loads((await line.hear()).body)["content"].startswith("<p>GET ")
    assert len(json.loads((await line.ask(PUBLIC)).body)) == 1
    line.send(PUBLIC, body=b'{"limit": 1}', Content_Type="application/json")
    assert (await line.hear()).status == 200
    line.writer.write(b"nonsense\r\n\r\n")
    assert (await line.hear()).status == 400


async def test_what_is_kept_is_bounded(api, line):
    ann = await api.person("ann")
    for _ in range(10):
        await ann.post("/api/v1/statuses", status="word " * 90)
    answers = api.app[ANSWERS]
    api.app[ANSWERS]._limits._lifted = True
    for number in range(1200):
        await line.ask(f"{PUBLIC}?since_id={number}")
    assert 0 < answers._size_bytes <= MAX_BYTES
    assert len(answers._kept) < 1200


async def test_documents_are_given_again_to_those_who_may_have_them(tmp_path, monkeypatch):
    async with open_node(tmp_path / "open") as node, line_to(port_of(node)) as line:
        await node.add_person("lena")
        host = node.origin.removeprefix("http://")
        monkeypatch.setattr(node.clock, "ms", lambda: 1_800_000_000_500)  # no second ends in between
        for path in (
            "/users/lena",
            f"/.well-known/webfinger?resource=acct:lena@{host}",
            "/.well-known/nodeinfo",
            "/nodeinfo/2.1",
            "/.well-known/host-meta",
        ):
            first, again = await line.ask(path, **AP), await line.ask(path, **AP)
            assert first.status == 200
            assert again.same() == first.same()
            assert again.headers["date"] == "Fri, 15 Jan 2027 08:00:00 GMT"  # the front goes by the instance's clock
        assert (await line.ask("/users/lena", Accept="text/html")).status in {302, 303}

        signed = {**AP, "Signature": 'keyId="https://bad.example/u#key",headers="date",signature="eA=="'}
        assert (await line.ask("/users/lena", **signed)).status == 200
        await node.instance.database.write(
            "refuse",
            lambda tx: node.instance.decisions.decide(
                tx,
                effect="refuse",
                subject="bad.example",
                rule="rules/1",
                reason="spam",
                until_ms=node.clock.ms() + 86_400_000,
                by_role="admin",
                now_ms=node.clock.ms(),
            ),
        )
        for _ in range(3):
            assert (await line.ask("/users/lena", **AP)).status == 200
            assert (await line.ask("/users/lena", **signed)).status == 403


async def test_where_signatures_are_asked_for_no_document_is_kept(tmp_path):
    more = "[federation]\nauthorized_fetch = true\n"
    async with open_node(tmp_path / "strict", more=more) as node, line_to(port_of(node)) as line:
        await node.add_person("lena")
        for _ in range(2):
            heard = await line.ask("/users/lena", **AP)
            assert "summary" not in json.loads(heard.body)
            assert heard.headers["cache-control"] == "max-age=0, private"


def port_of(node: Node) -> int:
    return int(node.origin.rpartition(":")[2])


def test_the_inside_of_a_connection_that_the_front_relies_on():
    for name in ("_messages", "_upgraded", "_paused", "_waiter", "_parser", "_next_keepalive_close_time"):
        assert any(name in vars(kind) for kind in RequestHandler.__mro__), name
    source = inspect.getsource(RequestHandler.data_received)
    assert "self._messages.append" in source
    assert "waiter is not None" in source  # who waits is woken only when there is a waiter
    assert "self._waiter = loop.create_future()" in inspect.getsource(RequestHandler.start)
    assert "message_consumed()" in inspect.getsource(RequestHandler.start)
