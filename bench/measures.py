"""What is measured, one function each. Every function gets a fresh instance and returns one row of figures."""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from bench.instance import BenchInstance, free_port
from bench.load import Result, blast, get, post
from bench.seeding import seed
from fedi.activitypub.httpsig import sign_request
from fedi.activitypub.keys import SigningKey, generate_rsa, load_signing_key

Row = dict[str, Any]
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
WORDS = "The weather over the harbour was kind today and we talked for hours about boats and bread. " * 8


class _Letterbox(asyncio.Protocol):
    """Takes whatever is posted with a 202 and as little work as that can be: measured is the sender."""

    def __init__(self, peer: "Peer") -> None:
        self.peer = peer
        self.buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            length = bytes(self.buffer[:end]).lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            whole = end + 4 + int(length)
            if len(self.buffer) < whole:
                return
            del self.buffer[:whole]
            self.peer.received += 1
            self.transport.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")


class Peer:
    """Other servers, in a thread of their own: serve their actors, and swallow whatever is delivered to them.

    Actors are spread over ``hosts`` names of this machine.
    """

    def __init__(self, actors: int, hosts: int = 1) -> None:
        self.port, self.inbox_port = free_port(), free_port()
        self.origins = [f"http://{f'h{n}.' if n else ''}localhost:{self.port}" for n in range(hosts)]
        self.received = 0
        pair = generate_rsa()  # one key for all: what is measured is our side
        self.public_pem = pair.public_pem
        self.keys = [load_signing_key(pair.private_pem, id=f"{self.actor(n)}#main-key") for n in range(actors)]

    def origin(self, n: int) -> str:
        return self.origins[n % len(self.origins)]

    def actor(self, n: int) -> str:
        return f"{self.origin(n)}/users/u{n}"

    def document(self, n: int) -> dict[str, Any]:
        actor = self.actor(n)
        return {
            "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"],
            "id": actor,
            "type": "Person",
            "preferredUsername": f"u{n}",
            "name": f"User {n}",
            "inbox": f"{actor}/inbox".replace(f":{self.port}/", f":{self.inbox_port}/"),
            "outbox": f"{actor}/outbox",
            "followers": f"{actor}/followers",
            "url": f"{self.origin(n)}/@u{n}",
            "publicKey": {"id": f"{actor}#main-key", "owner": actor, "publicKeyPem": self.public_pem},
        }

    @contextmanager
    def running(self) -> Iterator["Peer"]:
        async def show(request: web.Request) -> web.Response:
            document = self.document(int(request.match_info["n"]))
            return web.json_response(document, content_type="application/activity+json")

        async def finger(request: web.Request) -> web.Response:
            subject = request.query["resource"]
            name, _, domain = subject.removeprefix("acct:").partition("@")
            link = {"rel": "self", "type": "application/activity+json", "href": f"http://{domain}/users/{name}"}
            return web.json_response({"subject": subject, "links": [link]}, content_type="application/jrd+json")

        app = web.Application()
        app.router.add_get(r"/users/u{n:\d+}", show)
        app.router.add_get("/.well-known/webfinger", finger)
        started, stop = threading.Event(), asyncio.Event()
        loop = asyncio.new_event_loop()

        async def serve() -> None:
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
            inboxes = await loop.create_server(lambda: _Letterbox(self), "127.0.0.1", self.inbox_port)
            started.set()
            await stop.wait()
            inboxes.close()
            await runner.cleanup()

        thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
        thread.start()
        started.wait()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
            loop.close()


def _signed(it: BenchInstance, path: str, body: bytes, key: SigningKey) -> bytes:
    headers = sign_request("cavage", "POST", f"http://{it.domain}{path}", body=body, key=key, now_s=int(time.time()))
    sent = {**headers, "Content-Type": "application/activity+json"}
    return post(it.domain, path, sent, body)


def _create(peer: Peer, n: int, number: int) -> bytes:
    actor = peer.actor(n)
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    note = {
        "id": f"{actor}/statuses/{number}",
        "type": "Note",
        "attributedTo": actor,
        "content": f"<p>{WORDS} {number}</p>",
        "published": now,
        "to": [PUBLIC],
        "cc": [f"{actor}/followers"],
        "url": f"{peer.origin(n)}/@u{n}/{number}",
        "tag": [],
        "attachment": [],
        "sensitive": False,
    }
    return json.dumps(
        {
            "@context": "https://www.w3.org/ns/activitystreams",
            "id": f"{actor}/statuses/{number}/activity",
            "type": "Create",
            "actor": actor,
            "published": now,
            "to": note["to"],
            "cc": note["cc"],
            "object": note,
        }
    ).encode()


