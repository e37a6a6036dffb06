"""Many small results, few writes: what arrives while one write is under way goes into the next one together."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Grouped(Generic[T]):
    """``write(items)`` gets everything that was added since the last one, at most ``most`` at once, in order."""

    def __init__(self, write: Callable[[list[T]], Awaitable[None]], *, most: int = 256) -> None:
        self._write = write
        self._most = most
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, item: T) -> asyncio.Future[None]:
        """Done once the group that holds ``item`` is written; raises what writing it raised."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, written))
        if self._task is None:
            self._task = asyncio.create_task(self._flush())
        return written

    async def _flush(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._write_group(group)
        finally:
            self._task = None

    async def _write_group(self, group: list[tuple[T, asyncio.Future[None]]]) -> None:
        fault: BaseException | None = None
        try:
            await self._write([item for item, _ in group])
        except BaseException as raised:  # noqa: BLE001 - it is raised where the items were added
            fault = raised
        for _, written in group:
            if written.done():  # its adder was cancelled
                continue
            if fault is None:
                written.set_result(None)
            else:
                written.set_exception(fault)
        if isinstance(fault, asyncio.CancelledError):
            raise fault
