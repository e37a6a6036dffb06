"""The composition root: builds every part of an instance once, in order, and hands each what it needs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from fedi.activitypub.keys import SigningKey
from fedi.activitypub.rdf_worker import RdfWorker
from fedi.activitypub.uris import LocalUris
from fedi.activitypub.urls import UrlRules
from fedi.activitypub.urls import host as host_of
from fedi.auth.enrol import enrol_instance
from fedi.auth.grants import Grants
from fedi.auth.passwords import Passwords
from fedi.auth.sessions import Sessions
from fedi.auth.tokens import Tokens
from fedi.clock import Clock, SystemClock
from fedi.config import VERSION, Config, Rate
from fedi.errors import PeerFault
from fedi.feeds.page import Feeds
from fedi.ids import AccountId, IdMaker, StatusId
from fedi.inbox.accept import Parsed
from fedi.inbox.fetching import FetchingUnits
from fedi.inbox.lookups import Lookups
from fedi.inbox.pipeline import Pipeline
from fedi.inbox.rates import Rates
from fedi.inbox.receive import Inbox
from fedi.inbox.refresh import Refresher
from fedi.inbox.threads import Threads
from fedi.jobs.kinds import HOUR_MS
from fedi.jobs.periodic import Every, Maintenance
from fedi.jobs.runner import JobRunner
from fedi.ledger import intake
from fedi.ledger.decisions import Decisions
from fedi.media.files import Files
from fedi.media.pictures import Pictures
from fedi.media.remote_copies import RemoteCopies
from fedi.media.uploads import Uploads
from fedi.model.accounts import Account, ActorKey
from fedi.outbox.deliver import Deliverer
from fedi.outbox.outbox import Outbox
from fedi.outbox.quotes import quote_answered
from fedi.outbox.relays import ASK_RELAY
from fedi.outbox.seal import Sealer
from fedi.outbox.tools import Tools
from fedi.outbox.upkeep import Upkeep
from fedi.policies.host import PolicyHost
from fedi.policies.registry import load_policies
from fedi.remote.client import RemoteClient
from fedi.remote.keys import KeyRing, StoredKey
from fedi.remote.resolve import Resolver
from fedi.store import accounts, jobs, keys, statuses
from fedi.store.database import Database, Tx
from fedi.store.opening import open_database
from fedi.streaming.hub import Hub
from fedi.web import documents, federation, health, media, middleware, oauth
from fedi.web.entities.reader import Entities
from fedi.web.keys import (
    CLOCK,
    CONFIG,
    DATABASE,
    DECISIONS,
    ENTITIES,
    FEEDS,
    FILES,
    GRANTS,
    HUB,
    IDS,
    INBOX,
    LIMITS,
    MEDIA_URLS,
    OUTBOX,
    PASSWORDS,
    REMOTE_COPIES,
    SESSIONS,
    THREADS,
    TOKENS,
    UPLOADS,
    URIS,
)
from fedi.web.limits import Limits
from fedi.web.lookups import LOOKUP
from fedi.web.mastodon import routes as mastodon
from fedi.web.metrics import Metrics
from fedi.web.pages import routes as pages


@dataclass(kw_only=True)
class Instance:
    """Everything that runs, by name. Made by :func:`open_instance`; nothing in it is global."""

    config: Config
    clock: Clock
    ids: IdMaker
    uris: LocalUris
    rules: UrlRules
    database: Database
    decisions: Decisions
    policies: PolicyHost
    hub: Hub
    rdf: RdfWorker
    remote: RemoteClient
    resolver: Resolver
    keyring: KeyRing
    passwords: Passwords
    tokens: Tokens
    files: Files
    uploads: Uploads
    copies: RemoteCopies
    lookups: Lookups
    threads: Threads
    inbox: Inbox
    outbox: Outbox
    runner: JobRunner
    maintenance: Maintenance
    metrics: Metrics
    actor: Account

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Jobs run and figures are served while the context lasts; leases go back at its end."""
        metrics = await self.metrics.serve(self.config.metrics)
        await self.maintenance.start()
        await self.outbox.set_relays(self.config.federation.relays)
        if self.database.engine == "sqlite":
            # Nobody else holds the file: leases that stand are those of a process that was killed.
            await self.database.write("take leases back", lambda tx: jobs.release_expired(tx, now_ms=2**62))
        self.runner.start()
        try:
            yield
        finally:
            await self.runner.stop()
            if metrics is not None:
                await metrics.cleanup()


