"""The client API as an app meets it: real parts over a test's own database, real HTTP in the process.

api = await open_api(sqlite_db, clock, tmp_path)         # closed by the fixture that opened it
ann = await api.person("ann")                            # with a token for everything
status = await ann.post("/api/v1/statuses", status="Hello")
assert (await ann.get("/api/v1/timelines/home")) == [...]
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from fedi.auth.scopes import parse_scopes
from fedi.ids import AccountId, IdMaker, StatusId
from fedi.media.files import Files
from fedi.media.pictures import Pictures
from fedi.media.remote_copies import RemoteCopies
from fedi.media.uploads import Uploads
from fedi.model.accounts import Account
from fedi.outbox.outbox import Outbox
from fedi.outbox.tools import Tools
from fedi.policies.host import PolicyHost
from fedi.policies.noop import Noop
from fedi.remote.client import RemoteClient
from fedi.store import accounts, oauth, relations
from fedi.store.database import Database, Tx
from fedi.streaming.hub import Hub
from fedi.web import front, keys
from fedi.web import media as media_files
from fedi.web.entities.reader import Entities
from fedi.web.lookups import LOOKUP, Found
from fedi.web.mastodon import routes
from tests.support.clocks import FakeClock
from tests.support.web import add_person, add_post, add_stranger, make_app, make_config


@dataclass
class FakeLookup:
    """Other servers: what they have is put here by the test."""

    handles: dict[tuple[str, str], AccountId] = field(default_factory=dict)
    urls: dict[str, Found] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def find_by_handle(self, username: str, domain: str) -> AccountId | None:
        self.asked.append(f"{username}@{domain}")
        return self.handles.get((username, domain))

    async def find_by_url(self, url: str) -> Found:
        self.asked.append(url)
        return self.urls.get(url, Found())


class FrontServer(TestServer):
    """Answers as an instance does, with what is kept in front of the application."""

    async def _make_runner(self, **settings: Any) -> front.Runner:
        return front.Runner(self.app, **settings)


@dataclass
class Reply:
    """One answer; ``json`` is decoded strictly, and no answer may be empty."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"].startswith("application/json"), self.body[:200]
        assert self.body
        return msgspec.json.decode(self.body)


class Reader:
    """Somebody who asks; anonymous without a token."""

    def __init__(self, api: "Api", token: str | None = None, account: Account | None = None) -> None:
        self._api = api
        self.token = token
        self._account = account

    @property
    def account(self) -> Account:
        assert self._account is not None
        return self._account

    @property
    def id(self) -> AccountId:
        return self.account.id

    async def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> Reply:
        sent = dict(headers or {})
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        async with self._api.client.request(method, path, headers=sent, **more) as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, path: str, **params: Any) -> Any:
        reply = await self.ask("GET", path, params={name: str(value) for name, value in params.items()})
        assert reply.status == 200, (path, reply.status, reply.body)
        return reply.json

    async def post(self, path: str, **values: Any) -> Any:
        reply = await self.ask("POST", path, json=values)
        assert reply.status == 200, (path, reply.status, reply.body)
        return reply.json

    async def fails(self, method: str, path: str, status: int, **more: Any) -> str:
        """The sentence of a refusal, which has the one shape that apps decode."""
        reply = await self.ask(method, path, **more)
        assert reply.status == status, (path, reply.status, reply.body)
        assert isinstance(reply.json["error"], str)
        assert reply.json["error"]
        return str(reply.json["error"])


