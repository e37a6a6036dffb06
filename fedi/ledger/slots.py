"""Places: every accepted post gets its positions here, in the transaction that accepts it and before anybody judges it.

Positions of a surface are dense (0, 1, 2, …) and never moved, reused or deleted. The number ``n`` of a post is its
status id; for delivered posts it rises with the positions of every surface, so that paging by id walks the slots.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fedi.ids import AccountId, IdMaker, StatusId, first_id_at
from fedi.ledger.routing import Audience, Routed, kind_of, surfaces_of
from fedi.store import ledger as rows
from fedi.store.database import Tx

Gone = Literal["author", "removed", "erased", "void"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectSlots:
    """A post's number and the surfaces it stands on (empty when it was there before: ``existed``)."""

    n: StatusId
    surfaces: tuple[str, ...]
    existed: bool


async def open_object(
    tx: Tx,
    *,
    uri: str,
    account: AccountId,
    author_uri: str,
    host: str,
    visibility: Audience,
    local: bool,
    is_reply_to_uri: str | None,
    tags: Sequence[str],
    boost_of: str | None,
    delivered: bool,
    published_at_ms: int,
    body_hash: bytes,
    now_ms: int,
    ids: IdMaker,
) -> ObjectSlots:
    """Gives a post its number and positions. The same ``uri``, or boost by the same account, gets the same number.

    ``uri`` is that of the post, of a boost that of its Announce; ``host`` the folded host of the author;
    ``body_hash`` the SHA-256 of the body as received or published.
    """
    existing = await rows.find_object(tx, uri)
    if existing is None and boost_of is not None:
        existing = await rows.find_boost(tx, account, boost_of)
    if existing is not None:
        return ObjectSlots(n=StatusId(existing), surfaces=(), existed=True)
    surfaces = surfaces_of(
        Routed(
            author=author_uri,
            audience=visibility,
            local=local,
            delivered=delivered,
            age_ms=now_ms - published_at_ms,
            in_reply_to=is_reply_to_uri,
            tags=tuple(tags),
            boost=boost_of is not None,
        )
    )
    n = ids.next() if delivered else await _free_number(tx, uri, min(published_at_ms, now_ms))
    positions = [await _take(tx, name, n, archived=not delivered) for name in surfaces]
    if delivered and positions:
        fresh, n = n, max(position.last_id for position in positions)
        if n != fresh:  # some surface is ahead of the clock: the others follow it
            for position in positions:
                await rows.raise_last_id(tx, position.surface, n)
    await rows.put_object(
        tx,
        n=n,
        uri=uri,
        account=account,
        author=author_uri,
        host=f"host:{host}",
        boost_of=boost_of,
        audience=visibility,
        archived=not delivered,
        body_hash=body_hash,
        at=now_ms // 1000,
    )
    await rows.put_slots(tx, n, positions)
    return ObjectSlots(n=StatusId(n), surfaces=surfaces, existed=False)


async def mark_ready(tx: Tx, n: int, now_ms: int) -> None:
    """The post is processed: its slots may be served."""
    await rows.mark_ready(tx, n, now_ms // 1000)


async def mark_gone(tx: Tx, n: int, how: Gone) -> None:
    """The slots stay, as places that say what became of the post."""
    await rows.mark_gone(tx, n, how)


async def find_object(tx: Tx, uri: str) -> StatusId | None:
    n = await rows.find_object(tx, uri)
    return None if n is None else StatusId(n)


async def _take(tx: Tx, name: str, n: int, *, archived: bool) -> rows.Position:
    while True:
        position = await rows.take_position(tx, name, n, archived=archived)
        if position is not None:
            return position
        await rows.put_surface(tx, name, kind_of(name))  # loses to a transaction that makes it at the same time


async def _free_number(tx: Tx, uri: str, published_at_ms: int) -> int:
    """A number near the time of publication, so that fetched posts stand where they belong in a profile."""
    n = first_id_at(max(published_at_ms, 1)) + int.from_bytes(hashlib.sha256(uri.encode()).digest()[:2])
    while await rows.has_number(tx, n):
        n += 1
    return n
