"""Runs jobs: claims them in batches under a lease, in order where order is asked for, and says what becomes of each.

A handler is given a :class:`fedi.store.jobs.Job` and returns what became of it. For speed it ends the job in the
transaction of its own effects (``jobs.finish(tx, job.id)``) and returns :data:`ENDED`; or it returns :data:`DONE` and
the runner ends it. It may be run again after a crash at any point, so it leaves no effect outside that transaction
which a second run could not repeat.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias, assert_never

import structlog

from fedi.clock import Clock
from fedi.errors import Unreachable
from fedi.jobs.grouped import Grouped
from fedi.jobs.kinds import KINDS, Kind
from fedi.store import jobs
from fedi.store.database import Database, Tx
from fedi.store.jobs import Job, JobGone

LEASE_MS = 60_000
POLL_S = 5.0  # only the safety net: whoever enqueues in this process wakes the runner
CLAIM_AT_ONCE = 128

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Try later: after ``after_ms``, or by the kind's own back-off. ``counted=False`` uses up no attempt."""

    error: str
    after_ms: int | None = None
    counted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """There is no use in trying again, and a person should know."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Its effect outside is there, so the next job of its key may start; ``written`` ends it in the database."""

    written: asyncio.Future[None]


DONE: Literal["done"] = "done"  # the runner ends the job
ENDED: Literal["ended"] = "ended"  # the handler ended it in its own transaction
Result: TypeAlias = Literal["done", "ended"] | Again | Dead | Ending
Handler: TypeAlias = Callable[[Job], Awaitable[Result]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """What is to be written about a job, and about those that wait behind it (``followers``)."""

    job: Job
    result: Literal["done"] | Again | Dead
    run_at: int = 0
    followers: tuple[Job, ...] = ()
    holds_back: bool = False  # nothing of its ordering key may overtake it


class JobRunner:
    """One per process. Make it, ``join`` the handlers, ``start`` it, ``stop`` it."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        handlers: Mapping[str, Handler] | None = None,
        kinds: Mapping[str, Kind] = KINDS,
        lease_ms: int = LEASE_MS,
        poll_s: float = POLL_S,
    ) -> None:
        self._db = db
        self._clock = clock
        self._kinds = kinds
        self._handlers: dict[str, Handler] = dict(handlers or {})
        self._lease_ms = lease_ms
        self._poll_s = poll_s
        self._hand: dict[int, Job] = {}
        self._counts: dict[str, int] = {}
        self._lanes: dict[str, dict[str, int]] = {}
        self._chains: dict[tuple[str, str], deque[Job]] = {}
        self._tasks: set[asyncio.Future[None]] = set()
        self._due: set[str] = set()  # kinds that may have something to claim
        self._crowded: set[str] = set()  # kinds whose last claim took as many as it might
        self._full: dict[str, set[str]] = {}  # lanes that were full after it
        self._woken = asyncio.Event()
        self._verdicts: Grouped[_Verdict] = Grouped(self._write_verdicts)
        self._service: asyncio.Task[None] | None = None
        self._stopping = False
        self._unlisten: Callable[[], None] | None = None

    def join(self, kind: str, handler: Handler) -> None:
        """Raises ValueError for an unknown kind or a second handler."""
        if kind not in self._kinds or kind in self._handlers:
            raise ValueError(f"job kind {kind!r} is unknown or has a handler")
        self._handlers[kind] = handler

    @property
    def in_hand(self) -> int:
        return len(self._hand)

    # Service ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._unlisten = jobs.listen(self._ring)
        self._due.update(self._handlers)
        self._service = asyncio.create_task(self._serve())

    async def stop(self, grace_s: float = 10.0) -> None:
        """Claims no more, waits for what runs, gives the other leases back."""
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
        if self._service is not None:
            # Not cancelled: a claim under way goes through, and its leases would be forgotten.
            self._stopping = True
            self._woken.set()
            await self._service
            self._service, self._stopping = None, False
        waiting = [job for chain in self._chains.values() for job in chain]
        for chain in self._chains.values():
            chain.clear()
        for job in waiting:
            self._let_go(job)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_s)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        back = [job.id for job in waiting] + list(self._hand)
        for job in tuple(self._hand.values()):
            self._let_go(job)
        if back:
            await self._db.write("give leases back", lambda tx: jobs.release(tx, back))

    def _ring(self, kind: str) -> None:
        if kind:
            self._due.add(kind)
        else:
            self._due.update(self._handlers)
        self._woken.set()

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._heartbeat()), group.create_task(self._poll())]
            while not self._stopping:
                self._woken.clear()
                if not await self._claim_and_start() and not self._stopping:
                    await self._woken.wait()
            for task in beside:
                task.cancel()

    async def _poll(self) -> None:
        """Finds what nobody rings for: jobs whose time has come, and those of processes that are no more. By the clock,
        since on a busy server there is never a pause."""
        while True:
            await self._release_expired()
            self._ring("")
            await asyncio.sleep(self._poll_s)

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(self._lease_ms / 3000)
            held = list(self._hand)
            if held:
                until = self._clock.ms() + self._lease_ms
                await self._db.write("extend leases", lambda tx: jobs.extend(tx, held, until=until))  # noqa: B023

    async def _release_expired(self) -> None:
        now_ms = self._clock.ms()
        await self._db.write("release expired leases", lambda tx: jobs.release_expired(tx, now_ms=now_ms))

    # Claiming -----------------------------------------------------------------------------------------------

    async def _claim_and_start(self, *, most: int = CLAIM_AT_ONCE) -> int:
        wanted = self._wanted(most)
        if not wanted:
            return 0
        now_ms = self._clock.ms()
        claimed = await self._db.write(
            "claim jobs", lambda tx: jobs.claim(tx, wanted, now_ms=now_ms, lease_ms=self._lease_ms)
        )
        for job in claimed:
            self._take(job)
        for want in wanted:
            self._note_rest(want, sum(job.kind == want.kind for job in claimed))
        for job in claimed:
            self._start(job)
        return len(claimed)

    def _note_rest(self, want: jobs.Wanted, found: int) -> None:
        """Whether the claim may have left something behind, and what must end before another look pays."""
        kind = self._kinds[want.kind]
        lanes = self._lanes.get(want.kind, {})
        self._full[want.kind] = {lane for lane, count in lanes.items() if count >= kind.per_lane}
        self._crowded.discard(want.kind)
        if found >= want.limit:
            self._crowded.add(want.kind)
            self._look_again(want.kind, self._counts[want.kind])

    def _wanted(self, most: int) -> list[jobs.Wanted]:
        wanted = []
        for name in sorted(self._due & self._handlers.keys()):
            kind = self._kinds[name]
            room = min(most, kind.concurrency - self._counts.get(name, 0))
            if room > 0:
                wanted.append(
                    jobs.Wanted(kind=name, limit=room, per_lane=kind.per_lane, held=dict(self._lanes.get(name, {})))
                )
            self._due.discard(name)  # a full kind is due again when one of its jobs ends
        return wanted

    def _take(self, job: Job) -> None:
        self._hand[job.id] = job
        self._counts[job.kind] = self._counts.get(job.kind, 0) + 1
        if self._kinds[job.kind].per_lane:
            lanes = self._lanes.setdefault(job.kind, {})
            lanes[job.lane] = lanes.get(job.lane, 0) + 1

    def _let_go(self, job: Job) -> None:
        if self._hand.pop(job.id, None) is None:
            return
        kind = self._kinds[job.kind]
        count = self._counts[job.kind] = self._counts[job.kind] - 1
        if kind.per_lane:
            lanes = self._lanes[job.kind]
            in_lane = lanes[job.lane] = lanes[job.lane] - 1
            if not in_lane:
                del lanes[job.lane]
            if job.lane in self._full.get(job.kind, ()) and in_lane <= kind.per_lane // 2:
                self._full[job.kind].discard(job.lane)
                self._claim_soon(job.kind)
        self._look_again(job.kind, count)

    def _look_again(self, kind: str, count: int) -> None:
        # Half empty, not for each job: claims are cheap in batches only.
        if kind in self._crowded and count <= self._kinds[kind].concurrency // 2:
            self._claim_soon(kind)

    def _claim_soon(self, kind: str) -> None:
        self._due.add(kind)
        self._woken.set()

    # Running ------------------------------------------------------------------------------------------------

    def _start(self, job: Job) -> None:
        if self._kinds[job.kind].order == "started" or job.ordering is None:
            self._spawn(self._run(job))
            return
        key = (job.kind, job.ordering)
        if key in self._chains:
            self._chains[key].append(job)
            return
        self._chains[key] = deque([job])
        self._spawn(self._run_chain(key))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_chain(self, key: tuple[str, str]) -> None:
        chain = self._chains[key]
        try:
            while chain:
                await self._run(chain.popleft(), chain)
        finally:
            del self._chains[key]

    async def _run(self, job: Job, followers: deque[Job] | None = None) -> None:
        result = await self._handle(job)
        if result == "ended":
            self._let_go(job)
            return
        if isinstance(result, Ending):
            self._tasks.add(result.written)
            result.written.add_done_callback(partial(self._see_off, job))
            return
        await self._verdicts.add(self._verdict(job, result, followers))
        self._let_go(job)

    def _see_off(self, job: Job, written: asyncio.Future[None]) -> None:
        self._tasks.discard(written)
        if written.cancelled():
            return  # we stop, and its lease is given back
        if (fault := written.exception()) is not None:  # its lease ends by itself, and it runs again
            _log.error("job-not-ended", kind=job.kind, job=job.id, exc_info=fault)
        self._let_go(job)

    async def _handle(self, job: Job) -> Result:
        try:
            return await self._handlers[job.kind](job)
        except JobGone:
            return ENDED
        except Unreachable as away:
            after_ms = None if away.retry_after_s is None else away.retry_after_s * 1000
            return Again(error=str(away), after_ms=after_ms)
        except Exception as bug:  # noqa: BLE001 - whatever a handler does, the queue goes on
            _log.exception("job-failed", kind=job.kind, job=job.id, attempts=job.attempts)
            return Again(error=f"{type(bug).__name__}: {bug}")

    def _verdict(self, job: Job, result: Literal["done"] | Again | Dead, followers: deque[Job] | None) -> _Verdict:
        if not isinstance(result, Again):
            return _Verdict(job=job, result=result)
        backoff_ms = self._kinds[job.kind].delay_ms(job.attempts)
        if result.counted and backoff_ms is None:
            return _Verdict(job=job, result=Dead(error=result.error))
        delay_ms = result.after_ms if result.after_ms is not None else (backoff_ms or 0)
        behind = tuple(followers or ())
        if followers is not None:
            followers.clear()
        for follower in behind:
            self._let_go(follower)
        return _Verdict(
            job=job,
            result=result,
            run_at=self._clock.ms() + delay_ms,
            followers=behind,
            holds_back=followers is not None,
        )

    async def _write_verdicts(self, verdicts: list[_Verdict]) -> None:
        async def unit(tx: Tx) -> None:
            done = [verdict.job.id for verdict in verdicts if verdict.result == "done"]
            if done:
                await jobs.finish_many(tx, done)
            for verdict in verdicts:
                await _write_verdict(tx, verdict)

        await self._db.write("end jobs", unit)

    # Stepping, for tests and the command line ---------------------------------------------------------------

    async def run_one(self, kind: str | None = None) -> Job | None:
        """Claims and runs the next due job to its end; None when nothing is due."""
        self._due = {kind} if kind else set(self._handlers)
        wanted = self._wanted(1)
        now_ms = self._clock.ms()
        for want in wanted:
            claimed = await self._db.write(
                "claim a job",
                lambda tx: jobs.claim(tx, [want], now_ms=now_ms, lease_ms=self._lease_ms),  # noqa: B023
            )
            for job in claimed:
                self._take(job)
                self._start(job)
                await self._rest()
                return job
        return None

    async def run_to_rest(self, kinds: Iterable[str] | None = None, *, rounds: int = 1000) -> int:
        """Runs everything that is due now, and what that brings, until nothing is left; how many runs it took."""
        count = 0
        for _ in range(rounds):
            self._due = set(kinds or self._handlers)
            started = await self._claim_and_start()
            await self._rest()
            if not started:
                return count
            count += started
        raise RuntimeError("the queue does not come to rest")

    async def _rest(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)
            for task in tuple(self._tasks):
                if task.done():
                    task.result()


async def _write_verdict(tx: Tx, verdict: _Verdict) -> None:
    job = verdict.job
    match verdict.result:
        case "done":
            return
        case Again(error=error, counted=counted):
            await jobs.put_back(tx, job.id, run_at=verdict.run_at, error=error[:2000], counted=counted)
            for follower in verdict.followers:
                await jobs.put_back(tx, follower.id, run_at=verdict.run_at, error=None, counted=False)
            if job.ordering is not None and verdict.holds_back:
                await jobs.move_ordering(tx, kind=job.kind, ordering=job.ordering, run_at=verdict.run_at)
        case Dead(error=error):
            await jobs.bury(tx, job.id, error=error)
        case never:
            assert_never(never)
