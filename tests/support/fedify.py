"""Fedify, a server that is not ours, in a process of its own: ``tests/interop/peer.mjs`` and its control door.

fedify = await Fedify.start(tmp_path)
await fedify.add_person("fay")                                     # an actor with keys
await fedify.send("fay", {"type": "Like", "object": uri}, to=[alice.uri])
await fedify.until_received("Follow")                              # what it took, after checking the signature
"""

import os
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp.test_utils import unused_port

from tests.support.instances import eventually
from tests.support.peers import client_session
from tests.support.taps import Tap

INTEROP = Path(__file__).parents[1] / "interop"
NODE = INTEROP / "node_modules" / "node" / "bin" / "node"
CONTEXT = [
    "https://www.w3.org/ns/activitystreams",
    "https://w3id.org/security/v1",
    "https://w3id.org/security/data-integrity/v1",
]
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"


class Fedify:
    """``tap`` sees all that comes to it."""

    def __init__(self, folder: Path) -> None:
        self.port = unused_port()
        self.origin = f"http://localhost:{self.port}"
        self.log_path = folder / f"fedify-{self.port}.log"
        self.tap: Tap = None  # type: ignore[assignment]  # set by start
        self._inner = unused_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    async def start(cls, folder: Path, *, authorized_fetch: bool = False) -> Self:
        assert NODE.exists(), "npm packages are missing: make test installs them (npm ci in tests/interop)"
        made = cls(folder)
        with made.log_path.open("wb") as log:
            made._process = subprocess.Popen(
                [NODE, INTEROP / "peer.mjs"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ
                | {
                    "PORT": str(made.port),
                    "LISTEN": str(made._inner),
                    "AUTHORIZED_FETCH": "1" if authorized_fetch else "",
                },
            )
        made._session = client_session()
        made.tap = await Tap.start(made.port, made._inner)
        await eventually(lambda: "ready" in made.log, 30, lambda: f"Fedify is ready\n{made.log}")
        return made

    async def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        if self._session is not None:
            await self._session.close()
        await self.tap.stop()

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    def actor(self, name: str) -> str:
        return f"{self.origin}/users/{name}"

    def followers(self, name: str) -> str:
        return f"{self.actor(name)}/followers"

    # The control door ---------------------------------------------------------------------------------------

    async def control(self, method: str, path: str, **data: Any) -> Any:
        assert self._session is not None
        url = f"http://127.0.0.1:{self._inner}/control/{path}"
        async with self._session.request(method, url, json=data if method == "POST" else None) as answer:
            told = await answer.json()
            assert answer.status == 200, f"Fedify, {path}: {told}\n{self.log[-2000:]}"
            return told

    async def add_person(self, name: str, *, aliases: list[str] | None = None, rsa_alone: bool = False) -> str:
        """An actor with an RSA and an Ed25519 key (or the former alone); its URI."""
        kinds = {"kinds": ["RSASSA-PKCS1-v1_5"]} if rsa_alone else {}
        return (await self.control("POST", "people", name=name, aliases=aliases or [], **kinds))["id"]

    async def put(self, value: dict[str, Any]) -> dict[str, Any]:
        """Serves an object at its id."""
        await self.control("POST", "objects", **{"@context": CONTEXT, **value})
        return value

    def new_note(self, name: str, text: str, kind: str = "Note", **members: Any) -> dict[str, Any]:
        """A public post, not yet served or sent."""
        folder = {"Note": "notes", "Question": "questions", "Article": "articles"}[kind]
        return {
            "id": f"{self.actor(name)}/{folder}/{uuid.uuid4()}",
            "type": kind,
            "attributedTo": self.actor(name),
            "content": f"<p>{text}</p>",
            "published": "2026-01-01T00:00:00Z",
            "to": PUBLIC,
            "cc": self.followers(name),
            **members,
        }

    async def send(
        self, name: str, activity: dict[str, Any], to: list[str], *, context: list[Any] | None = None
    ) -> dict[str, Any]:
        """Lets Fedify send an activity; it signs in every way it has."""
        whole = {
            "@context": context or CONTEXT,
            "id": f"{self.origin}/activities/{uuid.uuid4()}",
            "actor": self.actor(name),
            **activity,
        }
        await self.control("POST", "send", **{"from": name, "to": to, "activity": whole})
        return whole

    async def create(self, name: str, note: dict[str, Any], to: list[str], **options: Any) -> dict[str, Any]:
        await self.put(note)
        addressed = {key: note[key] for key in ("to", "cc") if key in note}
        return await self.send(name, {"type": "Create", "object": note, **addressed}, to, **options)

    async def received(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Activities that Fedify took, as it reads them: oldest first."""
        all_of_them = [one["activity"] for one in (await self.control("GET", "received"))["received"]]
        return [one for one in all_of_them if kind is None or one["type"] == kind]

    async def until_received(
        self, kind: str, matches: Callable[[dict[str, Any]], bool] = lambda _activity: True
    ) -> dict[str, Any]:
        async def find() -> dict[str, Any] | None:
            return next((one for one in reversed(await self.received(kind)) if matches(one)), None)

        def told() -> str:
            seen = [
                (one.received.activity.get("type"), one.scheme, one.status, one.body[:100]) for one in self.tap.posts()
            ]
            return f"Fedify gets {kind}; came: {seen[-8:]}\n{self.log[-1500:]}"

        return await eventually(find, what=told)

    async def lookup(self, what: str, *, as_: str | None = None) -> dict[str, Any] | None:
        """What Fedify makes of a URI, asked with the signature of ``as_`` if given."""
        return (await self.control("POST", "lookup", what=what, **({"as": as_} if as_ else {})))["found"]
