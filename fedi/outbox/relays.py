"""Joining and leaving relays (FEP-ae0c, as Mastodon does it): the server follows the public at the relay's inbox, and
from its Accept on public posts go there too."""

from collections.abc import Sequence

from fedi.activitypub.addressing import PUBLIC
from fedi.activitypub.render_activities import Document, render_follow, render_undo
from fedi.model.accounts import Account
from fedi.model.relations import FollowerInbox
from fedi.outbox.acts import HIGH, Acts
from fedi.outbox.address import to_destinations
from fedi.store import relays
from fedi.store.database import Tx


class RelayActs(Acts):
    """Acts of the server's own actor."""

    async def set_relays(self, inboxes: Sequence[str]) -> None:
        """Asks the relays that are new on the list, and leaves those that are no longer on it. At every start."""
        server_id = self.tools.instance_account
        if server_id is None:
            return
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            server = await self.other(tx, server_id)
            known = {relay.inbox: relay for relay in await relays.list_relays(tx)}
            for inbox in inboxes:
                if inbox in known:
                    continue
                uri = self.uris.instance_activity(self.tools.ids.next())
                await relays.put_relay(tx, inbox=inbox, actor=None, follow_uri=uri, now_ms=now_ms)
                await self._post(tx, render_follow(uri=uri, actor=server.uri, target=PUBLIC), server, inbox, now_ms)
            for inbox in known.keys() - set(inboxes):
                relay = await relays.drop_relay(tx, inbox)
                if relay is not None and relay.state != "rejected":
                    follow = render_follow(uri=relay.follow_uri, actor=server.uri, target=PUBLIC)
                    uri = self.uris.instance_activity(self.tools.ids.next())
                    await self._post(tx, render_undo(uri=uri, activity=follow), server, inbox, now_ms)

        await self.db.write("set relays", act)

    async def _post(self, tx: Tx, document: Document, server: Account, inbox: str, now_ms: int) -> None:
        to = to_destinations([FollowerInbox(inbox=inbox, host="", recipients=0)], self.tools.refusals, now_ms)
        await self.send(tx, document, by=server, to=to, now_ms=now_ms, priority=HIGH)