def _row(name: str, result: Result, it: BenchInstance, cpu_s: float, **more: Any) -> Row:
    done = sum(result.statuses.values())
    return {
        "what": name,
        "per_s": round(result.per_s),
        "cpu_us": round(cpu_s / done * 1e6),
        "p50_ms": round(result.quantile_ms(0.5), 2),
        "p99_ms": round(result.quantile_ms(0.99), 2),
        "bytes": round(result.bytes_read / done),
        "statuses": dict(result.statuses),
        "rss_mib": round(it.rss_mib),
        **more,
    }


def _wait(condition: Callable[[], bool], limit_s: float = 120) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the work did not come to rest")
        time.sleep(0.01)


def inbox(actors: int, count: int = 5000) -> Row:
    """Signed Create(Note) at 32 connections, until the last one stands on the timeline."""
    with BenchInstance() as it, Peer(actors).running() as peer:
        requests = [
            _signed(it, "/inbox", _create(peer, i % actors, i), peer.keys[i % actors]) for i in range(count + actors)
        ]
        asyncio.run(blast(it.port, requests[:actors], connections=min(actors, 8)))  # keys are fetched once
        database = sqlite3.connect(f"file:{it.database}?mode=ro", uri=True)

        def applied() -> int:
            (number,) = database.execute("SELECT count(*) FROM object WHERE ready_at IS NOT NULL").fetchone()
            return int(number)

        _wait(lambda: applied() >= actors)
        cpu_s, started = it.cpu_s, time.perf_counter()
        result = asyncio.run(blast(it.port, requests[actors:], connections=32))
        _wait(lambda: applied() >= count + actors)
        took_s = time.perf_counter() - started
        database.close()
        return _row(f"inbox, {actors} actors", result, it, it.cpu_s - cpu_s, processed_per_s=round(count / took_s))


def posting(connections: int, count: int = 2000) -> Row:
    """Statuses posted through the client API by an author without followers elsewhere."""
    with BenchInstance() as it:
        token = it.account("author")
        body = json.dumps({"status": WORDS[:400]}).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = post(it.domain, "/api/v1/statuses", headers, body)
        asyncio.run(blast(it.port, [request], connections=connections, count=50))
        cpu_s = it.cpu_s
        result = asyncio.run(blast(it.port, [request], connections=connections, count=count))
        return _row(f"posting, {connections} connections", result, it, it.cpu_s - cpu_s)


