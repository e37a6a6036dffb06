"""Work to be done later, kept beside the data it belongs to: enqueueing joins the transaction that wants it.

A job is *waiting*, *leased* to a process until a deadline, or *dead* (out of attempts, kept with its error). A job
that is done is gone. Handlers may run twice; they end their job with :func:`finish` in the transaction of its effects,
so that the second run finds nothing to finish and leaves no trace.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

from fedi.store.database import Row, Tx
from fedi.store.rows import from_json, to_json

JobState = Literal["waiting", "leased", "dead"]

HIGH, NORMAL, LOW = 0, 1, 2
PRIORITIES = (HIGH, NORMAL, LOW)
CANDIDATES = 256  # looked at in one step of a claim
MOST_STEPS = 8  # then the rest waits for the next claim


class Job(NamedTuple):
    """``payload`` is JSON text; ``attempts`` counts this one too once it is claimed."""

    id: int
    kind: str
    payload: str
    lane: str
    ordering: str | None
    priority: int
    attempts: int
    created_at: int

    @property
    def data(self) -> Any:
        return from_json(self.payload)


class JobRow(NamedTuple):
    """A job as the operator sees it."""

    id: int
    kind: str
    state: JobState
    lane: str
    priority: int
    attempts: int
    run_at: int
    created_at: int
    error: str | None
    payload: str


class QueueAge(NamedTuple):
    kind: str
    state: JobState
    jobs: int
    oldest_run_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """``dedup``: while an unfinished job of this kind has the same key, another one is not made."""

    kind: str
    payload: Mapping[str, object]
    ordering: str | None = None
    dedup: str | None = None
    lane: str = ""
    priority: int = NORMAL
    run_at: int


class JobGone(Exception):  # noqa: N818 - a state, not an error
    """The job was already finished by another run: roll back, its effects are there."""


# Partial unique index job_dedup.
ENQUEUE = """
INSERT INTO job (kind, payload, lane, ordering, dedup, state, priority, run_at, created_at)
VALUES (:kind, :payload, :lane, :ordering, :dedup, 'waiting', :priority, :run_at, :created_at)
ON CONFLICT DO NOTHING"""
ENQUEUE_RETURNING = f"{ENQUEUE} RETURNING id"

# Two processes that claim at once could tear an ordering key apart; claims are short, so they take turns.
LOCK_CLAIMS_POSTGRES = "SELECT pg_advisory_xact_lock(7377236)"

# Covering index job_ready, in its order; 20 µs for a full step at 100 000 waiting rows.
_READY = """
SELECT id, lane, ordering FROM job j
 WHERE kind = :kind AND state = 'waiting' AND priority = :priority AND run_at <= :now {busy}
 ORDER BY run_at, id LIMIT :limit {lock}"""
_NOT_BUSY = "AND lane NOT IN TEXTS(:busy)"
# Elsewhere somebody runs an older job of the same key. On SQLite there is no elsewhere.
_NOT_ELSEWHERE = """AND (ordering IS NULL OR NOT EXISTS (
    SELECT 1 FROM job o WHERE o.ordering = j.ordering AND o.state = 'leased'))"""
READY_SQLITE = _READY.format(busy="", lock="")
READY_SQLITE_BUSY = _READY.format(busy=_NOT_BUSY, lock="")
READY_POSTGRES = _READY.format(busy=f"{_NOT_BUSY} {_NOT_ELSEWHERE}", lock="FOR UPDATE SKIP LOCKED")

LEASE = """
UPDATE job SET state = 'leased', lease_until = :until, attempts = attempts + 1 WHERE id IN INTS(:ids)
RETURNING id, kind, payload, lane, ordering, priority, attempts, created_at"""
EXTEND = "UPDATE job SET lease_until = :until WHERE id IN INTS(:ids) AND state = 'leased'"
FINISH = "DELETE FROM job WHERE id = :id"
FINISH_MANY = "DELETE FROM job WHERE id IN INTS(:ids)"
AGAIN = """
UPDATE job SET state = 'waiting', lease_until = NULL, run_at = :run_at, error = :error, attempts = attempts - :refund
 WHERE id = :id AND state = 'leased'"""
BURY = "UPDATE job SET state = 'dead', lease_until = NULL, error = :error WHERE id = :id"
RELEASE = """
UPDATE job SET state = 'waiting', lease_until = NULL, attempts = attempts - 1
 WHERE id IN INTS(:ids) AND state = 'leased'"""
RELEASE_EXPIRED = """
UPDATE job SET state = 'waiting', lease_until = NULL WHERE state = 'leased' AND lease_until <= :now"""
MOVE_ORDERING = """
UPDATE job SET run_at = :run_at WHERE ordering = :ordering AND kind = :kind AND state = 'waiting' AND run_at < :run_at"""
HURRY_ORDERING = """
UPDATE job SET priority = :priority
 WHERE ordering IN TEXTS(:orderings) AND kind = :kind AND state = 'waiting' AND priority > :priority"""
MOVE_LANE = """
UPDATE job SET run_at = :run_at WHERE lane = :lane AND state = 'waiting' AND kind = :kind AND run_at < :run_at"""
WAKE_LANE = """
UPDATE job SET run_at = :run_at WHERE lane = :lane AND state = 'waiting' AND kind = :kind AND run_at > :run_at"""

_ROW = "id, kind, state, lane, priority, attempts, run_at, created_at, error, payload"
LIST = f"""
SELECT {_ROW} FROM job
 WHERE (CAST(:state AS TEXT) IS NULL OR state = :state) AND (CAST(:kind AS TEXT) IS NULL OR kind = :kind)
 ORDER BY id LIMIT :limit"""
RETRY_DEAD = """
UPDATE job SET state = 'waiting', attempts = 0, run_at = :now, error = NULL
 WHERE id = :id AND state = 'dead' AND (dedup IS NULL OR NOT EXISTS (
    SELECT 1 FROM job o WHERE o.kind = job.kind AND o.dedup = job.dedup AND o.state <> 'dead'))"""
RETRY_WAITING = "UPDATE job SET run_at = :now WHERE id = :id AND state = 'waiting'"
LIST_DEAD_IDS = """
SELECT id FROM job WHERE state = 'dead' AND (CAST(:kind AS TEXT) IS NULL OR kind = :kind) ORDER BY id"""
NEXT_RUN_AT = "SELECT min(run_at) FROM job WHERE kind IN TEXTS(:kinds) AND state = 'waiting' AND priority = :priority"
AGES = "SELECT kind, state, count(*), min(run_at) FROM job GROUP BY kind, state ORDER BY kind, state"

_listeners: set[Callable[[str], None]] = set()


def listen(call: Callable[[str], None]) -> Callable[[], None]:
    """``call(kind)`` runs after each commit in this process that brought jobs. Returns what ends it."""
    _listeners.add(call)
    return lambda: _listeners.discard(call)


def _ring(kind: str) -> None:
    for call in tuple(_listeners):
        call(kind)


async def enqueue(
    tx: Tx,
    kind: str,
    payload: Mapping[str, object],
    *,
    ordering: str | None = None,
    dedup: str | None = None,
    lane: str = "",
    priority: int = NORMAL,
    run_at: int | None = None,
    now_ms: int,
) -> int | None:
    """The id of the new job, or None when an unfinished one with this ``dedup`` key is there already.

    Jobs with the same ``ordering`` key run oldest first. The runner of this process wakes after the commit.
    """
    job_id = await tx.value(
        ENQUEUE_RETURNING,
        kind=kind,
        payload=to_json(payload),
        lane=lane,
        ordering=ordering,
        dedup=dedup,
        priority=priority,
        run_at=now_ms if run_at is None else run_at,
        created_at=now_ms,
    )
    if job_id is not None:
        tx.after_commit(partial(_ring, kind))
    return None if job_id is None else int(job_id)


async def enqueue_many(tx: Tx, jobs: Sequence[NewJob], *, now_ms: int) -> None:
    """Several at once; those whose ``dedup`` key is taken are left out in silence."""
    if not jobs:
        return
    await tx.many(
        ENQUEUE,
        [
            {
                "kind": job.kind,
                "payload": to_json(job.payload),
                "lane": job.lane,
                "ordering": job.ordering,
                "dedup": job.dedup,
                "priority": job.priority,
                "run_at": job.run_at,
                "created_at": now_ms,
            }
            for job in jobs
        ],
    )
    for kind in {job.kind for job in jobs}:
        tx.after_commit(partial(_ring, kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How many jobs of a kind a process takes, at most ``per_lane`` of one lane (of those lanes it already holds,
    ``held`` says how many; 0: no limit)."""

    kind: str
    limit: int
    per_lane: int = 0
    held: Mapping[str, int]


