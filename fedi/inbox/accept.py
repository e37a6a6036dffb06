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
from fedi.store import jobs, relays
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """``is_new`` is False for what was here before; ``n`` is the place it got, if it is of the kind that gets one."""

    is_new: bool
    n: StatusId | None = None


async def accept(
    tx: Tx,
    item: Incoming,
    *,
    actor: ResolvedActor | None,
    uris: LocalUris,
    ids: IdMaker,
    now_ms: int,
) -> None:
    """Gives an activity of a known signer its intake row, positions, body and job. Twice is once."""
    accepted = await open_activity(tx, item, actor=actor, uris=uris, ids=ids, now_ms=now_ms)
    if not accepted.is_new or item.activity.type not in SUPPORTED:
        return
    await intake.put_body(tx, item.body_hash, item.body, now_ms)
    await jobs.enqueue(
        tx,
        JOB,
        {"activity": item.key, "hash": item.body_hash.hex(), "signer": item.signer, "n": accepted.n},
        ordering=item.activity.actor,
        now_ms=now_ms,
    )


async def open_activity(
    tx: Tx, item: Incoming, *, actor: ResolvedActor | None, uris: LocalUris, ids: IdMaker, now_ms: int
) -> Accepted:
    """The intake row and the positions.

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
    if place is not None and place.boost_of is not None and await relays.find_by_actor(tx, item.activity.actor):
        place = None  # a relay tells of posts, it does not boost them
    if not await intake.open_intake(
        tx, activity=item.key, object_uri=place.uri if place else None, body_hash=item.body_hash, now_ms=now_ms
    ):
        return Accepted(is_new=False)
    if item.activity.type not in SUPPORTED:
        await intake.close_intake(tx, item.key, "ignored:unsupported")
        return Accepted(is_new=True)
    if place is None:
        return Accepted(is_new=True)
    n = await open_place(tx, place, brief, item, uris=uris, ids=ids, now_ms=now_ms)
    return Accepted(is_new=True, n=n)


async def accept_hint(tx: Tx, item: Incoming, *, now_ms: int) -> None:
    """Nothing is claimed for it: neither id nor place, or it could block the true one. Nor its bytes: they are kept
    apart from those that its actor delivered, and go when the hint has been looked at."""
    kept_as = hashlib.sha256(b"hint\n" + item.body).digest()
    await intake.put_body(tx, kept_as, item.body, now_ms)
    await jobs.enqueue(
        tx,
        JOB,
        {"activity": item.key, "hash": kept_as.hex(), "signer": item.signer, "hint": True},
        ordering=item.signer or None,
        dedup=kept_as.hex(),
        priority=jobs.LOW,
        now_ms=now_ms,
    )


async def open_place(
    tx: Tx, place: Place, brief: briefs.ActorBrief, item: Incoming, *, uris: LocalUris, ids: IdMaker, now_ms: int
) -> StatusId:
    """The number of the post, also when it was given before."""
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
