"""A server somebody else wrote, in a few lines: real HTTP on a port of its own, own keys, and any fault one asks for.

peer = await FakePeer.start("remote")           # fixture ``peer`` in tests that import it
alice = peer.add_actor("alice")                 # document, keys, WebFinger
response = await peer.post(inbox, activity, alice)   # signed by her
peer.received[-1].activity                      # what was delivered to it, newest last
peer.answer("/inbox", status=503)               # slow, wrong, gone: see ``Answer``
"""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import DefaultResolver
from yarl import URL

from fedi.activitypub import httpsig
from fedi.activitypub.keys import (
    PublicKey,
    SigningKey,
    generate_ed25519,
    generate_rsa,
    load_signing_key,
)
from fedi.activitypub.multikey import render_multikey
from fedi.activitypub.proofs import add_proof
from fedi.activitypub.signed_request import Scheme, SignedRequest

ACTIVITY_JSON = "application/activity+json"
CONTEXT = [
    "https://www.w3.org/ns/activitystreams",
    "https://w3id.org/security/v1",
    "https://w3id.org/security/data-integrity/v1",
]
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"


@cache
def _rsa(number: int) -> tuple[str, str]:
    pair = generate_rsa()  # 33 ms: shared by the actors of the same number in all tests of a process
    return pair.private_pem, pair.public_pem


@dataclass
class PeerActor:
    """An actor of the peer with its keys; ``document`` may be changed by a test."""

    id: str
    name: str
    rsa: SigningKey
    ed25519: SigningKey
    document: dict[str, Any]

    @property
    def inbox(self) -> str:
        return self.document["inbox"]

    @property
    def followers(self) -> str:
        return self.document["followers"]


@dataclass
class Received:
    """One request as it came."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    origin: str

    @property
    def activity(self) -> dict[str, Any]:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def signed(self) -> SignedRequest:
        return SignedRequest(
            method=self.method, raw_path=self.path, headers=self.headers, body=self.body, origin=self.origin
        )

    @property
    def claim(self) -> httpsig.SignatureClaim:
        return httpsig.read_signature(self.signed)

    def check_signature(self, key: PublicKey, now_s: int | None = None) -> None:
        """Raises PeerFault unless the owner of ``key`` signed it."""
        httpsig.check(self.claim, self.signed, key, int(time.time()) if now_s is None else now_s)


@dataclass
class Answer:
    """What a path answers; ``times`` bounds how often, then the usual answer comes again."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0
    hold: asyncio.Event | None = None  # waits for it
    times: int | None = None


