"""The job kind ``maintenance``: named tasks, once or again and again, without a leader among processes.

A periodic task queues its next turn under a dedup key that names the period, so however many processes run it, there
is one turn in each period.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fedi.clock import Clock
from fedi.jobs.runner import DONE, Dead, Result
from fedi.store import jobs
from fedi.store.database import Database, Tx
from fedi.store.jobs import Job

MAINTENANCE = "maintenance"

Task = Callable[[Job], Awaitable[Result]]
"""A task whose job carries facts in its payload; it may end the job itself."""
Chore = Callable[[], Awaitable[None]]
"""A periodic task. Run twice, it does no harm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """``run`` every ``period_ms``."""

    period_ms: int
    run: Chore


class Maintenance:
    """Dispatches by ``payload["task"]``. ``start`` queues the first turn of every periodic task."""

    def __init__(self, *, db: Database, clock: Clock, tasks: Mapping[str, Task], chores: Mapping[str, Every]) -> None:
        if tasks.keys() & chores.keys():
            raise ValueError("a task and a chore have the same name")
        self._db = db
        self._clock = clock
        self._tasks = tasks
        self._chores = chores

    async def start(self) -> None:
        async def unit(tx: Tx) -> None:
            for name in self._chores:
                await self._queue(tx, name, self._clock.ms())

        await self._db.write("plan maintenance", unit)

    async def handle(self, job: Job) -> Result:
        """The job kind's handler."""
        name = job.data["task"]
        task = self._tasks.get(name)
        if task is not None:
            return await task(job)
        chore = self._chores.get(name)
        if chore is None:
            return Dead(error=f"no task is called {name}")
        now_ms = self._clock.ms()
        await self._db.write("plan maintenance", lambda tx: self._queue(tx, name, now_ms + chore.period_ms))
        await chore.run()
        return DONE

    async def _queue(self, tx: Tx, name: str, at_ms: int) -> None:
        period = at_ms // self._chores[name].period_ms
        await jobs.enqueue(
            tx,
            MAINTENANCE,
            {"task": name},
            dedup=f"{name}:{period}",
            run_at=at_ms,
            priority=jobs.LOW,
            now_ms=self._clock.ms(),
        )
