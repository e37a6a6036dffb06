"""The work behind the 202: one activity at a time, each with exactly one outcome, told in one place.

A forwarded activity is a hint: a proof or an LD signature by its actor makes it one of ours to process, otherwise
only its origin is believed.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial

import structlog

from fedi.activitypub.json_body import parse_json
from fedi.activitypub.ld_signatures import Worker, find_ld_signature, open_ld_signature
from fedi.activitypub.parse import parse_activity
from fedi.activitypub.proofs import check_proof, read_proofs
from fedi.activitypub.urls import UrlRules
from fedi.activitypub.vocab import PUBLIC, Activity, Post
from fedi.errors import PeerFault, Unreachable
from fedi.inbox.accept import SUPPORTED, Incoming, Parsed, incoming, open_activity
from fedi.inbox.apply import Republish, Writer, apply
from fedi.inbox.authorize import check_activity, deletes_itself
from fedi.inbox.effects import Decided, DeleteAccount
from fedi.inbox.fetching import FetchingUnits
from fedi.inbox.gather import Case, decide, delete_if_gone, update_post
from fedi.inbox.outcome import Applied, Duplicate, Faulty, Ignored, Outcome, Rejected, name_of
from fedi.inbox.world import Fetched, World
from fedi.jobs.kinds import KINDS
from fedi.jobs.runner import ENDED, Again, Result
from fedi.ledger import intake
from fedi.ledger.slots import mark_gone
from fedi.policies.base import Snapshot, Verdict
from fedi.policies.host import PolicyHost
from fedi.remote.keys import FoundKey
from fedi.store import inbox as briefs
from fedi.store import jobs
from fedi.store.database import Tx
from fedi.store.jobs import Job
from fedi.streaming.hub import Event
from fedi.text import html_to_text

log = structlog.get_logger(__name__)

_UNPROVEN = frozenset({"Create", "Update", "Delete", "Announce"})


class Pipeline:
    """The handler of job kind ``inbox``. ``worker`` reads JSON-LD under a limit; ``republish`` is the outbox's."""

    def __init__(
        self,
        *,
        units: FetchingUnits,
        rules: UrlRules,
        parsed: Parsed,
        policies: PolicyHost,
        publish: Callable[[Event], None],
        worker: Worker | None = None,
        republish: Republish | None = None,
    ) -> None:
        self._units = units
        self._rules = rules
        self._parsed = parsed
        self._policies = policies
        self._wanted = policies.wanted("incoming")
        self._publish = publish
        self._worker = worker
        self._republish = republish
        self.outcomes: Counter[str] = Counter()

    async def handle(self, job: Job) -> Result:
        data = job.data
        body_hash = bytes.fromhex(data["hash"])
        item = self._parsed.take(body_hash) or await self._load(body_hash, data["signer"])
        if item is None:
            await self._units.db.write("end a job", lambda tx: jobs.finish(tx, job.id))
            return ENDED
        is_last_try = job.attempts >= KINDS["inbox"].max_attempts
        try:
            if data.get("hint"):
                outcome = await self._work_on_hint(job, item)
            else:
                outcome = await self._work(job, item, n=data.get("n"), is_last_try=is_last_try)
        except Unreachable as away:
            after_ms = away.retry_after_s * 1000 if away.retry_after_s is not None else None
            self._tell(item, "retry:unreachable")
            return Again(error=str(away), after_ms=after_ms)
        self._tell(item, name_of(outcome))
        return ENDED

    async def _load(self, body_hash: bytes, signer: str) -> Incoming | None:
        """After a restart: the body as received, parsed by the same function."""
        body = await self._units.db.read(lambda tx: intake.find_body(tx, body_hash))
        if body is None:
            return None
        return incoming(parse_activity(parse_json(body), self._rules), body, signer)

    def _tell(self, item: Incoming, outcome: str) -> None:
        self.outcomes[outcome] += 1
        if outcome not in {"applied", "duplicate"}:
            log.info("inbox", outcome=outcome, type=item.activity.type, activity=item.key)

    # An activity of its signer ------------------------------------------------------------------------------

    async def _work(self, job: Job, item: Incoming, *, n: int | None, is_last_try: bool) -> Outcome:
        fetched, resolver = Fetched(), self._units.resolver.with_budget()
        while True:
            try:
                outcome = await self._units.run(
                    "apply an activity",
                    partial(self._settle, job=job, item=item, n=n, is_last_try=is_last_try),
                    fetched=fetched,
                    resolver=resolver,
                    signer=partial(self._units.local_signer, item.activity.recipients)
                    if PUBLIC not in item.activity.recipients
                    else None,
                )
            except PeerFault as fault:
                faulty = Faulty(fault.code)
                await self._units.db.write(
                    "close an activity", partial(self._close, job=job, item=item, outcome=faulty, n=n)
                )
                return faulty
            if outcome is not None:
                return outcome

    async def _settle(
        self, world: World, *, job: Job, item: Incoming, n: int | None, is_last_try: bool
    ) -> Outcome | None:
        """Everything in one unit. None: there is more to do in a further one."""
        outcome = await self._decide_and_apply(world, item, n=n, is_last_try=is_last_try)
        if outcome is not None:
            await self._close(world.tx, job=job, item=item, outcome=outcome, n=n)
        return outcome

    async def _decide_and_apply(
        self, world: World, item: Incoming, *, n: int | None, is_last_try: bool
    ) -> Outcome | None:
        post = item.activity.object
        around = None
        if n is not None and isinstance(post, Post):
            around = await briefs.find_post_context(world.tx, item.activity.actor, post.id)
            actor = around.actor if around is not None else None
        else:
            actor = await world.find_actor(item.activity.actor)
        if actor is None:
            raise PeerFault("unknown-actor", internal=item.activity.actor)
        refusal = world.decisions.refusal_of(item.activity.actor, world.now_ms)
        if refusal is not None:  # decided between the answer and the work
            return Rejected(decision=refusal.id)
        self._judge(item.activity, world.now_ms)
        decided = await decide(world, Case(item=item, actor=actor, n=n, is_last_try=is_last_try, around=around))  # type: ignore[arg-type]
        return await self._apply(world, item, decided)

    async def _apply(self, world: World, item: Incoming, decided: Decided) -> Outcome | None:
        if isinstance(decided, Ignored | Duplicate):
            return decided
        writer = Writer(
            world=world, activity=item.key, body=item.body, publish=self._publish, republish=self._republish
        )  # fmt: skip
        return Applied() if await apply(writer, decided) else None

    async def _close(self, tx: Tx, *, job: Job, item: Incoming, outcome: Outcome, n: int | None) -> None:
        """The outcome is written, and the job ends with it. A place that nothing came to says so."""
        await intake.close_intake(tx, item.key, name_of(outcome))
        if n is not None and isinstance(outcome, Faulty):
            await mark_gone(tx, n, "void")
        if n is None:
            await intake.drop_body(tx, item.body_hash)
        await jobs.finish(tx, job.id)

    def _judge(self, activity: Activity, now_ms: int) -> None:
        """All policies are asked. What they propose becomes a decision only by the ledger, which has no log yet."""
        if not self._policies.policies:
            return
        judged = self._policies.judge(
            Snapshot(
                hook="incoming", activity=activity.type, now_ms=now_ms, capabilities=self._capabilities(activity)
            )
        )  # fmt: skip
        if judged.verdict != Verdict.ALLOW:
            log.info("policy", activity=activity.id, proposals=[given.proposal.reason for given in judged.proposals])

    def _capabilities(self, activity: Activity) -> dict[str, object]:
        """Only what some policy declared."""
        post = activity.object
        if not self._wanted or not isinstance(post, Post):
            return {}
        found: dict[str, object] = {}
        if "text" in self._wanted:
            found["text"] = html_to_text(post.content)
        if "tags" in self._wanted:
            found["tags"] = tuple(tag.name for tag in post.hashtags)
        if "links" in self._wanted:
            found["links"] = post.links
        return found

    # A hint -------------------------------------------------------------------------------------------------

    async def _work_on_hint(self, job: Job, item: Incoming) -> Outcome:
        resolver, fetched = self._units.resolver.with_budget(), Fetched()
        proven = await self._prove(item)
        while True:
            try:
                outcome = await self._units.run(
                    "apply a hint",
                    partial(self._settle_hint, job=job, item=item, proven=proven),
                    fetched=fetched,
                    resolver=resolver,
                )
            except PeerFault as fault:
                await self._units.db.write("close a hint", partial(self._close_hint, job=job))
                return Faulty(fault.code)
            if outcome is not None:
                return outcome

    async def _settle_hint(
        self, world: World, *, job: Job, item: Incoming, proven: tuple[Incoming, FoundKey] | None
    ) -> Outcome | None:
        world.refuse(item.activity.actor)
        outcome: Outcome | None
        if proven is not None:
            outcome = await self._accept_proven(world, *proven)
        else:
            outcome = await self._ask_origin(world, item)
        if outcome is not None:
            await self._close_hint(world.tx, job=job)
        return outcome

    async def _close_hint(self, tx: Tx, *, job: Job) -> None:
        await intake.drop_body(tx, bytes.fromhex(job.data["hash"]))
        await jobs.finish(tx, job.id)

    async def _accept_proven(self, world: World, item: Incoming, found: FoundKey) -> Outcome | None:
        """As if its actor had delivered it: intake, place, effects, in one transaction."""
        actor = found.actor
        if actor is None and await world.find_actor(item.activity.actor) is None:
            await world.get_actor(item.activity.actor)
        accepted = await open_activity(
            world.tx, item, actor=actor, uris=self._units.uris, ids=self._units.ids, now_ms=world.now_ms
        )
        if item.activity.type not in SUPPORTED:
            return Ignored("unsupported")
        if not accepted.is_new and not deletes_itself(item.activity):  # a long deletion takes several units
            return Duplicate()
        outcome = await self._decide_and_apply(world, item, n=accepted.n, is_last_try=False)
        if outcome is not None:
            await intake.close_intake(world.tx, item.key, name_of(outcome))
        return outcome

    async def _ask_origin(self, world: World, item: Incoming) -> Outcome | None:
        """The body is not believed; what its origin says is."""
        activity = item.activity
        uri = activity.object_id
        if uri is None or activity.type not in _UNPROVEN:
            return Ignored("unproven")
        decided: Decided = ()
        match activity.type:
            case "Create":
                await world.get_status(uri)
            case "Update":
                decided = await self._confirmed_update(world, uri)
            case "Delete" if uri == activity.actor:
                decided = await self._confirmed_farewell(world, uri)
            case "Delete":
                decided = await delete_if_gone(world, uri)
            case _:
                decided = await self._confirmed(world, activity)
        return await self._apply(world, item, decided)

    async def _confirmed_update(self, world: World, uri: str) -> Decided:
        if await world.find_status(uri) is None:
            return Ignored("unknown-object")
        post = world.document(uri)
        if not isinstance(post, Post):
            return Ignored("unsupported-object")
        await world.put_fetched(post)
        return await update_post(world, await world.get_actor(post.attributed_to), post)

    async def _confirmed_farewell(self, world: World, uri: str) -> Decided:
        actor = await world.find_actor(uri)
        if actor is None:
            return Ignored("unknown-object")
        try:
            world.document(uri)
        except PeerFault as fault:
            if fault.code == "remote-gone":
                return (DeleteAccount(account=actor.id, actor=uri),)
        return Ignored("still-there")

    async def _confirmed(self, world: World, activity: Activity) -> Decided:
        """The same activity, from where its id leads."""
        if activity.id is None or "#" in activity.id:
            return Ignored("unproven")
        found = world.document(activity.id)
        same = isinstance(found, Activity) and (found.id, found.type, found.actor) == (
            activity.id,
            activity.type,
            activity.actor,
        )
        if not isinstance(found, Activity) or not same:
            return Ignored("unproven")
        check_activity(found, self._units.uris)
        actor = await world.get_actor(found.actor)
        item = Incoming(activity=found, body=b"", body_hash=bytes(32), signer=found.actor)
        accepted = await open_activity(
            world.tx, item, actor=None, uris=self._units.uris, ids=self._units.ids, now_ms=world.now_ms
        )
        if not accepted.is_new:
            return Duplicate()
        return await decide(world, Case(item=item, actor=actor, n=accepted.n))

    async def _prove(self, item: Incoming) -> tuple[Incoming, FoundKey] | None:
        """A proof or an LD signature by the actor itself; None if there is none that holds."""
        try:
            document = parse_json(item.body)
            if "proof" in document:
                return await self._by_proof(item)
            if "signature" in document and self._worker is not None:
                return await self._by_ld_signature(item, self._worker)
        except PeerFault as fault:
            log.debug("unproven", activity=item.key, fault=str(fault))
        return None

    async def _by_proof(self, item: Incoming) -> tuple[Incoming, FoundKey] | None:
        document = item.activity.raw
        now_s = self._units.clock.ms() // 1000
        for proof in read_proofs(document):
            try:
                found = await self._key(proof.key_id)
                check_proof(document, proof, found.key, item.activity.actor, now_s)
            except PeerFault as fault:
                log.debug("unproven", activity=item.key, fault=str(fault))
                continue
            return Incoming(
                activity=item.activity, body=item.body, body_hash=item.body_hash, signer=item.activity.actor
            ), found
        return None

    async def _by_ld_signature(self, item: Incoming, worker: Worker) -> tuple[Incoming, FoundKey] | None:
        signature = find_ld_signature(item.activity.raw)
        if signature is None:
            return None
        found = await self._key(signature.key_id)
        read = await open_ld_signature(signature, found.key, self._units.clock.ms() // 1000, worker)
        activity = parse_activity(read, self._rules)
        if activity.actor != found.key.owner:
            return None
        check_activity(activity, self._units.uris)
        # The original bytes stay with it: they are what may be passed on.
        signed = Incoming(activity=activity, body=item.body, body_hash=item.body_hash, signer=activity.actor)
        return signed, found

    async def _key(self, key_id: str) -> FoundKey:
        if self._units.uris.is_on_our_host(key_id):
            raise PeerFault("foreign-id", internal=key_id)
        known = await self._units.keyring.find_known(key_id)
        return FoundKey(key=known) if known is not None else await self._units.keyring.fetch(key_id)
