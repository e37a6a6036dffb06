"""Sends activities to inboxes: the job kinds ``deliver`` and ``fan_out``.

One POST per inbox, signed when it leaves by the account that acts. What became of it is written for the author, many
results in one write. A crash in the middle sends again; receivers know an activity by its id.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from fedi.activitypub import httpsig
from fedi.activitypub.followers_sync import HEADER, FollowersClaim, followers_digest, render_followers_claim
from fedi.activitypub.keys import SigningKey
from fedi.activitypub.signed_request import Scheme
from fedi.activitypub.uris import LocalUris
from fedi.activitypub.urls import parse_url, wire_url
from fedi.clock import Clock
from fedi.errors import PeerFault, Unreachable
from fedi.ids import AccountId
from fedi.jobs.grouped import Grouped
from fedi.jobs.kinds import KINDS
from fedi.jobs.runner import DONE, Again, Ending, Result
from fedi.outbox.hosts import DAY_MS, HostBook
from fedi.outbox.seal import OwnKeys, Sealed, Sealer
from fedi.outbox.slots import SendingSlots
from fedi.outbox.verdicts import Verdict, judge
from fedi.remote.client import Response
from fedi.store import deliveries, hosts, jobs, relations
from fedi.store.database import Database, Tx
from fedi.store.deliveries import DELIVER, HOST_UNREACHABLE, Attempt, DeliveryState, Destination
from fedi.store.jobs import Job

GIVE_UP_MS = 7 * DAY_MS
TIMEOUT_S = 30.0
DIGEST_KEPT_MS = 60_000
MOST_DIGESTS = 10_000

_KIND = KINDS[DELIVER]


class Poster(Protocol):
    """:class:`fedi.remote.client.RemoteClient`."""

    async def post(
        self,
        url: str,
        *,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        sign: Callable[[str, str, bytes], Mapping[str, str]] | None = None,
        timeout_s: float = 30,
    ) -> Response: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What one job came to: the row, and whether the job is over."""

    attempt: Attempt
    job: Job
    over: bool
    sealed: Sealed | None
    inbox: str
    gone: int | None = None  # 404 or 410