async def claim(tx: Tx, wanted: Iterable[Wanted], *, now_ms: int, lease_ms: int) -> list[Job]:
    """Leases the jobs that are due, high priority first, then oldest first, and those of one ordering key in order."""
    if tx.engine == "postgres":
        await tx.one(LOCK_CLAIMS_POSTGRES)
    chosen: list[int] = []
    for want in wanted:
        chosen += await _choose(tx, want, now_ms)
    if not chosen:
        return []
    leased = await tx.all_as(Job, LEASE, ids=chosen, until=now_ms + lease_ms)
    rank = {job_id: place for place, job_id in enumerate(chosen)}
    leased.sort(key=lambda job: rank[job.id])
    return leased


async def _choose(tx: Tx, want: Wanted, now_ms: int) -> list[int]:
    chosen: dict[int, None] = {}  # in order
    held = dict(want.held)
    full = {lane for lane, count in held.items() if want.per_lane and count >= want.per_lane}
    for priority in PRIORITIES:
        for _ in range(MOST_STEPS):
            room = want.limit - len(chosen)
            if room <= 0:
                return list(chosen)
            limit = CANDIDATES if want.per_lane else room
            named = {"kind": want.kind, "priority": priority, "now": now_ms, "limit": limit}
            ready = await _list_ready(tx, named, full)
            before, was_full = len(chosen), len(full)
            for job_id, lane, _ordering in ready:
                if lane in full or job_id in chosen or len(chosen) >= want.limit:
                    continue
                chosen[job_id] = None
                if want.per_lane:
                    held[lane] = held.get(lane, 0) + 1
                    if held[lane] >= want.per_lane:
                        full.add(lane)
            # Another look pays only where a full lane may have hidden others behind it.
            if len(ready) < limit or len(full) == was_full or len(chosen) == before:
                break
    return list(chosen)


