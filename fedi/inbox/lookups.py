"""Asking other servers because somebody here wants to: a handle typed into a search, a URL pasted, a name mentioned.

What is found is stored like anything else that comes from outside, behind the same authority rules.
"""

from functools import partial
from typing import NamedTuple

from fedi.activitypub.urls import UrlRules, is_url
from fedi.activitypub.vocab import ActorDocument, ParsedObject
from fedi.activitypub.webfinger import find_handle
from fedi.clock import Clock
from fedi.errors import PeerFault, Unreachable
from fedi.ids import AccountId, StatusId
from fedi.inbox.fetching import FetchingUnits
from fedi.inbox.world import Fetched, World
from fedi.store import accounts
from fedi.store import inbox as briefs
from fedi.store.database import Tx

FRESH_MS = 24 * 3600 * 1000  # an account read within a day is not asked for again


class Found(NamedTuple):
    """What a URL named: at most one of the two."""

    account: AccountId | None = None
    status: StatusId | None = None


class Lookups:
    """Finds, fetches and stores; what cannot be had now is not found. Never called inside a transaction."""

    def __init__(self, *, units: FetchingUnits, rules: UrlRules, clock: Clock) -> None:
        self._units = units
        self._rules = rules
        self._clock = clock

    async def find_by_handle(self, username: str, domain: str) -> AccountId | None:
        """The account behind ``username@domain``, which is another server's."""
        handle = find_handle(f"{username}@{domain}")
        if handle is None:
            return None

        async def known(tx: Tx) -> tuple[AccountId, int] | None:
            found = await accounts.find_by_handle(tx, handle.user, handle.domain)
            return None if found is None or found.gone_at else (found.id, found.fetched_at or 0)

        stored = await self._units.db.read(known)
        if stored is not None and self._clock.ms() - stored[1] < FRESH_MS:
            return stored[0]
        try:
            actor = await self._units.resolver.with_budget().resolve_handle(handle)
            uri = actor.document.id
            fetched = Fetched(actors={uri: actor})
            account = await self._units.run("store a found actor", partial(_store_actor, uri=uri), fetched=fetched)
        except (PeerFault, Unreachable):
            return None if stored is None else stored[0]
        return account

    async def find_actor(self, uri: str) -> AccountId | None:
        """The actor whose document is at ``uri`` now; None when something else is there, or nothing.

        Raises :class:`Unreachable`, and :class:`PeerFault` for an actor that may not be stored.
        """
        resolver = self._units.resolver.with_budget()
        try:
            found = await resolver.fetch_object(uri)
        except PeerFault:
            return None
        if not isinstance(found, ActorDocument):
            return None
        fetched = Fetched(actors={found.id: await resolver.with_handle(found)})
        return await self._units.run("store a found actor", partial(_store_actor, uri=found.id), fetched=fetched)

    async def find_by_url(self, url: str) -> Found:
        """What a URI, or the address of a page at another server, names."""
        if not is_url(url, self._rules) or self._units.uris.is_on_our_host(url):
            return Found()
        stored = await self._units.db.read(partial(_find_stored, url=url))
        if stored is not None:
            return stored
        resolver = self._units.resolver.with_budget()
        try:
            found = await resolver.fetch_object(url)
            if isinstance(found, ActorDocument):
                fetched = Fetched(actors={found.id: await resolver.with_handle(found)})
                store = partial(_store_actor, uri=found.id)
                return Found(
                    account=await self._units.run("store a found actor", store, fetched=fetched, resolver=resolver)
                )
            uri = _uri_of(found)
            if uri is None:
                return Found()
            fetched = Fetched(objects={uri: found})
            status = await self._units.run(
                "store a found post", partial(_store_status, uri=uri), fetched=fetched, resolver=resolver
            )
        except (PeerFault, Unreachable):
            return Found()
        return Found(status=status)


def _uri_of(found: ParsedObject) -> str | None:
    return getattr(found, "id", None)


async def _find_stored(tx: Tx, url: str) -> Found | None:
    account = await accounts.find_by_uri(tx, url)
    if account is not None:
        return Found(account=account.id)
    status = await briefs.find_status(tx, url)
    return None if status is None or status.deleted_at is not None else Found(status=status.id)


async def _store_actor(world: World, *, uri: str) -> AccountId:
    return (await world.fetch_account(uri)).id


async def _store_status(world: World, *, uri: str) -> StatusId:
    return (await world.get_status(uri)).id
