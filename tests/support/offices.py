"""An outbox over a database, with local people, known strangers, and a look at what would leave.

office = Office(db, clock)
ann = await office.person("ann")                       # local, with keys
bob = await office.stranger("bob", "there.example")    # remote, or of a FakePeer: known(peer_actor)
await office.outbox.post(ann.id, Draft(text="Hello"))
[create] = await office.sent()                         # documents on their way out, oldest first
"""

import json
from functools import cache
from typing import Any

from fedi.activitypub.keys import KeyPair, generate_ed25519, generate_rsa
from fedi.activitypub.uris import LocalUris
from fedi.activitypub.urls import host as host_of
from fedi.clock import Clock
from fedi.config import PostsConfig
from fedi.ids import AccountId, IdMaker
from fedi.ledger.decisions import Decisions
from fedi.model.accounts import Account, ActorKey
from fedi.model.statuses import Status
from fedi.model.users import LocalUser
from fedi.outbox.outbox import Outbox
from fedi.outbox.tools import Nobody, PeopleFinder, Tools
from fedi.policies.host import PolicyHost
from fedi.policies.noop import Noop
from fedi.store import accounts, jobs, keys, notifications, relations, statuses, users
from fedi.store.database import Database, Tx
from fedi.streaming.hub import Hub
from tests.support.peers import PeerActor

ORIGIN = "https://here.example"


@cache
def rsa_pair(number: int) -> KeyPair:
    return generate_rsa()


class Office:
    def __init__(
        self,
        db: Database,
        clock: Clock,
        *,
        origin: str = ORIGIN,
        people: PeopleFinder | None = None,
        posts: PostsConfig | None = None,
        policies: PolicyHost | None = None,
    ) -> None:
        self.db = db
        self.clock = clock
        self.ids = IdMaker(clock)
        self.uris = LocalUris.at(origin)
        self.hub = Hub()
        self.decisions = Decisions(db)
        self.tools = Tools(
            db=db,
            clock=clock,
            ids=self.ids,
            uris=self.uris,
            hub=self.hub,
            policies=policies or PolicyHost([Noop()]),
            refusals=self.decisions,
            people=people or Nobody(),
            posts=posts or PostsConfig(),
            media_base=f"{origin}/media/",
        )
        self.outbox = Outbox(self.tools)
        self._made = 0

    async def person(self, name: str, **changes: Any) -> Account:
        """A local account with keys and a user."""
        uris = self.uris
        rsa, ed = rsa_pair(self._made), generate_ed25519()
        self._made += 1
        account = Account(
            **{
                "id": AccountId(self.ids.next()),
                "uri": uris.actor(name),
                "local": True,
                "kind": "Person",
                "username": name,
                "domain": "",
                "host": host_of(uris.origin),
                "url": uris.profile_page(name),
                "inbox": uris.inbox(name),
                "shared_inbox": uris.shared_inbox,
                "outbox": uris.outbox(name),
                "followers_uri": uris.followers(name),
                "following_uri": uris.following(name),
                "featured_uri": uris.featured(name),
                "created_at": self.clock.ms(),
                **changes,
            }
        )
        now = self.clock.ms()
        own = [
            ActorKey(
                id=uris.rsa_key(name),
                account=account.id,
                kind="rsa",
                public_key=rsa.public_pem,
                private_key=rsa.private_pem,
                created_at=now,
            ),
            ActorKey(
                id=uris.ed25519_key(name),
                account=account.id,
                kind="ed25519",
                public_key=ed.public_multibase,
                private_key=ed.private_pem,
                created_at=now,
            ),
        ]

        async def unit(tx: Tx) -> Account:
            stored = await accounts.put_account(tx, account)
            await keys.put_keys(tx, own)
            await users.put_user(tx, LocalUser(account=account.id, created_at=now, confirmed_at=now))
            return stored

        return await self.db.write("a person", unit)

    async def stranger(self, name: str, host: str, *, shared: bool = True, **changes: Any) -> Account:
        """A remote account that we know."""
        uri = f"https://{host}/users/{name}"
        return await self.put(
            uri=uri,
            username=name,
            domain=host,
            host=host,
            inbox=f"{uri}/inbox",
            shared_inbox=f"https://{host}/inbox" if shared else None,
            followers_uri=f"{uri}/followers",
            url=f"https://{host}/@{name}",
            **changes,
        )

    async def known(self, actor: PeerActor, **changes: Any) -> Account:
        """An actor of a FakePeer as a stored account."""
        document = actor.document
        return await self.put(
            uri=actor.id,
            username=actor.name,
            domain=actor.id.split("/")[2],
            host=host_of(actor.id),
            inbox=document["inbox"],
            shared_inbox=document.get("endpoints", {}).get("sharedInbox"),
            followers_uri=document.get("followers"),
            url=document.get("url", ""),
            **changes,
        )

    async def put(self, **values: Any) -> Account:
        account = Account(
            **{
                "id": AccountId(self.ids.next()),
                "local": False,
                "kind": "Person",
                "created_at": self.clock.ms(),
                **values,
            }
        )
        return await self.db.write("a stranger", lambda tx: accounts.put_account(tx, account))

    async def follows(self, follower: Account, target: Account, **options: Any) -> None:
        await self.db.write(
            "a follow",
            lambda tx: relations.put_follow(
                tx,
                follower=follower.id,
                target=target.id,
                state="accepted",
                uri=f"{follower.uri}/follows/1",
                now_ms=self.clock.ms(),
                **options,
            ),
        )

    async def remote_status(self, author: Account, **changes: Any) -> Status:
        """A post by a stranger, as the inbox would have stored it."""
        number = self.ids.next()
        uri = f"{author.uri}/statuses/{number}"
        status = Status(
            **{
                "id": number,
                "uri": uri,
                "account": author.id,
                "local": False,
                "kind": "Note",
                "visibility": "public",
                "content": "<p>Hi</p>",
                "url": uri,
                "thread": number,
                "conversation_uri": f"{uri}/context",
                "created_at": self.clock.ms(),
                **changes,
            }
        )
        await self.db.write("a post", lambda tx: statuses.put_status(tx, status))
        return status

    async def status(self, number: int) -> Status:
        found = await self.db.read(lambda tx: statuses.find_status(tx, number))
        assert found is not None
        return found

    async def sent(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Activities handed to deliveries, oldest first, each with ``inboxes``."""
        rows = await self.db.read(
            lambda tx: tx.all(
                "SELECT o.activity, o.body, o.unsealed FROM outgoing o JOIN delivery d ON d.activity = o.activity"
                " GROUP BY o.activity, o.body, o.unsealed ORDER BY min(d.id)"
            )
        )
        found = []
        for activity, body, unsealed in rows:
            inboxes = await self.db.read(
                lambda tx, activity=activity: tx.all(
                    "SELECT inbox FROM delivery WHERE activity = :activity ORDER BY inbox", activity=activity
                )
            )
            document = json.loads(body) | {"inboxes": [inbox for (inbox,) in inboxes], "seal": unsealed}
            if kind is None or document["type"] == kind:
                found.append(document)
        return found

    async def told(self, account: Account) -> list[tuple[str, int, int | None]]:
        """Notifications: kind, by whom, about which status; oldest first."""
        found = await self.db.read(lambda tx: notifications.list_notifications(tx, account.id))
        return [(one.kind, one.actor, one.status) for one in reversed(found)]

    async def waiting(self, kind: str) -> list[jobs.JobRow]:
        return await self.db.read(lambda tx: jobs.list_jobs(tx, kind=kind))
