"""Relays that pass on public posts (FEP-ae0c): whom we asked, and who said yes."""

from dataclasses import dataclass
from typing import Literal

from fedi.activitypub.addressing import PUBLIC
from fedi.store.database import Tx
from fedi.store.rows import Shape

RelayState = Literal["new", "pending", "accepted", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """``url`` is how the settings name it, ``followed`` what our Follow names: ``as:Public`` (Mastodon's kind) or the
    relay's actor (LitePub's). ``actor`` is known of LitePub's kind, and of the other once it has answered. While it is
    ``new``, nobody has been asked and ``inbox`` is the ``url``."""

    id: int
    url: str
    inbox: str
    actor: str | None = None
    followed: str = PUBLIC
    follow_uri: str
    state: RelayState
    created_at: int

    @property
    def is_actor(self) -> bool:
        """Of LitePub's kind: posts are announced to it, not sent."""
        return self.followed != PUBLIC


RELAY = Shape(Relay)

PUT_RELAY = f"""
INSERT INTO relay (url, inbox, actor, followed, follow_uri, state, created_at)
VALUES (:url, :inbox, :actor, :followed, :follow_uri, :state, :now)
ON CONFLICT (inbox) DO UPDATE SET
  url = excluded.url, actor = COALESCE(excluded.actor, relay.actor), followed = excluded.followed,
  follow_uri = excluded.follow_uri, state = excluded.state
RETURNING {RELAY.columns}"""
FIND_BY_FOLLOW = f"SELECT {RELAY.columns} FROM relay WHERE follow_uri = :follow_uri"
FIND_BY_ACTOR = f"SELECT {RELAY.columns} FROM relay WHERE actor = :actor AND state = 'accepted'"
FIND_ASKED = f"SELECT {RELAY.columns} FROM relay WHERE actor = :actor AND state IN ('pending', 'accepted')"
FIND_BY_URL = f"SELECT {RELAY.columns} FROM relay WHERE url = :url"
SET_STATE = """
UPDATE relay SET state = :state, actor = COALESCE(CAST(:actor AS TEXT), actor) WHERE follow_uri = :follow_uri"""
LIST_RELAYS = f"SELECT {RELAY.columns} FROM relay ORDER BY id"
LIST_ACCEPTED = f"SELECT {RELAY.columns} FROM relay WHERE state = 'accepted' ORDER BY id"
DROP_RELAY = f"DELETE FROM relay WHERE url = :url RETURNING {RELAY.columns}"


async def put_relay(
    tx: Tx,
    *,
    inbox: str,
    actor: str | None,
    follow_uri: str,
    now_ms: int,
    url: str | None = None,
    followed: str = PUBLIC,
    state: RelayState = "pending",
) -> Relay:
    """Asked (again), and not answered yet. Of Mastodon's kind, unless ``followed`` says otherwise."""
    relay = await tx.one_as(
        RELAY.make,
        PUT_RELAY,
        url=url or inbox,
        inbox=inbox,
        actor=actor,
        followed=followed,
        follow_uri=follow_uri,
        state=state,
        now=now_ms,
    )
    assert relay is not None
    return relay


async def find_by_follow(tx: Tx, follow_uri: str) -> Relay | None:
    """By the id of the Follow we sent; the caller checks that who answers is whom we asked."""
    return await tx.one_as(RELAY.make, FIND_BY_FOLLOW, follow_uri=follow_uri)


async def find_by_actor(tx: Tx, actor: str) -> Relay | None:
    """An accepted relay."""
    return await tx.one_as(RELAY.make, FIND_BY_ACTOR, actor=actor)


async def find_asked(tx: Tx, actor: str) -> Relay | None:
    """A relay whose actor is known and that has not said no; it may not have answered yet."""
    return await tx.one_as(RELAY.make, FIND_ASKED, actor=actor)


async def find_by_url(tx: Tx, url: str) -> Relay | None:
    return await tx.one_as(RELAY.make, FIND_BY_URL, url=url)


async def set_state(tx: Tx, follow_uri: str, state: RelayState, *, actor: str | None = None) -> bool:
    return await tx.run(SET_STATE, follow_uri=follow_uri, state=state, actor=actor) > 0


async def list_relays(tx: Tx) -> list[Relay]:
    return await tx.all_as(RELAY.make, LIST_RELAYS)


async def list_accepted(tx: Tx) -> list[Relay]:
    """Those that public posts go to."""
    return await tx.all_as(RELAY.make, LIST_ACCEPTED)


async def drop_relay(tx: Tx, url: str) -> Relay | None:
    return await tx.one_as(RELAY.make, DROP_RELAY, url=url)
