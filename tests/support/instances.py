"""Whole instances: made with the real command line, run in processes of their own, spoken to over HTTP.

one = await Instance.create(tmp_path / "one", "one.localhost")    # init, serve, wait until ready
alice = await one.add_person("alice")                             # account create, token create
status = await alice.post("/api/v1/statuses", status="Hello")     # JSON of a 200, else an AssertionError
await eventually(lambda: bob.get("/api/v1/timelines/home"))       # until it is truthy
one.kill(); await one.start()                                     # kill -9, and up again
await one.close()                                                 # stops it; fails if its log tells of a bug
"""

import asyncio
import inspect
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp.test_utils import unused_port

from tests.support.peers import client_session

T = TypeVar("T")

PASSWORD = "correct horse battery staple"
START_WITHIN_S = 30.0
STOP_WITHIN_S = 20.0
POLL_S = 0.02

# Lines that only our own bugs write.
_BUG = re.compile(r"Traceback|level=(error|critical)|Task exception was never retrieved|was never awaited")


async def eventually(
    condition: Callable[[], T | Awaitable[T]], timeout_s: float = 15, what: str | Callable[[], str] = ""
) -> T:
    """What ``condition`` returns as soon as it is truthy. It may raise AssertionError until then."""
    last: object = None
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    last = condition()
                    if inspect.isawaitable(last):
                        last = await last
                    if last:
                        return last  # type: ignore[return-value]
                except AssertionError as not_yet:
                    last = not_yet
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        told = what() if callable(what) else what
        raise AssertionError(
            f"not within {timeout_s} s: {told or inspect.getsource(condition)}; last {last!r}"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run_fedi(*arguments: str | Path, stdin: str = "", variables: Mapping[str, str] | None = None) -> Finished:
    """Runs ``python -m fedi`` to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "fedi", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        env=_environment(variables),
        timeout=60,
        check=False,
    )
    return Finished(code=done.returncode, out=done.stdout, err=done.stderr)


def _environment(variables: Mapping[str, str] | None) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FEDI_")}
    return kept | {"PYTHONWARNINGS": "default"} | dict(variables or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Instance:
    """A fedi instance in a folder. ``domain`` is ``host:port``; ``variables`` are its ``FEDI_*`` settings."""

    def __init__(self, folder: Path, host: str, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = unused_port()
        self.domain = f"{host}:{self.port}"
        self.origin = f"http://{self.domain}"
        self.variables = dict(variables)
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path = folder.parent / f"{folder.name}.log"
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    async def create(cls, folder: Path, host: str = "localhost", *, serve: bool = True, **variables: str) -> Self:
        """A new instance; ``FEDI_DATABASE__URL="postgresql://…"`` puts it on PostgreSQL."""
        made = cls(folder, host, variables)
        await made.init()
        if serve:
            await made.start()
        return made

    async def init(self) -> None:
        done = await asyncio.to_thread(run_fedi, "init", self.folder, "--domain", self.domain, "--http")
        assert done.code == 0, done.err

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    # The process --------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Runs ``serve`` and returns when it is ready."""
        assert self.process is None
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fedi", "-c", self.config, "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(self.variables),
            )
        await eventually(self._is_ready, START_WITHIN_S, lambda: f"{self.domain} is ready\n{self.log[-4000:]}")

    async def _is_ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"{self.domain} ended\n{self.log[-4000:]}")
        try:
            return (await self.request("GET", "/readyz")).status == 200
        except aiohttp.ClientConnectionError:
            return False

    def kill(self) -> None:
        """``kill -9``: nothing is said, nothing is finished."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    async def stop(self) -> int:
        """Asks it to end; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(self.process.wait, STOP_WITHIN_S)
        self.process = None
        return code

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def close(self) -> None:
        """Ends it for good. Raises AssertionError if its log tells of a bug of ours."""
        code = await self.stop() if self.process is not None else 0
        if self._session is not None:
            await self._session.close()
            self._session = None
        assert code == 0, f"{self.domain} ended with {code}\n{self.log[-4000:]}"
        assert not self.bugs, f"{self.domain} logged:\n{self.bugs}"

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    @property
    def bugs(self) -> str:
        """The places of the log that only a bug of ours writes, with what stands around them."""
        lines = self.log.splitlines()
        hits = [number for number, line in enumerate(lines) if _BUG.search(line)]
        return "\n…\n".join("\n".join(lines[max(0, hit - 2) : hit + 30]) for hit in hits[:5]).replace("\\n", "\n")

    # Speaking to it -----------------------------------------------------------------------------------------

    async def cli(self, *arguments: str, stdin: str = "", code: int | None = 0) -> Finished:
        """Runs a command on it; ``code`` is the exit code that is expected (None: any)."""
        done = await asyncio.to_thread(run_fedi, "-c", self.config, *arguments, stdin=stdin, variables=self.variables)
        assert code is None or done.code == code, f"fedi {' '.join(arguments)}: {done}"
        return done

    async def add_person(self, name: str, role: str = "user", scopes: str = "read write follow push") -> "Person":
        await self.cli("account", "create", name, "--role", role, "--password-stdin", stdin=PASSWORD + "\n")
        token = (await self.cli("token", "create", name, "--scopes", scopes)).out.strip()
        return Person(self, name, token)

    async def request(self, method: str, path: str, **options: Any) -> Reply:
        """Any request; redirects are not followed. The loop of the first request is the one for all."""
        if self._session is None:
            self._session = client_session()
        async with self._session.request(
            method, self.origin + path if path.startswith("/") else path, allow_redirects=False, **options
        ) as answer:
            return Reply(status=answer.status, headers=answer.headers, body=await answer.read())

    async def document(self, uri: str, status: int = 200) -> Any:
        """An ActivityPub document, asked without a signature."""
        reply = await self.request("GET", uri, headers={"Accept": "application/activity+json"})
        assert reply.status == status, f"{uri}: {reply.status} {reply.body[:300]!r}"
        return reply.json