@asynccontextmanager
async def open_instance(config: Config, clock: Clock | None = None) -> AsyncIterator[Instance]:
    """Opens the database (migrating it), and everything that stands on it. Nothing listens and no job runs yet.

    Raises :class:`fedi.store.database.DatabaseBusy` when another process holds the database.
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        path = config.database_path
        database = await open_database(path if path is not None else config.database_dsn.reveal())
        stack.push_async_callback(database.close)
        ids = IdMaker(clock)
        uris = LocalUris.at(config.origin, config.handle_domain)
        rules = UrlRules(allow_http_loopback=config.instance.http)
        actor = await enrol_instance(database, uris=uris, ids=ids, clock=clock)
        decisions = Decisions(database)
        await decisions.load(clock.ms())
        remote = await stack.enter_async_context(_client(config, rules))
        # Slow inboxes keep their connections; fetching must not wait behind them.
        postman = await stack.enter_async_context(_client(config, rules, connections=1000))
        rdf = RdfWorker()
        stack.callback(rdf.close)
        passwords = Passwords()
        stack.callback(passwords.close)
        resolver, keyring = _identities(
            database=database,
            clock=clock,
            remote=remote,
            rules=rules,
            decisions=decisions,
            actor=actor,
            max_fetches=config.federation.fetches_per_activity,
        )
        files = Files(config.media_dir)
        hub = Hub()
        policies = PolicyHost(load_policies(config.policies.order), config.policies.settings)
        metrics = Metrics(database=database, clock=clock)
        units = FetchingUnits(
            db=database,
            clock=clock,
            ids=ids,
            uris=uris,
            decisions=decisions,
            resolver=resolver,
            keyring=keyring,
        )
        lookups = Lookups(units=units, rules=rules, clock=clock)
        tokens = Tokens(database=database, clock=clock)
        tools = Tools(
            db=database,
            clock=clock,
            ids=ids,
            uris=uris,
            hub=hub,
            policies=policies,
            refusals=decisions,
            people=lookups,
            posts=config.posts,
            media_base=f"{config.origin}/media/",
            instance_account=actor.id,
            forget_tokens=tokens.forget_all,
        )
        outbox = Outbox(tools)
        deliverer = Deliverer(
            db=database,
            clock=clock,
            client=postman,
            keys=keyring,
            sealer=Sealer(db=database, clock=clock, keys=keyring, worker=rdf),
            uris=uris,
            observe=metrics.count_delivery,
        )
        stack.push_async_callback(deliverer.close)
        await deliverer.load()
        uploads = Uploads(
            db=database,
            ids=ids,
            clock=clock,
            files=files,
            pictures=Pictures(max_pixels=config.media.max_image_pixels),
            limits=config.media,
        )
        copies = RemoteCopies(
            remote=remote,
            clock=clock,
            folder=config.media_dir / "remote",
            limits=config.media,
            own_host=config.public_host,
            is_refused=lambda url: decisions.refusal_of(url, clock.ms()) is not None,
        )
        stack.push_async_callback(copies.close)
        parsed = Parsed()
        pipeline = Pipeline(
            units=units,
            rules=rules,
            parsed=parsed,
            policies=policies,
            publish=hub.publish,
            worker=rdf,
            republish=partial(_republish, outbox),
        )
        threads, refresher = Threads(units), Refresher(units)
        upkeep = Upkeep(tools)
        maintenance = Maintenance(
            db=database,
            clock=clock,
            tasks={**upkeep.tasks(), ASK_RELAY: outbox.ask_relay},
            chores={
                **upkeep.chores(),
                "sweep-media": Every(period_ms=HOUR_MS, run=uploads.sweep),
                "forget-bodies": Every(period_ms=HOUR_MS, run=lambda: intake.forget_bodies(database, clock.ms())),
            },
        )
        runner = JobRunner(
            db=database,
            clock=clock,
            handlers={
                "inbox": pipeline.handle,
                "fetch_status": threads.fetch_status,
                "fetch_thread": threads.fetch_thread,
                "refresh_actor": refresher.refresh_actor,
                "deliver": deliverer.handle,
                "fan_out": deliverer.fan_out,
                "media": uploads.handle_job,
                "maintenance": maintenance.handle,
            },
        )
        inbox = Inbox(
            db=database,
            clock=clock,
            ids=ids,
            uris=uris,
            rules=rules,
            keyring=keyring,
            decisions=decisions,
            parsed=parsed,
            requests=_rates(config, clock, config.federation.inbox_rate, config.federation.inbox_burst),
            new_actors=_rates(config, clock, config.federation.new_actors_rate),
            decision_url=lambda decision: f"{config.origin}/fedi/decision/{decision}",
            on_verified=lambda host: deliverer.book.seen(host, clock.ms()),
        )
        instance = Instance(
            config=config,
            clock=clock,
            ids=ids,
            uris=uris,
            rules=rules,
            database=database,
            decisions=decisions,
            policies=policies,
            hub=hub,
            rdf=rdf,
            remote=remote,
            resolver=resolver,
            keyring=keyring,
            passwords=passwords,
            tokens=tokens,
            files=files,
            uploads=uploads,
            copies=copies,
            lookups=lookups,
            threads=threads,
            inbox=inbox,
            outbox=outbox,
            runner=runner,
            maintenance=maintenance,
            metrics=metrics,
            actor=actor,
        )
        stack.callback(hub.close)
        yield instance


def _client(config: Config, rules: UrlRules, *, connections: int = 200) -> RemoteClient:
    return RemoteClient(
        public_host=config.public_host,
        version=VERSION,
        allow_loopback=config.instance.http,
        rules=rules,
        connections=connections,
    )


def _rates(config: Config, clock: Clock, rate: Rate, burst: int | None = None) -> Rates:
    return Rates(clock=clock, count=rate.count, per_s=rate.per_s, burst=burst or rate.count, lifted=config.rates_lifted)


async def _republish(outbox: Outbox, tx: Tx, status: StatusId, now_ms: int) -> None:
    """The quoted author answered: everybody who has our post hears of it."""
    found = await statuses.find_status(tx, status)
    if found is not None:
        await quote_answered(outbox, tx, found, now_ms)


def _identities(
    *,
    database: Database,
    clock: Clock,
    remote: RemoteClient,
    rules: UrlRules,
    decisions: Decisions,
    actor: Account,
    max_fetches: int,
) -> tuple[Resolver, KeyRing]:
    """Who others are, and who we are to them: they need each other, and the store below them."""

    def may_ask(url: str) -> None:
        if decisions.refusal_of_host(host_of(url), clock.ms()) is not None:
            raise PeerFault("host-refused", "This server is refused here.", status=403, internal=url)

    async def instance_key() -> SigningKey:
        return await keyring.own_key(actor.id)

    async def find_stored(key_id: str) -> StoredKey | None:
        async def unit(tx: Tx) -> StoredKey | None:
            key = await keys.find_key(tx, key_id)
            owner = None if key is None else await accounts.find_account(tx, key.account)
            return None if key is None or owner is None else StoredKey(key=key, owner=owner.uri)

        return await database.read_now(unit)

    async def list_own(account: AccountId) -> list[ActorKey]:
        return await database.read(lambda tx: keys.own_keys(tx, account))

    resolver = Resolver(
        client=remote, rules=rules, clock=clock, may_ask=may_ask, instance_key=instance_key, max_fetches=max_fetches
    )
    keyring = KeyRing(resolver=resolver, rules=rules, clock=clock, find_stored=find_stored, list_own=list_own)
    return resolver, keyring


def build_web(instance: Instance) -> web.Application:
    """Every route of the instance, over the parts it needs."""
    config = instance.config
    app = web.Application(client_max_size=1024 * 1024)  # handlers of uploads allow themselves more
    app[CONFIG] = config
    app[CLOCK] = instance.clock
    app[IDS] = instance.ids
    app[URIS] = instance.uris
    app[DATABASE] = instance.database
    app[PASSWORDS] = instance.passwords
    app[TOKENS] = instance.tokens
    app[GRANTS] = Grants(database=instance.database, tokens=instance.tokens, clock=instance.clock, ids=instance.ids)
    app[SESSIONS] = Sessions(database=instance.database, clock=instance.clock)
    app[LIMITS] = Limits(clock=instance.clock, lifted=config.rates_lifted)
    app[FEEDS] = Feeds(instance.clock)
    app[DECISIONS] = instance.decisions
    app[ENTITIES] = Entities(config=config, uris=instance.uris, clock=instance.clock, decisions=instance.decisions)
    app[MEDIA_URLS] = app[ENTITIES].urls
    app[HUB] = instance.hub
    app[FILES] = instance.files
    app[UPLOADS] = instance.uploads
    app[OUTBOX] = instance.outbox
    app[LOOKUP] = instance.lookups
    app[REMOTE_COPIES] = instance.copies
    app[INBOX] = instance.inbox
    app[THREADS] = instance.threads
    documents.setup(app)
    middleware.install(app)
    app.add_routes([*health.routes(), *federation.routes(), *oauth.routes(), *pages.routes()])
    media.setup_routes(app)
    mastodon.setup_routes(app)
    return app