class FakePeer:
    """Use ``start`` and ``stop``. ``origin`` is ``http://<name>.localhost:<port>``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.origin = ""
        self.received: list[Received] = []  # POSTs
        self.fetched: list[Received] = []  # GETs
        self.actors: dict[str, PeerActor] = {}
        self.documents: dict[str, Any] = {}  # path → JSON document
        self.accepts: set[Scheme] = {"cavage", "rfc9421"}
        self._answers: dict[str, Answer] = {}
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._arrived = asyncio.Event()

    @classmethod
    async def start(cls, name: str = "peer") -> "FakePeer":
        peer = cls(name)
        app = web.Application(client_max_size=2**21)
        app.router.add_route("*", "/{tail:.*}", peer._serve)
        peer._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await peer._runner.setup()
        site = web.TCPSite(peer._runner, "127.0.0.1", peer._port)
        await site.start()
        peer._port = peer._runner.addresses[0][1]
        peer.origin = f"http://{name}.localhost:{peer._port}"
        return peer

    async def stop(self) -> None:
        """Nobody answers any more: connections are refused."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def host(self) -> str:
        return self.origin.partition("://")[2]

    @property
    def shared_inbox(self) -> str:
        return f"{self.origin}/inbox"

    def add_actor(self, name: str, **changes: Any) -> PeerActor:
        """An actor document with keys; ``changes`` replace its members (None takes one away)."""
        uri = f"{self.origin}/users/{name}"
        private, public = _rsa(len(self.actors))
        ed = load_signing_key(generate_ed25519().private_pem, id=f"{uri}#ed25519-key")
        document: dict[str, Any] = {
            "@context": CONTEXT,
            "id": uri,
            "type": "Person",
            "preferredUsername": name,
            "name": name.title(),
            "summary": "",
            "url": f"{self.origin}/@{name}",
            "inbox": f"{uri}/inbox",
            "outbox": f"{uri}/outbox",
            "followers": f"{uri}/followers",
            "following": f"{uri}/following",
            "endpoints": {"sharedInbox": self.shared_inbox},
            "manuallyApprovesFollowers": False,
            "publicKey": {"id": f"{uri}#main-key", "owner": uri, "publicKeyPem": public},
            "assertionMethod": [
                {
                    "id": f"{uri}#ed25519-key",
                    "type": "Multikey",
                    "controller": uri,
                    "publicKeyMultibase": render_multikey(ed.key.public_key()),
                }
            ],
        }
        document.update(changes)
        document = {key: value for key, value in document.items() if value is not None}
        actor = PeerActor(
            id=uri, name=name, rsa=load_signing_key(private, id=f"{uri}#main-key"), ed25519=ed, document=document
        )
        self.actors[name] = actor
        return actor

    def put(self, path: str, document: Mapping[str, Any]) -> str:
        """Serves a document; returns its URL."""
        self.documents[path] = dict(document)
        return self.origin + path

    def note(
        self, actor: PeerActor, text: str = "Hello", *, number: int | None = None, **changes: Any
    ) -> dict[str, Any]:
        """A public Note by ``actor``, served at its id."""
        path = f"/users/{actor.name}/statuses/{number or len(self.documents) + 1}"
        note: dict[str, Any] = {
            "@context": CONTEXT,
            "id": self.origin + path,
            "type": "Note",
            "attributedTo": actor.id,
            "content": f"<p>{text}</p>",
            "published": "2026-01-01T00:00:00Z",
            "url": self.origin + path,
            "to": [PUBLIC],
            "cc": [actor.followers],
            **changes,
        }
        self.put(path, note)
        return note

    def activity(self, kind: str, actor: PeerActor, obj: Any, **changes: Any) -> dict[str, Any]:
        """An activity with an id of its own; addressed like its object if that is one."""
        inner = obj if isinstance(obj, dict) else {}
        addressed = {key: inner[key] for key in ("to", "cc") if key in inner}
        bare = {key: value for key, value in inner.items() if key != "@context"} if inner else obj
        digest = hashlib.sha256(json.dumps([kind, bare, len(self.documents)]).encode()).hexdigest()[:16]
        return {
            "@context": CONTEXT,
            "id": f"{actor.id}/activities/{digest}",
            "type": kind,
            "actor": actor.id,
            "object": bare,
            **addressed,
            **changes,
        }

    async def post(
        self,
        url: str,
        activity: Mapping[str, Any] | bytes,
        actor: PeerActor | None,
        *,
        scheme: Scheme = "cavage",
        proof: bool = False,
        now_s: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """POSTs, signed by ``actor`` (None: unsigned); status, headers and body of the answer."""
        now_s = int(time.time()) if now_s is None else now_s
        if proof:
            assert actor is not None and not isinstance(activity, bytes)
            activity = add_proof(activity, actor.ed25519, now_s)
        body = activity if isinstance(activity, bytes) else json.dumps(activity).encode()
        sent = {"Content-Type": ACTIVITY_JSON}
        if actor is not None:
            sent = httpsig.sign_request(scheme, "POST", url, body=body, key=actor.rsa, now_s=now_s)
        async with (
            client_session() as session,
            session.post(
                URL(url, encoded=True), data=body, headers={**sent, **(headers or {})}, allow_redirects=False
            ) as answer,
        ):
            return answer.status, dict(answer.headers), await answer.read()

    async def get(
        self, url: str, actor: PeerActor | None = None, *, accept: str = ACTIVITY_JSON
    ) -> tuple[int, dict[str, str], bytes]:
        """GETs, signed by ``actor`` if given."""
        sent = {"Accept": accept}
        if actor is not None:
            sent |= httpsig.sign_request("cavage", "GET", url, body=None, key=actor.rsa, now_s=int(time.time()))
        async with (
            client_session() as session,
            session.get(URL(url, encoded=True), headers=sent, allow_redirects=False) as answer,
        ):
            return answer.status, dict(answer.headers), await answer.read()

    def answer(self, path: str, **what: Any) -> Answer:
        """What ``path`` ('*' for every path) answers from now on."""
        self._answers[path] = answer = Answer(**what)
        return answer

    def answer_as_usual(self, path: str) -> None:
        self._answers.pop(path, None)

    async def until_received(self, count: int, timeout_s: float = 5) -> list[Received]:
        """Waits until ``count`` POSTs have come in all."""
        async with asyncio.timeout(timeout_s):
            while len(self.received) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.received

    # Serving ------------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.Response:
        got = Received(
            method=request.method,
            path=request.raw_path,
            headers=list(request.headers.items()),
            body=await request.read(),
            origin=self.origin,
        )
        (self.received if request.method == "POST" else self.fetched).append(got)
        self._arrived.set()
        answer = self._answers.get(request.path) or self._answers.get("*")
        if answer is not None:
            if answer.delay_s:
                await asyncio.sleep(answer.delay_s)
            if answer.hold is not None:
                await answer.hold.wait()
            if answer.times is not None:
                answer.times -= 1
                if answer.times <= 0:
                    self._answers = {key: value for key, value in self._answers.items() if value is not answer}
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        if request.method == "POST":
            return self._take(got)
        return self._document(request)

    def _take(self, got: Received) -> web.Response:
        scheme = "rfc9421" if got.header("Signature-Input") else "cavage"
        if scheme not in self.accepts:
            return web.Response(status=401, text="other scheme, please")
        return web.Response(status=202)

    def _document(self, request: web.Request) -> web.Response:
        if request.path == "/.well-known/webfinger":
            return self._webfinger(request.query.get("resource", ""))
        document = self.documents.get(request.raw_path) or self.documents.get(request.path)
        if document is None:
            document = next((actor.document for actor in self.actors.values() if actor.id.endswith(request.path)), None)
        if document is None:
            return web.Response(status=404)
        return web.Response(body=json.dumps(document).encode(), content_type=ACTIVITY_JSON)

    def _webfinger(self, resource: str) -> web.Response:
        for actor in self.actors.values():
            subject = f"acct:{actor.name}@{self.host}"
            if resource in {subject, actor.id}:
                links = [{"rel": "self", "type": ACTIVITY_JSON, "href": actor.id}]
                return web.Response(
                    body=json.dumps({"subject": subject, "links": links}).encode(), content_type="application/jrd+json"
                )
        return web.Response(status=404)


class _Loopback(AbstractResolver):
    """``*.localhost`` is this machine, which not every system knows."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
        return await DefaultResolver().resolve("127.0.0.1", port, family)

    async def close(self) -> None:
        pass


def client_session() -> aiohttp.ClientSession:
    """For tests that ask a server under ``*.localhost`` themselves."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=_Loopback(), force_close=True), cookie_jar=aiohttp.DummyCookieJar()
    )


def sha256_digest(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()