class Deliverer:
    """Made once; ``handle`` and ``fan_out`` are joined to the runner. ``client`` should allow many connections, since
    slow hosts keep theirs. ``observe`` counts results by the state that the row gets. ``close`` ends its threads."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        client: Poster,
        keys: OwnKeys,
        sealer: Sealer,
        uris: LocalUris,
        book: HostBook | None = None,
        slots: SendingSlots | None = None,
        threads: int = 2,
        observe: Callable[[str], None] = lambda _result: None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._client = client
        self._keys = keys
        self._sealer = sealer
        self._uris = uris
        self.book = book or HostBook()
        self._slots = slots or SendingSlots()
        self._executor: Executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="sign")
        self._results: Grouped[_Done] = Grouped(self._write)
        self._digests: OrderedDict[tuple[AccountId, str], tuple[int, str]] = OrderedDict()
        self._observe = observe
        self._background: set[asyncio.Task[None]] = set()
        self.book.on_change = self._save_soon

    async def load(self) -> None:
        """What the last process knew of hosts in trouble: call it before the first job."""
        now_ms = self._clock.ms()
        for state in await self._db.read(lambda tx: hosts.list_all_troubled(tx, now_ms)):
            self.book.learn(state)

    async def close(self) -> None:
        if self._background:
            await asyncio.gather(*self._background, return_exceptions=True)
        self._executor.shutdown(wait=False)

    # One delivery -------------------------------------------------------------------------------------------

    async def handle(self, job: Job) -> Result:
        """The job kind ``deliver``."""
        data = job.data
        now_ms = self._clock.ms()
        host = job.lane
        if not self.book.knows(host):
            await self._learn(host)
        if self.book.is_dead(host):
            return self._end(job, data, "expired", None, Verdict(outcome="refused", reason=HOST_UNREACHABLE))
        until = self.book.closed_until(host, now_ms)
        if until is not None:
            return Again(error="waiting for the host to answer again", after_ms=max(until - now_ms, 1), counted=False)
        try:
            sealed = await self._sealer.get(data["activity"])
            if sealed is None:
                self.book.left(host)
                return self._end(job, data, "expired", None, Verdict(outcome="refused", reason="body-gone"))
            async with self._slots.slot(host):
                verdict = await self._attempt(host, data["inbox"], data["account"], sealed)
        except BaseException:
            self.book.left(host)  # or nobody would ever try this host again
            raise
        return await self._conclude(job, data, sealed, verdict)

    async def _learn(self, host: str) -> None:
        state = await self._db.read_now(lambda tx: hosts.find_host(tx, host))
        self.book.learn(state or hosts.HostState(name=host))

    async def _conclude(self, job: Job, data: dict[str, Any], sealed: Sealed, verdict: Verdict) -> Result:
        if verdict.outcome == "sent":
            return self._end(job, data, "sent", sealed, verdict)
        if verdict.outcome == "gone":
            return self._end(job, data, "gone", sealed, verdict)
        if verdict.outcome in {"refused", "redirect"}:
            return self._end(job, data, "refused", sealed, verdict)
        now_ms = self._clock.ms()
        delay_ms = _KIND.delay_ms(job.attempts)
        if delay_ms is None or now_ms + delay_ms - job.created_at > GIVE_UP_MS:
            return self._end(job, data, "expired", sealed, verdict)
        if verdict.retry_after_s is not None:
            delay_ms = max(delay_ms, verdict.retry_after_s * 1000)
        attempt = _attempt(data, "retrying", verdict, now_ms, next_at=now_ms + delay_ms)
        self._observe("retrying")
        await self._results.add(_Done(attempt=attempt, job=job, over=False, sealed=sealed, inbox=data["inbox"]))
        return Again(error=verdict.reason or f"HTTP {verdict.code}", after_ms=delay_ms)

    def _end(
        self, job: Job, data: dict[str, Any], state: DeliveryState, sealed: Sealed | None, verdict: Verdict
    ) -> Result:
        attempt = _attempt(data, state, verdict, self._clock.ms())
        self._observe(state)
        gone = verdict.code if state == "gone" else None
        done = _Done(attempt=attempt, job=job, over=True, sealed=sealed, inbox=data["inbox"], gone=gone)
        return Ending(written=self._results.add(done))

    # The wire -----------------------------------------------------------------------------------------------

    async def _attempt(self, host: str, inbox: str, account: AccountId, sealed: Sealed) -> Verdict:
        """At most three signed requests: the scheme we know, the other one, and after a redirect to the same host."""
        try:
            target = wire_url(inbox)
            key = await self._keys.own_key(account, "rsa")
            verdict, response, scheme = await self._knock(host, target, sealed, key)
            if verdict.outcome == "redirect":
                onward = _same_host(target, response.headers.get("Location"))
                if onward is not None:
                    response = await self._post(onward, sealed, key, scheme)
                    verdict = self._judge(response)
        except Unreachable as away:
            self.book.failed(host, self._clock.ms())
            return Verdict(outcome="retry", reason=away.detail, retry_after_s=away.retry_after_s, blames_host=True)
        except PeerFault as fault:
            self.book.left(host)
            return Verdict(outcome="refused", reason=fault.code)
        now_ms = self._clock.ms()
        if verdict.blames_host:
            self.book.failed(host, now_ms)
        else:
            self.book.succeeded(host)
        if verdict.outcome == "sent":
            preferred: Scheme = "rfc9421" if "Accept-Signature" in response.headers else scheme
            self.book.takes(host, preferred, now_ms)
        return verdict

    async def _knock(self, host: str, target: str, sealed: Sealed, key: SigningKey) -> tuple[Verdict, Response, Scheme]:
        scheme = self.book.scheme(host, self._clock.ms())
        response = await self._post(target, sealed, key, scheme)
        if response.status in {400, 401} and self.book.may_probe(host, self._clock.ms()):
            self.book.probed(host, self._clock.ms())
            other: Scheme = "rfc9421" if scheme == "cavage" else "cavage"
            second = await self._post(target, sealed, key, other)
            if second.status not in {400, 401}:
                return self._judge(second), second, other
        return self._judge(response), response, scheme

    async def _post(self, target: str, sealed: Sealed, key: SigningKey, scheme: Scheme) -> Response:
        extra = await self._followers_header(target, sealed)
        # In a thread: RSA is more than half of the cost of a delivery, and gives other threads the processor.
        headers = await asyncio.get_running_loop().run_in_executor(
            self._executor,
            partial(
                httpsig.sign_request,
                scheme,
                "POST",
                target,
                body=sealed.body,
                key=key,
                now_s=self._clock.ms() // 1000,
                headers=extra,
            ),
        )
        return await self._client.post(
            target, body=sealed.body, sign=lambda _method, _url, _body: headers, timeout_s=TIMEOUT_S
        )

    def _judge(self, response: Response) -> Verdict:
        return judge(response.status, response.headers, response.body, self._clock.ms() // 1000)

    async def _followers_header(self, target: str, sealed: Sealed) -> dict[str, str]:
        """Tells the receiver which of its people follow, where an activity is for followers alone (FEP-8fcf)."""
        if sealed.followers is None:
            return {}
        host = parse_url(target).host
        claim = FollowersClaim(
            collection_id=sealed.followers,
            url=self._uris.followers_synchronization(sealed.author),
            digest=await self._digest(sealed.account, host),
        )
        return {HEADER: render_followers_claim(claim)}

    async def _digest(self, account: AccountId, host: str) -> str:
        now_ms = self._clock.ms()
        kept = self._digests.get((account, host))
        if kept is not None and kept[0] > now_ms:
            return kept[1]
        followers = await self._db.read_now(lambda tx: relations.list_follower_uris(tx, account, host))
        digest = followers_digest(followers)
        self._digests[account, host] = (now_ms + DIGEST_KEPT_MS, digest)
        self._digests.move_to_end((account, host))
        if len(self._digests) > MOST_DIGESTS:
            self._digests.popitem(last=False)
        return digest

    # What is written ----------------------------------------------------------------------------------------

    async def _write(self, group: list[_Done]) -> None:
        changed, self.book.changed = self.book.changed, {}
        moved, self.book.moved = self.book.moved, {}
        now_ms = self._clock.ms()
        sealed = {done.sealed.activity: done.sealed.body for done in group if done.sealed and done.sealed.fresh}

        async def unit(tx: Tx) -> None:
            await deliveries.put_attempts(tx, [done.attempt for done in group])
            for activity, body in sealed.items():
                await deliveries.put_sealed(tx, activity, body)
            for done in group:
                if done.gone is not None:
                    await deliveries.put_gone_inbox(tx, done.inbox, done.gone, done.job.data, now_ms=now_ms)
            await jobs.finish_many(tx, [done.job.id for done in group if done.over])
            await _put_hosts(tx, changed, moved, now_ms)

        if group or changed or moved:
            try:
                await self._db.write("end deliveries", unit)
            except BaseException:
                self.book.changed = changed | self.book.changed
                self.book.moved = moved | self.book.moved
                raise

    def _save_soon(self) -> None:
        """A host came back to life without a delivery to tell of."""
        task = asyncio.create_task(self._write([]))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # Fan-out ------------------------------------------------------------------------------------------------

    async def fan_out(self, job: Job) -> Result:
        """The job kind ``fan_out``: writes the deliveries of a large audience page by page. Again is no harm."""
        data = job.data
        to = [
            Destination(inbox=inbox, recipients=recipients, refusal=refusal)
            for inbox, recipients, refusal in data["to"]
        ]
        for start in range(0, len(to), deliveries.PAGE):
            page = to[start : start + deliveries.PAGE]
            await self._db.write("fan out", partial(_write_page, data, page, self._clock.ms()))
        return DONE


async def _write_page(data: dict[str, Any], page: list[Destination], now_ms: int, tx: Tx) -> None:
    await deliveries.put_deliveries(
        tx,
        activity_uri=data["activity"],
        account=data["account"],
        destinations=page,
        now_ms=now_ms,
        priority=data["priority"],
    )


async def _put_hosts(
    tx: Tx, changed: Mapping[str, hosts.HostState], moved: Mapping[str, int | None], now_ms: int
) -> None:
    await hosts.put_hosts(tx, list(changed.values()))
    for lane, until in moved.items():
        if until is None:
            await jobs.wake_lane(tx, kind=DELIVER, lane=lane, now_ms=now_ms)
        else:
            await jobs.move_lane(tx, kind=DELIVER, lane=lane, run_at=until)


def _attempt(
    data: dict[str, Any], state: DeliveryState, verdict: Verdict, now_ms: int, next_at: int | None = None
) -> Attempt:
    return Attempt(
        delivery=data["delivery"],
        state=state,
        now_ms=now_ms,
        code=verdict.code,
        error=None if state == "sent" else verdict.reason,
        next_at=next_at,
    )


def _same_host(target: str, location: str | None) -> str | None:
    """Where a 307 or 308 leads, if it stays with the same host; then it is signed anew."""
    if location is None:
        return None
    here = parse_url(target)
    if location.startswith("/") and not location.startswith("//"):
        return f"{here.scheme}://{here.authority}{location}"
    try:
        there = parse_url(location)
    except PeerFault:
        return None
    return wire_url(location) if there.origin == here.origin else None
