"""Joining and leaving relays, and telling them of public posts (FEP-ae0c).

Of Mastodon's kind the settings name the inbox: the server follows the public there, and from its Accept on public posts
go there as they are. Of LitePub's kind they name the relay's actor: the server follows that, is followed back, and
announces public posts to it. All of it is signed by the server's own actor.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from fedi.activitypub.addressing import PUBLIC, Audience
from fedi.activitypub.render_activities import Document, render_announce, render_follow, render_undo
from fedi.errors import PeerFault
from fedi.ids import AccountId
from fedi.jobs.runner import ENDED, Dead, Result
from fedi.model.accounts import Account
from fedi.model.relations import FollowerInbox
from fedi.model.statuses import Status
from fedi.outbox.acts import HIGH, Acts
from fedi.outbox.address import to_destinations
from fedi.store import accounts, jobs, relations, relays
from fedi.store.database import Tx
from fedi.store.deliveries import Destination
from fedi.store.jobs import Job
from fedi.store.relays import Relay

ASK_RELAY = "ask-relay"  # a task of the job kind ``maintenance``


class RelayActs(Acts):
    """Acts of the server's own actor."""

    async def set_relays(self, urls: Sequence[str]) -> None:
        """Asks the relays that are new on the list, and leaves those that are no longer on it. At every start."""
        server_id = self.tools.instance_account
        if server_id is None:
            return
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            server = await self.other(tx, server_id)
            known = {relay.url: relay for relay in await relays.list_relays(tx)}
            for url in urls:
                if url not in known:
                    await self._join(tx, url, server, now_ms)
                elif known[url].state == "new":
                    await _ask_later(tx, url, now_ms)
            for url in known.keys() - set(urls):
                await self._leave(tx, url, server, now_ms)

        await self.db.write("set relays", act)

    async def ask_relay(self, job: Job) -> Result:
        """The task: looks what is at the URL of a new relay, and asks it in the way of its kind.

        Raises :class:`fedi.errors.Unreachable`.
        """
        url = str(job.data["url"])
        server_id = self.tools.instance_account
        try:
            found = await self.tools.people.find_actor(url)
        except PeerFault as fault:
            return Dead(error=fault.code)
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            await jobs.finish(tx, job.id)
            relay = await relays.find_by_url(tx, url)
            if relay is None or relay.state != "new" or server_id is None:
                return  # taken off the list meanwhile
            await relays.drop_relay(tx, url)
            server = await self.other(tx, server_id)
            if found is None:
                await self._ask_at(tx, url, None, server, now_ms)
            else:
                await self._ask_at(tx, url, await self.other(tx, found), server, now_ms)

        await self.db.write("ask a relay", act)
        return ENDED

    async def _join(self, tx: Tx, url: str, server: Account, now_ms: int) -> None:
        if urlsplit(url).path.endswith("/inbox"):
            await self._ask_at(tx, url, None, server, now_ms)
            return
        uri = self.uris.instance_activity(self.tools.ids.next())
        await relays.put_relay(tx, url=url, inbox=url, actor=None, follow_uri=uri, state="new", now_ms=now_ms)
        await _ask_later(tx, url, now_ms)

    async def _ask_at(self, tx: Tx, url: str, actor: Account | None, server: Account, now_ms: int) -> None:
        """``actor`` is None for Mastodon's kind."""
        relay = await relays.put_relay(
            tx,
            url=url,
            inbox=url if actor is None else actor.inbox,
            actor=None if actor is None else actor.uri,
            followed=PUBLIC if actor is None else actor.uri,
            follow_uri=self.uris.instance_activity(self.tools.ids.next()),
            now_ms=now_ms,
        )
        await self._post(tx, _follow(relay, server), relay, server, now_ms)

    async def _leave(self, tx: Tx, url: str, server: Account, now_ms: int) -> None:
        relay = await relays.drop_relay(tx, url)
        if relay is None or relay.state in {"new", "rejected"}:
            return
        uri = self.uris.instance_activity(self.tools.ids.next())
        await self._post(tx, render_undo(uri=uri, activity=_follow(relay, server)), relay, server, now_ms)
        actor = await accounts.find_by_uri(tx, relay.actor) if relay.actor is not None else None
        if actor is not None:
            await relations.drop_follow(tx, follower=actor.id, target=server.id)

    async def _post(self, tx: Tx, document: Document, relay: Relay, server: Account, now_ms: int) -> None:
        to = _destinations(self, [relay], now_ms)
        await self.send(tx, document, by=server, to=to, now_ms=now_ms, priority=HIGH)


async def announce_to_relays(acts: Acts, tx: Tx, status: Status, now_ms: int) -> None:
    """Tells the relays of LitePub's kind of a public post. They have it then: they hear of its changes like others."""
    to = _destinations(acts, [relay for relay in await relays.list_accepted(tx) if relay.is_actor], now_ms)
    server_id = acts.tools.instance_account
    if not to or server_id is None:
        return
    server = await acts.other(tx, AccountId(server_id))
    document = render_announce(
        uri=acts.uris.instance_activity(acts.tools.ids.next()),
        actor=server.uri,
        object_uri=status.uri,
        audience=Audience(to=(acts.uris.instance_actor_part("followers"),), cc=(PUBLIC,)),
        published_ms=now_ms,
    )
    await acts.send(tx, document, by=server, to=to, now_ms=now_ms, status=status.id)


def _destinations(acts: Acts, some: Sequence[Relay], now_ms: int) -> list[Destination]:
    inboxes = [FollowerInbox(inbox=relay.inbox, host="", recipients=0) for relay in some]
    return to_destinations(inboxes, acts.tools.refusals, now_ms)


def _follow(relay: Relay, server: Account) -> Document:
    return render_follow(uri=relay.follow_uri, actor=server.uri, target=relay.followed)


async def _ask_later(tx: Tx, url: str, now_ms: int) -> None:
    dedup = f"{ASK_RELAY}:{url}"
    await jobs.enqueue(tx, "maintenance", {"task": ASK_RELAY, "url": url}, dedup=dedup, now_ms=now_ms)
