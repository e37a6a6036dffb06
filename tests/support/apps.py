"""Apps of the client API that look at whole replies, and send files. Built on :mod:`tests.support.api`.

alice = await house.add_person("alice")
reply = await alice.post("/api/v1/lists", title="Friends")
"""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData, web
from aiohttp.test_utils import TestClient

from fedi.config import Config
from fedi.model.accounts import Account
from fedi.store.database import Database
from tests.support.api import Api, FakeLookup, open_api
from tests.support.clocks import FakeClock

EVERYTHING = "read write follow push"


@dataclass
class Reply:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def links(self) -> dict[str, str]:
        """``Link`` by rel."""
        found = {}
        for part in self.headers.get("Link", "").split(", "):
            if part:
                url, _, rel = part.partition("; rel=")
                found[rel.strip('"')] = url.strip("<>")
        return found


class App:
    """One app with a token, or without (``token`` None)."""

    def __init__(self, client: TestClient, token: str | None, account: Account | None = None) -> None:
        self.client = client
        self.token = token
        self._account = account

    @property
    def account(self) -> Account:
        assert self._account is not None
        return self._account

    @property
    def id(self) -> str:
        return str(self.account.id)

    async def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **how: Any) -> Reply:
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self.client.request(method, path, headers=sent | (headers or {}), **how) as answer:
            reply = Reply(answer.status, answer.headers, await answer.read())
        if path.startswith("/api/"):  # trap 9: JSON always, never nothing, and no 204
            assert answer.content_type == "application/json", path
            assert reply.json is not None
            assert answer.status != 204
        return reply

    async def get(self, path: str, *pairs: tuple[str, Any], **params: Any) -> Reply:
        query = [(name, str(value)) for name, value in (*pairs, *params.items())]
        return await self.ask("GET", path, params=query)

    async def post(self, path: str, **values: Any) -> Reply:
        return await self.ask("POST", path, json=values)

    async def put(self, path: str, **values: Any) -> Reply:
        return await self.ask("PUT", path, json=values)

    async def patch(self, path: str, **values: Any) -> Reply:
        return await self.ask("PATCH", path, json=values)

    async def delete(self, path: str, **values: Any) -> Reply:
        return await self.ask("DELETE", path, json=values)

    async def send_file(
        self, path: str, data: bytes, *, name: str = "photo.jpg", field: str = "file", method: str = "POST", **rest: str
    ) -> Reply:
        form = FormData()
        for key, value in rest.items():
            form.add_field(key, value)
        form.add_field(field, io.BytesIO(data), filename=name, content_type="image/jpeg")
        return await self.ask(method, path, data=form)


class House:
    def __init__(self, api: Api) -> None:
        self.api = api
        self.app: web.Application = api.app
        self.client = api.client
        self.db: Database = api.db
        self.clock: FakeClock = api.clock
        self.config: Config = api.config
        self.elsewhere: FakeLookup = api.lookup

    @property
    def anybody(self) -> App:
        return App(self.client, None)

    async def add_person(self, name: str, scopes: str = EVERYTHING, **profile: Any) -> App:
        reader = await self.api.person(name, scopes, **profile)
        return App(self.client, reader.token, reader.account)

    async def app_of(self, account: Account, scopes: str) -> App:
        """Another app of the same person."""
        return App(self.client, (await self.api.token(account, scopes)).token, account)

    async def add_stranger(self, name: str, domain: str = "far.example", **profile: Any) -> Account:
        return await self.api.stranger(name, domain, **profile)


@asynccontextmanager
async def serving(db: Database, clock: FakeClock, tmp_path: Path, **settings: Any) -> AsyncIterator[House]:
    api = await open_api(db, clock, tmp_path, **settings)
    yield House(api)
    await api.client.close()


@pytest.fixture
async def house(sqlite_db: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[House]:
    async with serving(sqlite_db, clock, tmp_path) as found:
        yield found
