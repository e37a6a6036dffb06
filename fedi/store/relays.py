"""Relays that pass on public posts (FEP-ae0c): whom we asked, and who said yes."""

from dataclasses import dataclass
from typing import Literal

from fedi.store.database import Tx
from fedi.store.rows import Shape

RelayState = Literal["pending", "accepted", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """``actor`` is known for relays that are followed as actors (LitePub), and once a relay has answered."""

    id: int
    inbox: str
    actor: str | None = None
    follow_uri: str
    state: RelayState
    created_at: int


RELAY = Shape(Relay)

PUT_RELAY = f"""
INSERT INTO relay (inbox, actor, follow_uri, state, created_at) VALUES (:inbox, :actor, :follow_uri, 'pending', :now)
ON CONFLICT (inbox) DO UPDATE SET
  actor = COALESCE(excluded.actor, relay.actor), follow_uri = excluded.follow_uri, state = 'pending'
RETURNING {RELAY.columns}"""
FIND_BY_FOLLOW = f"SELECT {RELAY.columns} FROM relay WHERE follow_uri = :follow_uri"
FIND_BY_ACTOR = f"SELECT {RELAY.columns} FROM relay WHERE actor = :actor AND state = 'accepted'"
SET_STATE = """
UPDATE relay SET state = :state, actor = COALESCE(CAST(:actor AS TEXT), actor) WHERE follow_uri = :follow_uri"""
LIST_RELAYS = f"SELECT {RELAY.columns} FROM relay ORDER BY id"
LIST_INBOXES = "SELECT inbox FROM relay WHERE state = 'accepted' ORDER BY id"
DROP_RELAY = f"DELETE FROM relay WHERE inbox = :inbox RETURNING {RELAY.columns}"


async def put_relay(tx: Tx, *, inbox: str, actor: str | None, follow_uri: str, now_ms: int) -> Relay:
    """Asked (again), and not answered yet."""
    relay = await tx.one_as(RELAY.make, PUT_RELAY, inbox=inbox, actor=actor, follow_uri=follow_uri, now=now_ms)
    assert relay is not None
    return relay


async def find_by_follow(tx: Tx, follow_uri: str) -> Relay | None:
    """By the id of the Follow we sent; the caller checks that who answers is whom we asked."""
    return await tx.one_as(RELAY.make, FIND_BY_FOLLOW, follow_uri=follow_uri)


async def find_by_actor(tx: Tx, actor: str) -> Relay | None:
    """An accepted relay."""
    return await tx.one_as(RELAY.make, FIND_BY_ACTOR, actor=actor)


async def set_state(tx: Tx, follow_uri: str, state: RelayState, *, actor: str | None = None) -> bool:
    return await tx.run(SET_STATE, follow_uri=follow_uri, state=state, actor=actor) > 0


async def list_relays(tx: Tx) -> list[Relay]:
    return await tx.all_as(RELAY.make, LIST_RELAYS)


async def list_inboxes(tx: Tx) -> list[str]:
    """Of accepted relays: where public posts go."""
    return [row[0] for row in await tx.all(LIST_INBOXES)]


async def drop_relay(tx: Tx, inbox: str) -> Relay | None:
    return await tx.one_as(RELAY.make, DROP_RELAY, inbox=inbox)