async def _list_ready(tx: Tx, named: Mapping[str, object], full: set[str]) -> list[Row]:
    """Id, lane and ordering key of what is due."""
    if tx.engine == "postgres":
        return await tx.all(READY_POSTGRES, **named, busy=full)
    if full:
        return await tx.all(READY_SQLITE_BUSY, **named, busy=full)
    return await tx.all(READY_SQLITE, **named)


async def finish(tx: Tx, job_id: int) -> None:
    """Ends a job inside the transaction of its effects. Raises :class:`JobGone` when another run did so before."""
    if not await tx.run(FINISH, id=job_id):
        raise JobGone(str(job_id))


async def finish_many(tx: Tx, job_ids: Sequence[int]) -> None:
    """Ends jobs whose effects are elsewhere; those already ended do not matter."""
    await tx.run(FINISH_MANY, ids=job_ids)


async def put_back(tx: Tx, job_id: int, *, run_at: int, error: str | None, counted: bool = True) -> None:
    """Lets a leased job wait until ``run_at``. ``counted=False``: this run does not count as an attempt."""
    await tx.run(AGAIN, id=job_id, run_at=run_at, error=error, refund=0 if counted else 1)


async def bury(tx: Tx, job_id: int, *, error: str) -> None:
    """Out of attempts: kept with its error, for the operator."""
    await tx.run(BURY, id=job_id, error=error[:2000])


async def release(tx: Tx, job_ids: Sequence[int]) -> None:
    """Gives leases back, as if the jobs had never been claimed."""
    await tx.run(RELEASE, ids=job_ids)


async def release_expired(tx: Tx, *, now_ms: int) -> int:
    """Jobs of a process that died come back; the lost run counts as an attempt."""
    return await tx.run(RELEASE_EXPIRED, now=now_ms)


async def extend(tx: Tx, job_ids: Sequence[int], *, until: int) -> None:
    await tx.run(EXTEND, ids=job_ids, until=until)


async def move_ordering(tx: Tx, *, kind: str, ordering: str, run_at: int) -> None:
    """What follows a job that must be retried waits as long as it does, so that nothing overtakes it."""
    await tx.run(MOVE_ORDERING, kind=kind, ordering=ordering, run_at=run_at)


async def hurry_ordering(tx: Tx, *, kind: str, orderings: Iterable[str], priority: int) -> None:
    """Before a more urgent job joins an ordering: those in front of it become as urgent, or it would overtake them."""
    await tx.run(HURRY_ORDERING, kind=kind, orderings=list(orderings), priority=priority)


async def move_lane(tx: Tx, *, kind: str, lane: str, run_at: int) -> int:
    """A whole lane waits, without using up attempts."""
    return await tx.run(MOVE_LANE, kind=kind, lane=lane, run_at=run_at)


async def wake_lane(tx: Tx, *, kind: str, lane: str, now_ms: int) -> int:
    """What waited in a lane is due now."""
    moved = await tx.run(WAKE_LANE, kind=kind, lane=lane, run_at=now_ms)
    if moved:
        tx.after_commit(partial(_ring, kind))
    return moved


async def list_jobs(
    tx: Tx, *, state: JobState | None = None, kind: str | None = None, limit: int = 100
) -> list[JobRow]:
    """Oldest first."""
    return await tx.all_as(JobRow, LIST, state=state, kind=kind, limit=limit)


async def retry_job(tx: Tx, job_id: int, *, now_ms: int) -> bool:
    """A dead job starts again with all its attempts, a waiting one is due now. False: nothing to retry there."""
    if not (await tx.run(RETRY_DEAD, id=job_id, now=now_ms) or await tx.run(RETRY_WAITING, id=job_id, now=now_ms)):
        return False
    tx.after_commit(partial(_ring, ""))
    return True


async def retry_dead(tx: Tx, *, kind: str | None = None, now_ms: int) -> int:
    """Every dead job (of ``kind``) starts again. One whose work is queued anew meanwhile stays as it is."""
    ids = [row[0] for row in await tx.all(LIST_DEAD_IDS, kind=kind)]
    return sum([await retry_job(tx, job_id, now_ms=now_ms) for job_id in ids])


async def find_next_run_at(tx: Tx, kinds: Iterable[str]) -> int | None:
    """When the next waiting job of ``kinds`` is due."""
    found = [await tx.value(NEXT_RUN_AT, kinds=list(kinds), priority=priority) for priority in PRIORITIES]
    return min((at for at in found if at is not None), default=None)


async def list_ages(tx: Tx) -> list[QueueAge]:
    """For the operator's figures: how many jobs of each kind and state, and when the oldest was due."""
    return await tx.all_as(QueueAge, AGES)