class Person:
    """A local account and its token."""

    def __init__(self, instance: Instance, name: str, token: str) -> None:
        self.instance = instance
        self.name = name
        self.token = token

    @property
    def handle(self) -> str:
        return f"{self.name}@{self.instance.domain}"

    @property
    def uri(self) -> str:
        return f"{self.instance.origin}/users/{self.name}"

    async def call(self, method: str, path: str, **options: Any) -> Reply:
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        return await self.instance.request(method, path, headers=headers, **options)

    async def get(self, path: str, **query: Any) -> Any:
        return self._good(path, await self.call("GET", path, params=query))

    async def post(self, path: str, **data: Any) -> Any:
        return self._good(path, await self.call("POST", path, json=data))

    async def put(self, path: str, **data: Any) -> Any:
        return self._good(path, await self.call("PUT", path, json=data))

    async def patch(self, path: str, **data: Any) -> Any:
        return self._good(path, await self.call("PATCH", path, json=data))

    async def delete(self, path: str, **data: Any) -> Any:
        return self._good(path, await self.call("DELETE", path, json=data))

    def _good(self, path: str, reply: Reply) -> Any:
        told = f"{self.name} {path}: {reply.status} {reply.body[:500]!r}"
        if reply.status >= 500:
            raise RuntimeError(f"{told}\n{self.instance.bugs or self.instance.log[-3000:]}")
        assert reply.status == 200, told
        return reply.json

    async def upload(self, content: bytes, description: str) -> str:
        """Uploads a picture; its id."""
        form = aiohttp.FormData()
        form.add_field("file", content, filename="picture.png", content_type="image/png")
        form.add_field("description", description)
        reply = await self.call("POST", "/api/v2/media", data=form)
        assert reply.status in {200, 202}, reply
        media = reply.json["id"]
        await eventually(lambda: self.get(f"/api/v1/media/{media}"))
        return media

    async def resolve(self, what: str, kind: str = "accounts") -> Any:
        """The first thing that searching with ``resolve`` finds."""
        found = (await self.get("/api/v2/search", q=what, resolve="true", limit=1))[kind]
        assert found, f"{self.name} does not find {what}"
        return found[0]

    async def follow(self, handle: str) -> Any:
        """Follows by handle; the account as this instance shows it."""
        account = await self.resolve(handle)
        await self.post(f"/api/v1/accounts/{account['id']}/follow")
        return account

    async def relationship(self, account_id: str) -> Any:
        return (await self.get("/api/v1/accounts/relationships", **{"id[]": account_id}))[0]

    async def find_home(self, uri: str) -> Any:
        """The status of this URI on the home timeline, or None."""
        home = await self.get("/api/v1/timelines/home", limit=40)
        return next((status for status in home if status["uri"] == uri), None)

    async def find_notification(self, kind: str, **account: str) -> Any:
        """The newest notification of a kind, or None."""
        found = await self.get("/api/v1/notifications", **{"types[]": kind})
        return next((one for one in found if all(one["account"][k] == v for k, v in account.items())), None)
