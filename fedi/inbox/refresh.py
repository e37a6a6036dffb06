"""Keeps accounts of other servers fresh: their documents, newest and pinned posts, and who follows them."""

from fedi.activitypub.followers_sync import followers_digest
from fedi.activitypub.urls import same_origin
from fedi.activitypub.vocab import ActorDocument, Collection, Embedded, id_of
from fedi.errors import PeerFault, Unreachable
from fedi.ids import AccountId, StatusId
from fedi.inbox.actors import put_actor
from fedi.inbox.fetching import FetchingUnits
from fedi.inbox.world import World
from fedi.jobs.runner import DONE, Result
from fedi.store import accounts, interactions, relations
from fedi.store.database import Tx
from fedi.store.jobs import Job

BACKFILLED = 20
MAX_SYNC_PAGES = 10
MAX_PINS = 20


class Refresher:
    """The handler of job kind ``refresh_actor``."""

    def __init__(self, units: FetchingUnits) -> None:
        self._units = units

    async def refresh_actor(self, job: Job) -> Result:
        """Payload: ``actor``; with ``outbox`` also its newest posts; with ``followers`` (a claim of FEP-8fcf) instead
        which people here it believes to follow it."""
        data = job.data
        uri = str(data["actor"])
        if "followers" in data:
            await self._synchronise(uri, data["followers"])
            return DONE
        try:
            resolved = await self._units.resolver.with_budget().fetch_actor(uri)
        except PeerFault as fault:
            if fault.code == "remote-gone":
                await self._mark_gone(uri)
            return DONE
        now_ms = self._units.clock.ms()
        await self._units.db.write(
            "refresh an account", lambda tx: put_actor(tx, resolved, ids=self._units.ids, now_ms=now_ms)
        )  # fmt: skip
        self._units.keyring.forget(resolved.document.key_ids)
        if data.get("outbox"):
            await self._backfill(resolved.document)
        return DONE

    async def _mark_gone(self, uri: str) -> None:
        now_ms = self._units.clock.ms()

        async def unit(tx: Tx) -> None:
            found = await accounts.find_by_uri(tx, uri)
            if found is not None and not found.local:
                await relations.drop_relations(tx, found.id)
                await accounts.mark_gone(tx, found.id, now_ms)

        await self._units.db.write("an account is gone", unit)

    async def _backfill(self, actor: ActorDocument) -> None:
        """The newest posts and the pinned ones, so that a profile that is followed is not empty."""
        pinned = await self._posts_in(actor.featured, actor, MAX_PINS)
        if pinned:
            await self._pin(actor.id, pinned)
        await self._posts_in(actor.outbox, actor, BACKFILLED)

    async def _posts_in(self, collection: str | None, actor: ActorDocument, most: int) -> list[StatusId]:
        """Stored posts of the actor itself, in the order of the collection."""
        if collection is None or not same_origin(collection, actor.id):
            return []
        uris: list[str] = []
        try:
            async for items, _ in self._units.resolver.with_budget().list_pages(collection, max_pages=1):
                uris += [uri for item in items if (uri := _post_uri(item)) is not None]
                if len(uris) >= most:
                    break
        except (PeerFault, Unreachable):
            pass
        kept: list[StatusId] = []
        for uri in uris[:most]:
            found = await self._fetch_own(uri, actor)
            if found is not None:
                kept.append(found)
        return kept

    async def _fetch_own(self, uri: str, actor: ActorDocument) -> StatusId | None:
        async def unit(world: World) -> StatusId | None:
            brief = await world.get_status(uri)
            return brief.id if brief.author == actor.id else None

        try:
            return await self._units.run("backfill", unit)
        except (PeerFault, Unreachable):
            return None

    async def _pin(self, actor: str, pinned: list[StatusId]) -> None:
        now_ms = self._units.clock.ms()

        async def unit(tx: Tx) -> None:
            account = await accounts.find_id_by_uri(tx, actor)
            if account is not None:
                await interactions.replace_pins(tx, account, pinned, now_ms)

        await self._units.db.write("pin", unit)

    async def _synchronise(self, actor: str, claim: dict[str, str]) -> None:
        """Drops follows of ours that the other side does not know (FEP-8fcf), if its list reproduces its digest."""
        account = await self._units.db.read(lambda tx: accounts.find_by_uri(tx, actor))
        if account is None or account.followers_uri != claim["collection"]:
            return
        if not same_origin(claim["url"], actor):
            return
        ours = await self._units.db.read(lambda tx: _local_followers(tx, account.id))
        if followers_digest(ours) == claim["digest"]:
            return
        signer = await self._units.local_signer(tuple(ours[:1]))
        listed: list[str] = []
        async for items, _ in self._units.resolver.with_budget().list_pages(
            claim["url"], max_pages=MAX_SYNC_PAGES, signer=signer
        ):
            listed += [uri for item in items if (uri := id_of(item)) is not None]
        mine = [uri for uri in listed if self._units.uris.is_local(uri)]
        if followers_digest(mine) != claim["digest"]:
            return

        async def unit(tx: Tx) -> None:
            for uri in await _local_followers(tx, account.id):
                if uri not in mine:
                    follower = await accounts.find_id_by_uri(tx, uri)
                    if follower is not None:
                        await relations.drop_follow(tx, follower, account.id)

        await self._units.db.write("synchronise followers", unit)


async def _local_followers(tx: Tx, account: AccountId) -> list[str]:
    people = await accounts.find_many(tx, await relations.list_local_followers(tx, account))
    return [person.uri for person in people.values()]


def _post_uri(item: str | Embedded | Collection) -> str | None:
    """An entry of an outbox is a Create, by id or in full, or the post itself."""
    if isinstance(item, str):
        return item
    if isinstance(item, Embedded) and item.type == "Create":
        inner = item.raw.get("object")
        found = inner.get("id") if isinstance(inner, dict) else inner
        return found if isinstance(found, str) else None
    return id_of(item) if isinstance(item, Embedded) and item.type != "Announce" else None
