"""One instance inside the test's own process: the real parts, real HTTP, a clock and a queue the test moves by hand.

async with open_node(tmp_path) as node:
    lena = await node.add_person("lena")
    status, headers, body = await peer.post(node.origin + "/inbox", activity, alice)
    await node.settle()                       # runs every job that is due
    rows = await node.rows("SELECT …")
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import unused_port

from fedi.app import Instance, build_web, open_instance
from fedi.auth.enrol import enrol_person
from fedi.clock import SystemClock
from fedi.config import load_config
from fedi.model.accounts import Account
from fedi.store import statuses
from fedi.web import front
from tests.support.peers import client_session

CONFIG = """
[instance]
domain = "{domain}"
http = true
[server]
secret = "{secret}"
[database]
url = "{database}"
[metrics]
port = 0
{more}
"""

# What an activity may change. Places, intake and jobs are bookkeeping of having been asked.
EFFECT_TABLES = (
    "account", "account_stats", "actor_key", "follow", "block", "status", "status_stats", "status_edit", "mention",
    "tombstone", "favourite", "reaction", "pin", "poll", "poll_vote", "media", "notification", "report", "outgoing",
    "delivery", "relay", "quote_stamp",
)  # fmt: skip
LEDGER_TABLES = ("object", "slot", "surface_head", "intake", "body", "job")


class MovableClock(SystemClock):
    """The real time, plus what a test adds."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def ms(self) -> int:
        return super().ms() + self.ahead_ms

    def advance(self, *, s: float = 0, days: float = 0) -> None:
        self.ahead_ms += round(s * 1000) + round(days * 86_400_000)


class Node:
    """A running instance."""

    def __init__(self, instance: Instance, clock: MovableClock, origin: str) -> None:
        self.instance = instance
        self.clock = clock
        self.origin = origin
        self.inbox = f"{origin}/inbox"

    async def add_person(self, name: str) -> Account:
        parts = self.instance
        return await enrol_person(
            parts.database,
            uris=parts.uris,
            ids=parts.ids,
            clock=parts.clock,
            username=name,
            role="user",
            email=None,
            password_hash=None,
        )

    async def settle(self, *kinds: str) -> None:
        """Runs every job that is due, and what it brings; deliveries only when they are named."""
        chosen = kinds or ("inbox", "fetch_status", "fetch_thread", "refresh_actor", "forward")
        await self.instance.runner.run_to_rest(chosen)

    async def rows(self, sql: str, **named: Any) -> list[tuple[Any, ...]]:
        return await self.instance.database.read(lambda tx: tx.all(sql, **named))

    async def value(self, sql: str, **named: Any) -> Any:
        return await self.instance.database.read(lambda tx: tx.value(sql, **named))

    async def status(self, uri: str) -> Any:
        return await self.instance.database.read(lambda tx: statuses.find_by_uri(tx, uri))

    async def snapshot(self, tables: tuple[str, ...] = EFFECT_TABLES) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of these tables."""
        return {table: sorted(await self.rows(f"SELECT * FROM {table}"), key=repr) for table in tables}

    async def get(self, path: str, *, accept: str = "application/activity+json") -> tuple[int, dict[str, str], bytes]:
        async with (
            client_session() as session,
            session.get(self.origin + path, headers={"Accept": accept}, allow_redirects=False) as answer,
        ):
            return answer.status, dict(answer.headers), await answer.read()


@asynccontextmanager
async def open_node(
    folder: Path, host: str = "local.localhost", *, more: str = "", database: str = "sqlite:fedi.db"
) -> AsyncIterator[Node]:
    """An instance at ``http://<host>:<port>``; ``more`` is added to its settings."""
    port = unused_port()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.toml"
    settings = {"domain": f"{host}:{port}", "secret": os.urandom(32).hex(), "database": database, "more": more}
    path.write_text(CONFIG.format(**settings))
    clock = MovableClock()
    async with open_instance(load_config(path), clock) as instance:
        runner = front.Runner(build_web(instance), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield Node(instance, clock, f"http://{host}:{port}")
        finally:
            await runner.cleanup()
