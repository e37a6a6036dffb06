"""Rendered bytes, bounded by their size; what was not asked for longest goes first."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K")
_OVERHEAD = 200  # of an entry in memory, roughly


class Rendered(NamedTuple):
    """``version``: what it was rendered from; ``extra``: what the rendering of other parts needs to know of it."""

    version: Hashable
    body: bytes
    extra: bytes = b""


class ByteCache(Generic[K]):
    """Shared by the event loop and the thread of the database, where read units run."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[K, Rendered] = OrderedDict()
        self._writing = Lock()
        self.size_bytes = 0

    def find(self, key: K, version: Hashable) -> Rendered | None:
        found = self._entries.get(key)
        if found is None or found.version != version:
            return None
        try:
            self._entries.move_to_end(key)
        except KeyError:
            pass  # dropped by the other thread this very moment; what we hold is still true
        return found

    def put(self, key: K, rendered: Rendered) -> None:
        with self._writing:
            before = self._entries.pop(key, None)
            if before is not None:
                self.size_bytes -= _size(before)
            self._entries[key] = rendered
            self.size_bytes += _size(rendered)
            while self.size_bytes > self._max_bytes:
                _, dropped = self._entries.popitem(last=False)
                self.size_bytes -= _size(dropped)

    def __len__(self) -> int:
        return len(self._entries)


def _size(rendered: Rendered) -> int:
    return len(rendered.body) + len(rendered.extra) + _OVERHEAD
