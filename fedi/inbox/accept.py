"""Acceptance: the small durable transaction before the 202. Intake, positions, body and job, or nothing."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from fedi.activitypub.uris import LocalUris
from fedi.activitypub.vocab import Activity
from fedi.errors import PeerFault
from fedi.ids import IdMaker, StatusId
from fedi.inbox.actors import put_actor
from fedi.inbox.authorize import Place, find_place, refused
from fedi.ledger import intake
from fedi.ledger.slots import open_object
from fedi.remote.resolve import ResolvedActor
from fedi.store import inbox as briefs
from fedi.store import jobs
from fedi.store.database import Tx

JOB = "inbox"
MAX_PARSED = 2_048
SUPPORTED = frozenset(
    {
        "Accept", "Add", "Announce", "Block", "Create", "Delete", "Dislike", "EmojiReact", "Flag", "Follow", "Like",
        "Move", "QuoteRequest", "Reject", "Remove", "Undo", "Update",
    }
)  # fmt: skip
_VISIBLE = ("public", "unlisted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """An activity whose signer is known, with its bytes. ``signer`` is the owner of the key that was used."""

    activity: Activity
    body: bytes
    body_hash: bytes
    signer: str

    @property
    def key(self) -> str:
        """What makes it one: its id, or for those without one the actor and the bytes."""
        return self.activity.id or f"{self.activity.actor}#{self.body_hash.hex()}"

    @property
    def is_hint(self) -> bool:
        """Sent on by somebody else: believed only when its origin or a proof confirms it."""
        return self.signer != self.activity.actor


def incoming(activity: Activity, body: bytes, signer: str) -> Incoming:
    return Incoming(activity=activity, body=body, body_hash=hashlib.sha256(body).digest(), signer=signer)


class Parsed:
    """Activities parsed at acceptance, so that their job need not parse them again. Bounded; a miss costs nothing
    but time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Incoming] = OrderedDict()

    def put(self, item: Incoming) -> None:
        self._kept[item.body_hash] = item
        if len(self._kept) > MAX_PARSED:
            self._kept.popitem(last=False)

    def take(self, body_hash: bytes) -> Incoming | None:
        return self._kept.pop(body_hash, None)


async def accept(
    tx: Tx,
    item: Incoming,
    *,
    actor: ResolvedActor | None,
    uris: LocalUris,
    ids: IdMaker,
    now_ms: int,
) -> bool:
    """Gives an activity of a known signer its intake row, positions, body and job; False if it was here before.

    ``actor`` is its actor's document if that was fetched just now. Raises :class:`PeerFault`: ``unknown-actor``,
    ``actor-gone``, and ``not-found`` for a boost of what its actor cannot see.
    """
    brief = await briefs.find_actor(tx, item.activity.actor)
    if actor is not None and actor.document.id == item.activity.actor:
        stored = await put_actor(tx, actor, ids=ids, now_ms=now_ms)
        brief = briefs.ActorBrief(
            id=stored.id, host=stored.host, followers_uri=stored.followers_uri, gone_at=None, kind=stored.kind
        )
    if brief is None:
        raise PeerFault("unknown-actor", status=401, internal=item.activity.actor)
    if brief.gone_at is not None:
        raise refused("actor-gone", item.activity.actor)
    place = find_place(item.activity, brief.followers_uri)
    if not await intake.open_intake(
        tx, activity=item.key, object_uri=place.uri if place else None, body_hash=item.body_hash, now_ms=now_ms
    ):
        return False
    if item.activity.type not in SUPPORTED:
        await intake.close_intake(tx, item.key, "ignored:unsupported")
        return True
    n = await open_place(tx, place, brief, item, uris=uris, ids=ids, now_ms=now_ms) if place else None
    await intake.put_body(tx, item.body_hash, item.body)
    await jobs.enqueue(
        tx,
        JOB,
        {"activity": item.key, "hash": item.body_hash.hex(), "signer": item.signer, "n": n},
        ordering=item.activity.actor,
        now_ms=now_ms,
    )
    return True


async def accept_hint(tx: Tx, item: Incoming, *, now_ms: int) -> None:
    """Nothing is claimed for it: neither id nor place, or it could block the true one."""
    await intake.put_body(tx, item.body_hash, item.body)
    await jobs.enqueue(
        tx,
        JOB,
        {"activity": item.key, "hash": item.body_hash.hex(), "signer": item.signer, "hint": True},
        ordering=item.signer or None,
        dedup=item.body_hash.hex(),
        priority=jobs.LOW,
        now_ms=now_ms,
    )


async def open_place(
    tx: Tx, place: Place, brief: briefs.ActorBrief, item: Incoming, *, uris: LocalUris, ids: IdMaker, now_ms: int
) -> StatusId | None:
    """The number of the post, or None if there was one with it before."""
    if place.boost_of is not None and uris.is_local(place.boost_of):
        await _check_boostable(tx, place.boost_of, item.activity.actor)
    opened = await open_object(
        tx,
        uri=place.uri,
        account=brief.id,
        author_uri=item.activity.actor,
        host=brief.host,
        visibility=place.visibility,
        local=False,
        is_reply_to_uri=place.in_reply_to,
        tags=place.tags,
        boost_of=place.boost_of,
        delivered=True,
        published_at_ms=min(place.published_at or now_ms, now_ms),
        body_hash=item.body_hash,
        now_ms=now_ms,
        ids=ids,
    )
    return opened.n


async def _check_boostable(tx: Tx, uri: str, actor: str) -> None:
    """Private and missing look alike, from outside."""
    found = await briefs.find_status(tx, uri)
    is_visible = found is not None and found.deleted_at is None and found.visibility in _VISIBLE
    if found is None or not is_visible:
        raise PeerFault("not-found", "Nothing is here.", status=404, internal=f"{actor} boosts {uri}")
