"""Who may send now: a few at a time to one host, some more in all. Who waits long for an answer costs little and gives
its place in all back, so that a crowd of dead hosts does not keep the living waiting."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class _Place:
    """Given back once."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave: Callable[[], None] | None = leave

    def give_back(self) -> None:
        if self._leave is not None:
            leave, self._leave = self._leave, None
            leave()


class SendingSlots:
    """``total`` deliveries at once, ``per_host`` to one host; after ``patience_s`` one no longer counts in ``total``."""

    def __init__(self, *, total: int = 64, per_host: int = 2, patience_s: float = 0.5) -> None:
        self._free = total
        self._per_host = per_host
        self._patience_s = patience_s
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._busy: dict[str, int] = {}
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[None]:
        await self._enter_host(host)
        try:
            await self._enter()
            loop = asyncio.get_running_loop()
            place = _Place(self._leave)
            impatience = loop.call_later(self._patience_s, place.give_back)
            try:
                yield
            finally:
                impatience.cancel()
                place.give_back()
        finally:
            self._leave_host(host)

    async def _enter_host(self, host: str) -> None:
        busy = self._busy.get(host, 0)
        if busy < self._per_host:
            self._busy[host] = busy + 1
            return
        await _wait_in(self._queues.setdefault(host, deque()), lambda: self._leave_host(host))

    def _leave_host(self, host: str) -> None:
        queue = self._queues.get(host)
        while queue:
            waiter = queue.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._queues.pop(host, None)
        if self._busy[host] > 1:
            self._busy[host] -= 1
        else:
            del self._busy[host]

    async def _enter(self) -> None:
        if self._free > 0:
            self._free -= 1
            return
        await _wait_in(self._waiting, self._leave)

    def _leave(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1


async def _wait_in(queue: deque[asyncio.Future[None]], pass_on: Callable[[], None]) -> None:
    """Waits for a place; one that arrives together with a cancellation goes to the next."""
    turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    queue.append(turn)
    try:
        await turn
    except asyncio.CancelledError:
        if turn.done() and not turn.cancelled():
            pass_on()
        raise
