"""The walk of a request to its 202: what can be refused without asking third parties is refused here.

Nothing is believed before the signature holds; nothing is answered before it is on disk.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fedi.activitypub import httpsig
from fedi.activitypub.followers_sync import parse_followers_claim
from fedi.activitypub.json_body import parse_json
from fedi.activitypub.parse import parse_activity
from fedi.activitypub.signed_request import SignatureClaim, SignedRequest, invalid
from fedi.activitypub.uris import LocalUris
from fedi.activitypub.urls import UrlRules
from fedi.activitypub.urls import host as host_of
from fedi.clock import Clock, wire_time
from fedi.errors import PeerFault, Problem, Unreachable
from fedi.ids import IdMaker
from fedi.inbox.accept import Incoming, Parsed, accept, accept_hint, incoming
from fedi.inbox.authorize import check_activity
from fedi.inbox.rates import Rates
from fedi.ledger.decisions import Decision, Decisions
from fedi.remote.keys import FoundKey, KeyRing
from fedi.remote.resolve import ResolvedActor
from fedi.store import inbox as briefs
from fedi.store import jobs
from fedi.store.database import Database, Tx, UniqueViolation

MAX_REPLAYS = 50_000
RETRY_AFTER_S = 300
MAX_CLAIMS = 10_000
CLAIM_MS = 3600 * 1000


def _nobody() -> str:
    return ""


class Inbox:
    """``decision_url`` makes the address at which a refusal is explained."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        ids: IdMaker,
        uris: LocalUris,
        rules: UrlRules,
        keyring: KeyRing,
        decisions: Decisions,
        parsed: Parsed,
        requests: Rates,
        new_actors: Rates,
        decision_url: Callable[[str], str],
        on_verified: Callable[[str], None] | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._uris = uris
        self._rules = rules
        self._keyring = keyring
        self._decisions = decisions
        self._parsed = parsed
        self._requests = requests
        self._new_actors = new_actors
        self._decision_url = decision_url
        self._on_verified = on_verified
        self._replays: OrderedDict[tuple[str, bytes], int] = OrderedDict()
        self._claims: OrderedDict[str, tuple[str, int]] = OrderedDict()

    async def receive(self, request: SignedRequest, *, peer: Callable[[], str] = _nobody) -> None:
        """Returns once the activity is durable, or is nothing to us: 202. ``peer`` gives the client's address.

        Raises :class:`PeerFault` with the status of the answer, and ``Problem`` 503 where a key cannot be had now.
        """
        now_s = self._clock.ms() // 1000
        claim = httpsig.read_signature(request)
        self._refuse(claim.key_id)
        if self._uris.is_on_our_host(claim.key_id):
            raise invalid("a key of ours")
        # Before it is known who asks, only together with where from: anybody can name the key of somebody else.
        _take(self._requests, f"{host_of(claim.key_id)} {peer()}")
        httpsig.check_form(claim, request, now_s)
        document = parse_json(request.body)
        actor = _actor_of(document)
        if actor:
            self._refuse(actor)
        found = await self._find_key(claim, document, body=request.body, peer=peer)
        if found is None:
            return
        found = await self._check_signature(claim, request, found)
        self._refuse(found.key.owner)
        host = host_of(claim.key_id)
        _take(self._requests, host)
        if found.actor is not None:
            _take(self._new_actors, host)
        if self._on_verified is not None:
            self._on_verified(host)
        if self._is_replayed(claim):
            return
        activity = parse_activity(document, self._rules)
        check_activity(activity, self._uris)
        item = incoming(activity, request.body, found.key.owner)
        await self._accept(item, found.actor, claim.key_id)
        self._remember(claim)
        if "collection-synchronization" in request.fields and not item.is_hint:
            await self._note_followers(claim, request, activity.actor)

    async def _find_key(
        self, claim: SignatureClaim, document: Mapping[str, Any], *, body: bytes, peer: Callable[[], str]
    ) -> FoundKey | None:
        """None if there is nothing to do for us, and no reason to ask for the key."""
        known = await self._keyring.find_known(claim.key_id)
        if known is not None:
            return FoundKey(key=known)
        actor = _actor_of(document)
        if actor and _is_about_itself(document, actor):
            brief = await self._db.read(lambda tx: briefs.find_actor(tx, actor))
            if brief is None:
                return None  # the largest class of junk: somebody unknown is gone, or changed
        _take(self._new_actors, f"{host_of(claim.key_id)} {peer()}")
        try:
            return await self._keyring.fetch(claim.key_id, asked_by=peer())
        except Unreachable as away:
            raise Problem(
                "key-unreachable",
                "The key of this signature cannot be fetched right now. Try again later.",
                status=503,
                internal=str(away),
                retry_after_s=away.retry_after_s or RETRY_AFTER_S,
            ) from away
        except PeerFault as fault:
            if fault.code == "remote-gone" and _is_deletion_of(document, actor):
                await self._accept_farewell(document, body)
                return None
            raise invalid(f"no key: {fault}") from fault

    async def _check_signature(self, claim: SignatureClaim, request: SignedRequest, found: FoundKey) -> FoundKey:
        """A key that no longer fits is read anew, once."""
        try:
            httpsig.check_key(claim, request, found.key)
        except PeerFault:
            renewed = None if found.actor is not None else await self._keyring.refetch(found.key)
            if renewed is None:
                raise
            httpsig.check_key(claim, request, renewed.key)
            return renewed
        return found

    async def _accept(self, item: Incoming, actor: ResolvedActor | None, key_id: str) -> None:
        now_ms = self._clock.ms()
        if item.is_hint:
            await self._db.write("accept a hint", lambda tx: accept_hint(tx, item, now_ms=now_ms))
            return
        self._parsed.put(item)
        if item.activity.type == "Announce" and item.activity.object_id is not None:
            self._refuse(item.activity.object_id)  # before anything is fetched
        for attempt in (1, 2):
            unit = partial(accept, item=item, actor=actor, uris=self._uris, ids=self._ids, now_ms=now_ms)
            try:
                await self._db.write("accept an activity", unit)
            except UniqueViolation:
                if attempt == 2:
                    raise
                # PostgreSQL: another process accepted the same post at the same instant. Now it is there to be found.
            except PeerFault as fault:
                if fault.code != "unknown-actor" or attempt == 2:
                    raise
                actor = (await self._keyring.fetch(key_id)).actor  # its key is in memory, its row was never written
            else:
                return

    async def _note_followers(self, claim: SignatureClaim, request: SignedRequest, actor: str) -> None:
        """FEP-8fcf: which people here the sender believes to follow it. Believed only if it is signed by
        the actor itself, and compared in a job; the same claim is not looked at twice within the hour."""
        if not any("collection-synchronization" in name for name in claim.covered):
            return
        try:
            said = parse_followers_claim(request.field_value("collection-synchronization") or "")
        except PeerFault:
            return
        now_ms = self._clock.ms()
        digest, at_ms = self._claims.get(actor, ("", 0))
        if digest == said.digest and now_ms - at_ms < CLAIM_MS:
            return
        self._claims[actor] = (said.digest, now_ms)
        if len(self._claims) > MAX_CLAIMS:
            self._claims.popitem(last=False)
        payload = {
            "actor": actor,
            "followers": {"collection": said.collection_id, "url": said.url, "digest": said.digest},
        }

        async def unit(tx: Tx) -> None:
            await jobs.enqueue(
                tx,
                "refresh_actor",
                payload,
                dedup=f"{actor} followers",
                lane=host_of(actor),
                priority=jobs.LOW,
                now_ms=now_ms,
            )

        await self._db.write("note followers", unit)

    async def _accept_farewell(self, document: Mapping[str, Any], body: bytes) -> None:
        """The key is gone with its actor, whose deletion this says: a hint, about which the origin will be asked."""
        activity = parse_activity(document, self._rules)
        check_activity(activity, self._uris)
        now_ms = self._clock.ms()
        item = incoming(activity, body, "")
        await self._db.write("accept a hint", lambda tx: accept_hint(tx, item, now_ms=now_ms))

    def _refuse(self, uri: str) -> None:
        decision = self._decisions.refusal_of(uri, self._clock.ms())
        if decision is not None:
            raise self.refusal(decision)

    def refusal(self, decision: Decision) -> PeerFault:
        """The 403 that names the decision, its reason and its end."""
        return refusal(decision, self._decision_url(decision.id))

    # Readers ------------------------------------------------------------------------------------------------

    async def identify(self, request: SignedRequest, *, peer: Callable[[], str] = _nobody) -> str | None:
        """Who signed a GET: the URI of the key's owner; None if nobody did.

        Raises :class:`PeerFault`: 401 for a signature that does not hold, 403 for whom a decision keeps out.
        """
        if "signature" not in request.fields and "signature-input" not in request.fields:
            return None
        claim = httpsig.read_signature(request)
        self._refuse(claim.key_id)
        if self._uris.is_on_our_host(claim.key_id):
            raise invalid("a key of ours")
        httpsig.check_form(claim, request, self._clock.ms() // 1000)
        found = await self._find_key(claim, {}, body=b"", peer=peer)
        if found is None:
            return None
        found = await self._check_signature(claim, request, found)
        self._refuse(found.key.owner)
        return found.key.owner

    def refuse_reader(self, request: SignedRequest) -> None:
        """Where no signature is needed: who says to be refused is refused all the same."""
        if "signature" in request.fields or "signature-input" in request.fields:
            try:
                claim = httpsig.read_signature(request)
            except PeerFault:
                return
            self._refuse(claim.key_id)

    # Replays ------------------------------------------------------------------------------------------------

    def _is_replayed(self, claim: SignatureClaim) -> bool:
        """An identical retry of what was accepted: the same answer again."""
        return self._replays.get((claim.key_id, claim.signature), 0) > self._clock.ms() // 1000

    def _remember(self, claim: SignatureClaim) -> None:
        self._replays[claim.key_id, claim.signature] = claim.good_until_s
        if len(self._replays) > MAX_REPLAYS:
            self._replays.popitem(last=False)


def refusal(decision: Decision, url: str) -> PeerFault:
    until = wire_time(decision.until * 1000)
    return PeerFault(
        "refused-by-decision",
        "This server refuses activities from there, by a decision that ends on %(until)s.",
        status=403,
        params={"until": until},
        extra={
            "decision": url,
            "rule": decision.rule,
            "reason": decision.reason,
            "until": until,
            "effect": decision.effect,
        },
    )


def too_many(wait_s: int) -> PeerFault:
    return PeerFault("too-many-requests", "Too many requests. Try again later.", status=429, retry_after_s=wait_s)


def _take(rates: Rates, key: str) -> None:
    wait_s = rates.take(key)
    if wait_s is not None:
        raise too_many(wait_s)


def _actor_of(document: Mapping[str, Any]) -> str:
    actor = document.get("actor")
    if isinstance(actor, dict):
        actor = actor.get("id")
    return actor if isinstance(actor, str) else ""


def _object_of(document: Mapping[str, Any]) -> object:
    found = document.get("object")
    return found.get("id") if isinstance(found, dict) else found


def _is_about_itself(document: Mapping[str, Any], actor: str) -> bool:
    return document.get("type") in {"Delete", "Update"} and _object_of(document) == actor


def _is_deletion_of(document: Mapping[str, Any], actor: str) -> bool:
    return bool(actor) and document.get("type") == "Delete" and _object_of(document) == actor
