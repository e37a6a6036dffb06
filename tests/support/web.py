"""A web application with the real parts sign-in and pages need, over a test's own database."""

import re
from html import unescape
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

from fedi.activitypub.uris import LocalUris
from fedi.auth.grants import Grants
from fedi.auth.passwords import Passwords, hash_password
from fedi.auth.sessions import Sessions
from fedi.auth.tokens import Tokens
from fedi.config import Config, Domain, InstanceConfig, LimitsConfig, Secret, ServerConfig
from fedi.feeds.page import Feeds
from fedi.ids import AccountId, IdMaker, StatusId
from fedi.ledger import slots
from fedi.ledger.decisions import Decisions
from fedi.model.accounts import Account
from fedi.model.statuses import Status
from fedi.model.users import LocalUser
from fedi.store import accounts, statuses, users
from fedi.store.database import Database, Tx
from fedi.web import keys, middleware, oauth
from fedi.web.entities.media import MediaUrls
from fedi.web.limits import Limits
from fedi.web.pages import routes as pages
from tests.support.clocks import FakeClock

PASSWORD = "correct horse battery"
_HASH = hash_password(PASSWORD)


def make_config(tmp_path: Path, *, http: bool = True, domain: str = "localhost:8080", **sections: Any) -> Config:
    instance = sections.pop("instance", {})
    return Config(
        state_dir=tmp_path,
        instance=InstanceConfig(domain=Domain(domain), http=http, **({"title": "Test house"} | instance)),
        server=sections.pop("server", ServerConfig(secret=Secret("a secret of this test"))),
        limits=sections.pop("limits", LimitsConfig()),
        **sections,
    )


def make_app(db: Database, clock: FakeClock, config: Config) -> web.Application:
    """What these tests need of the application: real parts, joined as the composition root joins them."""
    app = web.Application()
    ids = IdMaker(clock)
    tokens = Tokens(database=db, clock=clock)
    app[keys.CONFIG] = config
    app[keys.CLOCK] = clock
    app[keys.IDS] = ids
    app[keys.URIS] = LocalUris.at(config.origin, config.handle_domain)
    app[keys.DATABASE] = db
    app[keys.PASSWORDS] = passwords = Passwords()
    app[keys.TOKENS] = tokens
    app[keys.GRANTS] = Grants(database=db, tokens=tokens, clock=clock, ids=ids)
    app[keys.SESSIONS] = Sessions(database=db, clock=clock)
    app[keys.LIMITS] = Limits(clock=clock, lifted=config.rates_lifted)
    app[keys.FEEDS] = Feeds(clock)
    app[keys.DECISIONS] = Decisions(db)
    app[keys.MEDIA_URLS] = MediaUrls.of(config)
    middleware.install(app)
    app.add_routes(oauth.routes())
    app.add_routes(pages.routes())

    async def close(_app: web.Application) -> None:
        passwords.close()

    app.on_cleanup.append(close)
    return app


async def add_person(
    db: Database, uris: LocalUris, clock: FakeClock, name: str = "alice", *, confirmed: bool = True, **profile: Any
) -> Account:
    """A person who can sign in with :data:`PASSWORD`; no keys, so it cannot federate."""
    account = Account(
        id=AccountId(IdMaker(clock).next()),
        uri=uris.actor(name),
        local=True,
        kind="Person",
        username=name,
        domain="",
        host=uris.host,
        url=uris.profile_page(name),
        inbox=uris.inbox(name),
        created_at=clock.ms(),
        **profile,
    )
    user = LocalUser(
        account=account.id,
        email=f"{name}@mail.example",
        password_hash=_HASH,
        confirmed_at=clock.ms() if confirmed else None,
        created_at=clock.ms(),
    )

    async def unit(tx: Tx) -> None:
        await accounts.put_account(tx, account)
        await users.put_user(tx, user)

    await db.write("add a person", unit)
    return account


async def add_stranger(db: Database, clock: FakeClock, name: str, domain: str, **profile: Any) -> Account:
    """An account of another server."""
    uri = f"https://{domain}/users/{name}"
    account = Account(
        id=AccountId(IdMaker(clock).next()),
        uri=uri,
        local=False,
        kind="Person",
        username=name,
        domain=domain,
        host=domain,
        url=f"https://{domain}/@{name}",
        inbox=f"{uri}/inbox",
        created_at=clock.ms(),
        **profile,
    )
    return await db.write("add a stranger", lambda tx: accounts.put_account(tx, account))


async def add_post(db: Database, clock: FakeClock, author: Account, content: str, **fields: Any) -> Status:
    """A post with its slots, ready to be read. ``reply_to`` is a Status."""
    ids = IdMaker(clock)
    parent: Status | None = fields.pop("reply_to", None)
    visibility = fields.pop("visibility", "public")
    tag = f"{author.uri}/statuses/{ids.next()}"

    async def unit(tx: Tx) -> Status:
        places = await slots.open_object(
            tx,
            uri=tag,
            account=author.id,
            author_uri=author.uri,
            host=author.host,
            visibility=visibility,
            local=author.local,
            is_reply_to_uri=parent.uri if parent else None,
            tags=(),
            boost_of=fields.pop("boost_of", None),
            delivered=True,
            published_at_ms=clock.ms(),
            body_hash=b"0" * 32,
            now_ms=clock.ms(),
            ids=ids,
        )
        status = Status(
            id=StatusId(places.n),
            uri=tag,
            account=author.id,
            local=author.local,
            kind=fields.pop("kind", "Note"),
            visibility=visibility,
            content=content,
            thread=parent.thread if parent else StatusId(places.n),
            in_reply_to=parent.id if parent else None,
            in_reply_to_uri=parent.uri if parent else None,
            in_reply_to_account=parent.account if parent else None,
            created_at=clock.ms(),
            **fields,
        )
        await statuses.put_status(tx, status)
        await slots.mark_ready(tx, places.n, clock.ms())
        return status

    return await db.write("add a post", unit)


def fields_of(page: str) -> dict[str, str]:
    """The hidden fields of the form that a person would send (the last on the page with a token)."""
    form = [text for text in re.findall(r"<form.*?</form>", page, re.DOTALL) if "form_token" in text][-1]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", form):
        name = re.search(r'name="([^"]*)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        assert name and value
        found[unescape(name[1])] = unescape(value[1])
    return found


async def sign_in_as(client: TestClient, login: str = "alice", password: str = PASSWORD, *, goto: str = "/") -> Any:
    """Walks through the sign-in form; the client keeps the cookies. Returns the answer, redirects not followed."""
    page = await (await client.get("/auth/sign-in", params={"next": goto})).text()
    return await client.post(
        "/auth/sign-in", data=fields_of(page) | {"login": login, "password": password}, allow_redirects=False
    )