class Api:
    def __init__(self, db: Database, clock: FakeClock, app: web.Application, client: TestClient[Any, Any]) -> None:
        self.db, self.clock, self.app, self.client = db, clock, app, client
        self.uris, self.config = app[keys.URIS], app[keys.CONFIG]
        self.outbox, self.entities, self.hub = app[keys.OUTBOX], app[keys.ENTITIES], app[keys.HUB]
        self.decisions = app[keys.DECISIONS]
        self.lookup = app[LOOKUP]
        self.anybody = Reader(self)

    async def person(self, name: str, scopes: str = "read write follow push", **profile: Any) -> Reader:
        self.clock.advance(ms=5)
        account = await add_person(self.db, self.uris, self.clock, name, **profile)
        return await self.token(account, scopes)

    async def token(self, account: Account, scopes: str) -> Reader:
        async def unit(tx: Tx) -> str:
            number = IdMaker(self.clock).next()
            await oauth.put_app(
                tx,
                app_id=number,
                client_id=f"client-{number}",
                secret_hash="x",
                name="An App",
                website="https://app.example",
                redirect_uris=["urn:ietf:wg:oauth:2.0:oob"],
                scopes=scopes,
                now_ms=self.clock.ms(),
            )
            return await self.app[keys.TOKENS].issue(tx, app=number, account=account.id, scopes=parse_scopes(scopes))

        self.clock.advance(ms=5)
        return Reader(self, await self.db.write("a token", unit), account)

    async def stranger(self, name: str, domain: str = "far.example", **profile: Any) -> Account:
        self.clock.advance(ms=5)
        return await add_stranger(self.db, self.clock, name, domain, **profile)

    async def remote_post(self, author: Account, content: str = "<p>Far</p>", **fields: Any) -> StatusId:
        self.clock.advance(s=1)
        return (await add_post(self.db, self.clock, author, content, **fields)).id

    async def follow(self, follower: AccountId, target: AccountId) -> None:
        await self.db.write(
            "follow",
            lambda tx: relations.put_follow(
                tx, follower=follower, target=target, state="accepted", uri=None, now_ms=self.clock.ms()
            ),
        )

    async def suspend(self, uri: str, *, days: int = 30, reason: str = "It posts <b>spam</b>") -> str:
        """Hides an account by a decision, whose id is returned."""
        decision = await self.db.write(
            "decide",
            lambda tx: self.decisions.decide(
                tx,
                effect="suspend",
                subject=uri,
                rule="rules/2",
                reason=reason,
                until_ms=self.clock.ms() + days * 86_400_000,
                by_role="admin",
                now_ms=self.clock.ms(),
            ),
        )
        return decision.id


def serve_media(app: web.Application, db: Database, clock: FakeClock) -> None:
    config = app[keys.CONFIG]
    app[keys.FILES] = files = Files(config.media_dir)
    app[keys.UPLOADS] = Uploads(
        db=db,
        ids=app[keys.IDS],
        clock=clock,
        files=files,
        pictures=Pictures(max_pixels=config.media.max_image_pixels),
        limits=config.media,
    )

    async def copies(_app: web.Application) -> AsyncIterator[None]:
        remote = RemoteClient(public_host=config.public_host, version="test", allow_loopback=True)
        app[keys.REMOTE_COPIES] = found = RemoteCopies(
            remote=remote,
            clock=clock,
            folder=config.media_dir / "cache",
            limits=config.media,
            own_host=config.public_host,
        )
        yield
        await found.close()
        await remote.close()

    app.cleanup_ctx.append(copies)
    media_files.setup_routes(app)


async def open_api(db: Database, clock: FakeClock, tmp_path: Path, **settings: Any) -> Api:
    config = make_config(tmp_path, **settings)
    app = make_app(db, clock, config)
    uris = app[keys.URIS]
    instance = Account(
        id=AccountId(IdMaker(clock).next()),
        uri=uris.instance_actor,
        local=True,
        kind="Application",
        username="localhost",
        domain="",
        host=uris.host,
        url=f"{uris.origin}/about",
        inbox=uris.instance_actor_part("inbox"),
        created_at=clock.ms(),
    )
    await db.write("the instance", lambda tx: accounts.put_account(tx, instance))
    app[keys.HUB] = Hub()
    app[keys.ENTITIES] = Entities(config=config, uris=uris, clock=clock, decisions=app[keys.DECISIONS])
    app[keys.OUTBOX] = Outbox(
        Tools(
            db=db,
            clock=clock,
            ids=app[keys.IDS],
            uris=uris,
            hub=app[keys.HUB],
            policies=PolicyHost([Noop()]),
            refusals=app[keys.DECISIONS],
            posts=config.posts,
            media_base=f"{config.origin}/media/",
            instance_account=instance.id,
        )
    )
    app[LOOKUP] = FakeLookup()
    serve_media(app, db, clock)
    routes.setup_routes(app)
    client: TestClient[Any, Any] = TestClient(FrontServer(app))
    await client.start_server()
    return Api(db, clock, app, client)
