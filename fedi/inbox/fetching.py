"""The unit asks, we fetch: runs a unit of work, and when it lacks a document of another server, rolls back, fetches
with no transaction open, and runs it again. The common case lacks nothing and costs one hop."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from fedi.activitypub.keys import SigningKey
from fedi.activitypub.uris import LocalUris
from fedi.clock import Clock
from fedi.errors import PeerFault, Unreachable
from fedi.ids import AccountId, IdMaker
from fedi.inbox.apply import put_post
from fedi.inbox.world import Fetched, Need, World
from fedi.ledger.decisions import Decisions
from fedi.remote.keys import KeyRing
from fedi.remote.resolve import Resolver
from fedi.store import accounts
from fedi.store.database import Database, Tx, UniqueViolation

T = TypeVar("T")
MAX_ROUNDS = 64  # each brings one document or its fault; the budget of the resolver ends it earlier


class FetchingUnits:
    """``resolver`` and ``keyring`` reach out; everything else is for the :class:`World` of each unit."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        ids: IdMaker,
        uris: LocalUris,
        decisions: Decisions,
        resolver: Resolver,
        keyring: KeyRing,
    ) -> None:
        self.db = db
        self.clock = clock
        self.ids = ids
        self.uris = uris
        self.decisions = decisions
        self.resolver = resolver
        self.keyring = keyring

    def world(self, tx: Tx, fetched: Fetched) -> World:
        return World(
            tx=tx,
            now_ms=self.clock.ms(),
            uris=self.uris,
            ids=self.ids,
            decisions=self.decisions,
            fetched=fetched,
            put_post=put_post,
        )

    async def run(
        self,
        why: str,
        unit: Callable[[World], Coroutine[Any, Any, T]],
        *,
        fetched: Fetched | None = None,
        resolver: Resolver | None = None,
        signer: Callable[[], Awaitable[SigningKey | None]] | None = None,
    ) -> T:
        """What ``unit`` returns. ``signer`` gives the key of somebody here who may read what the server may not.

        Raises what the unit raises, :class:`PeerFault` and :class:`Unreachable` among it.
        """
        known = fetched or Fetched()
        limited = resolver or self.resolver.with_budget()

        async def in_world(tx: Tx) -> T:
            return await unit(self.world(tx, known))

        collided = False
        for _ in range(MAX_ROUNDS):
            try:
                return await self.db.write(why, in_world)
            except Need as need:
                await self._fetch(need, known, limited, await signer() if signer is not None else None)
            except UniqueViolation:
                if collided:
                    raise
                collided = True  # PostgreSQL: another process stored the same thing; now it is there to be found
        raise PeerFault("too-many-fetches", internal=why)

    async def _fetch(self, need: Need, known: Fetched, resolver: Resolver, signer: SigningKey | None) -> None:
        try:
            if need.kind == "actor":
                resolved = await resolver.fetch_actor(need.uri)
                known.actors[need.uri] = resolved
                known.actors[resolved.document.id] = resolved
                self.keyring.forget(resolved.document.key_ids)
            else:
                known.objects[need.uri] = await resolver.fetch_object(need.uri, signer=signer)
        except (PeerFault, Unreachable) as fault:
            (known.actors if need.kind == "actor" else known.objects)[need.uri] = fault

    async def local_signer(self, uris: tuple[str, ...]) -> SigningKey | None:
        """The key of the first local account among ``uris``."""
        for uri in uris:
            if self.uris.find_username(uri) is None:
                continue
            account: AccountId | None = await self.db.read(lambda tx: accounts.find_id_by_uri(tx, uri))  # noqa: B023
            if account is not None:
                return await self.keyring.own_key(account)
        return None