def _seed(it: BenchInstance, token: str, posts: int = 200) -> None:
    body = json.dumps({"status": WORDS[:400]}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    asyncio.run(blast(it.port, [post(it.domain, "/api/v1/statuses", headers, body)], connections=4, count=posts))


def reading(count: int = 10_000) -> list[Row]:
    """Home, public timeline, actor and instance documents, at 8 connections.

    The same is asked again and again, so most answers are given from memory; "asked once" never asks the same twice.
    """
    with BenchInstance() as it:
        token = it.account("author")
        _seed(it, token)
        bearer = {"Authorization": f"Bearer {token}"}
        wanted = {
            "home, 20 posts": get(it.domain, "/api/v1/timelines/home", bearer),
            "public timeline, 20 posts": get(it.domain, "/api/v1/timelines/public"),
            "webfinger": get(it.domain, f"/.well-known/webfinger?resource=acct:author@{it.domain}"),
            "actor": get(it.domain, "/users/author", {"Accept": "application/activity+json"}),
            "instance v2": get(it.domain, "/api/v2/instance"),
        }
        rows = []
        for name, request in wanted.items():
            asyncio.run(blast(it.port, [request], connections=8, count=200))
            cpu_s = it.cpu_s
            result = asyncio.run(blast(it.port, [request], connections=8, count=count))
            rows.append(_row(name, result, it, it.cpu_s - cpu_s))
        path = "/api/v1/timelines/home"
        once = [get(it.domain, path, {**bearer, "Accept": f"application/json;n={n}"}) for n in range(count // 2)]
        cpu_s = it.cpu_s
        result = asyncio.run(blast(it.port, once, connections=8))
        rows.insert(1, _row("home, 20 posts, asked once", result, it, it.cpu_s - cpu_s))
        return rows


def reading_beside_inbox(count: int = 4000) -> Row:
    """Home at 8 connections while signed activities arrive at 32."""
    with BenchInstance() as it, Peer(50).running() as peer:
        token = it.account("author")
        _seed(it, token)
        requests = [_signed(it, "/inbox", _create(peer, i % 50, i), peer.keys[i % 50]) for i in range(6000)]
        asyncio.run(blast(it.port, requests[:50], connections=8))
        home = get(it.domain, "/api/v1/timelines/home", {"Authorization": f"Bearer {token}"})

        async def both() -> tuple[Result, Result]:
            arriving = asyncio.create_task(blast(it.port, requests[50:], connections=32))
            result = await blast(it.port, [home], connections=8, count=count)
            return result, await arriving

        cpu_s = it.cpu_s
        result, arrived = asyncio.run(both())
        return _row("home beside inbox", result, it, it.cpu_s - cpu_s, inbox_per_s=round(arrived.per_s))


def delivering(followers: int = 1000, posts: int = 5, hosts: int = 100) -> Row:
    """Signed POSTs out: each post goes to every follower's own inbox. One host gets two at a time at most."""
    with BenchInstance() as it, Peer(followers, hosts).running() as peer:
        token = it.account("author")
        target = f"http://{it.domain}/users/author"
        follows = []
        for n in range(followers):
            activity = {
                "@context": "https://www.w3.org/ns/activitystreams",
                "id": f"{peer.actor(n)}/follows/1",
                "type": "Follow",
                "actor": peer.actor(n),
                "object": target,
            }
            follows.append(_signed(it, "/users/author/inbox", json.dumps(activity).encode(), peer.keys[n]))
        asyncio.run(blast(it.port, follows, connections=16))
        _wait(lambda: peer.received >= followers)  # each was accepted
        before, cpu_s, started = peer.received, it.cpu_s, time.perf_counter()
        for _ in range(posts):
            it.api("POST", "/api/v1/statuses", token, {"status": WORDS[:400]})
        _wait(lambda: peer.received >= before + posts * followers)
        took_s, sent = time.perf_counter() - started, posts * followers
        return {
            "what": f"deliveries to {followers} inboxes on {hosts} hosts",
            "per_s": round(sent / took_s),
            "cpu_us": round((it.cpu_s - cpu_s) / sent * 1e6),
            "rss_mib": round(it.rss_mib),
        }


def starting() -> Row:
    """Start on an empty instance, and what it weighs at rest."""
    with BenchInstance() as it:
        took = []
        for _ in range(5):
            it.stop()
            took.append(it.start())
        time.sleep(1)
        return {"what": "start", "start_s": round(sorted(took)[2], 2), "rss_mib": round(it.rss_mib)}


def weight(posts: int = 100_000) -> Row:
    """What the server weighs with that many posts, after its caches were filled by reading and its writers used.

    The posts are put into the database while the server is stopped (:mod:`bench.seeding`): 5,000 authors, of whom the
    reader follows 300. Then home and public are read from end to end in pages of 40, and 500 statuses are posted.
    """
    with BenchInstance() as it:
        token = it.account("author")
        it.stop()
        content = f"<p>{WORDS}</p>"
        made = asyncio.run(
            seed(it.database, reader="author", posts=posts, authors=5_000, followed=300, content=content)
        )
        start_s = it.start()
        idle_mib = it.rss_mib
        bearer = {"Authorization": f"Bearer {token}"}
        cuts = [f"limit=40&max_id={cut}" for cut in reversed(made[40::40])]
        paths = [f"/api/v1/timelines/{name}?{cut}" for cut in cuts for name in ("home", "public")]
        cpu_s = it.cpu_s
        result = asyncio.run(blast(it.port, [get(it.domain, path, bearer) for path in paths], connections=8))
        row = _row(f"pages of 40 of {posts} posts, each once", result, it, it.cpu_s - cpu_s)
        _seed(it, token, 500)
        return {**row, "idle_mib": round(idle_mib), "start_s": round(start_s, 2), "rss_mib": round(it.rss_mib)}
