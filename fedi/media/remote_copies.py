"""Copies of remote media, so that readers' addresses stay with us and an origin is asked once.

A copy is kept under the hash of its URL as long as there is room; the least recently asked for goes first. What could
not be fetched is not asked for again for a while. Readers of the same URL wait for one download.
"""

import asyncio
import hashlib
import os
import re
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fedi.activitypub.urls import host as host_of
from fedi.activitypub.urls import is_same_server, parent_domains
from fedi.clock import Clock
from fedi.config import MediaConfig
from fedi.errors import ClientFault, PeerFault, Unreachable
from fedi.i18n import _
from fedi.media.types import EXTENSIONS, HEAD_BYTES, TYPES, find_type
from fedi.remote.client import Deadlines, RemoteClient

MINUTE_MS = 60_000
UNREACHABLE_FOR_MS = 5 * MINUTE_MS
REFUSED_FOR_MS = 60 * MINUTE_MS
MOST_FAILURES = 20_000
AT_ONCE = 16
AT_ONCE_OF_ONE = 4  # origin: a slow one must not keep readers from all others
DEADLINES = Deadlines(connect_s=5, read_s=10, total_s=60)

_NAME = re.compile(rf"[0-9a-f]{{64}}\.({'|'.join(TYPES)})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    path: Path
    content_type: str


@dataclass(slots=True)
class _Entry:
    extension: str
    size_bytes: int


@dataclass(slots=True)
class _Turns:
    """Of one origin; ``waiting`` counts who has or wants one."""

    free: asyncio.Semaphore
    waiting: int = 0


class _Head:
    """A sink that keeps the first bytes beside the file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.head = b""

    def __call__(self, chunk: bytes) -> None:
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]
        self._file.write(chunk)


class RemoteCopies:
    """``is_refused`` says whether a decision keeps a URL's host out; ``own_host`` is never asked."""

    def __init__(
        self,
        *,
        remote: RemoteClient,
        clock: Clock,
        folder: Path,
        limits: MediaConfig,
        own_host: str,
        is_refused: Callable[[str], bool] = lambda _url: False,
    ) -> None:
        self._remote = remote
        self._clock = clock
        self._folder = folder
        self._limits = limits
        self._own_host = own_host
        self._is_refused = is_refused
        self._kept: OrderedDict[str, _Entry] | None = None
        self._kept_bytes = 0
        self._loading = asyncio.Lock()
        self._failures: OrderedDict[str, tuple[int, ClientFault]] = OrderedDict()
        self._running: dict[str, asyncio.Task[Copy]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._turns: dict[str, _Turns] = {}

    async def get(self, url: str) -> Copy:
        """A copy on our disk. Raises ``ClientFault``: 404 ``no-such-media``, 503 ``media-unreachable``."""
        key = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
        await self._load()
        if self._is_ours(url) or self._is_refused(url):
            raise _missing("refused")
        if found := self._find(key):
            return found
        if fault := self._find_failure(key):
            raise fault
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._fetch(key, url))
            task.add_done_callback(lambda done: self._finished(key, done))
        return await asyncio.shield(task)  # a reader who leaves does not end it for the others

    async def close(self) -> None:
        for task in tuple(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    @property
    def kept_bytes(self) -> int:
        return self._kept_bytes

    def _is_ours(self, url: str) -> bool:
        try:
            return is_same_server(url, f"https://{self._own_host}/")
        except PeerFault:
            return True  # nothing that could be asked

    def _find(self, key: str) -> Copy | None:
        assert self._kept is not None
        entry = self._kept.get(key)
        if entry is None:
            return None
        self._kept.move_to_end(key)
        return self._copy(key, entry.extension)

    def _find_failure(self, key: str) -> ClientFault | None:
        known = self._failures.get(key)
        if known is None:
            return None
        if self._clock.ms() >= known[0]:
            del self._failures[key]
            return None
        fault = known[1]
        return ClientFault(fault.code, fault.safe, status=fault.status)  # an exception remembers where it was raised

    def _copy(self, key: str, extension: str) -> Copy:
        return Copy(path=self._path(key, extension), content_type=TYPES[extension])

    def _path(self, key: str, extension: str) -> Path:
        return self._folder / key[:2] / f"{key}.{extension}"

    async def _fetch(self, key: str, url: str) -> Copy:
        async with self._turn(url):
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix="part-", delete=False) as part:
                sink = _Head(part)
                try:
                    download = await self._remote.download(
                        url,
                        sink,
                        cap_bytes=self._limits.max_remote_size,
                        accept="image/*, video/*, audio/*",
                        deadlines=DEADLINES,
                    )
                    if self._is_ours(download.final_url):
                        raise _missing("redirected to us")
                    content_type = find_type(sink.head)
                    if download.status >= 500 or download.status == 429:
                        raise _unreachable(f"status {download.status}")
                    if not 200 <= download.status < 300 or content_type is None:
                        raise _missing(f"status {download.status}, {content_type}")
                    part.close()
                    entry = _Entry(EXTENSIONS[content_type], download.size_bytes)
                    target = self._path(key, entry.extension)
                    target.parent.mkdir(exist_ok=True)
                    os.chmod(part.name, 0o644)  # noqa: PTH101 - a proxy in front may serve it
                    os.replace(part.name, target)  # noqa: PTH105 - atomic
                except Unreachable as away:
                    raise _unreachable(str(away)) from away
                except PeerFault as fault:
                    raise _missing(str(fault)) from fault
                finally:
                    Path(part.name).unlink(missing_ok=True)  # noqa: ASYNC240 - at once
        self._keep(key, entry)
        return self._copy(key, entry.extension)

    @asynccontextmanager
    async def _turn(self, url: str) -> AsyncIterator[None]:
        """Names below one domain are one origin: they cost its owner nothing."""
        origin = ([*parent_domains(host_of(url))][:-1] or [host_of(url)])[-1]
        turns = self._turns.setdefault(origin, _Turns(asyncio.Semaphore(AT_ONCE_OF_ONE)))
        turns.waiting += 1
        try:
            async with turns.free, self._slots:
                yield
        finally:
            turns.waiting -= 1
            if not turns.waiting:
                del self._turns[origin]

    def _finished(self, key: str, task: "asyncio.Task[Copy]") -> None:
        self._running.pop(key, None)
        if task.cancelled():
            return
        fault = task.exception()  # also marks it as seen, when every reader has left
        if isinstance(fault, ClientFault):
            rest = UNREACHABLE_FOR_MS if fault.status == 503 else REFUSED_FOR_MS
            self._failures[key] = (self._clock.ms() + rest, fault)
            if len(self._failures) > MOST_FAILURES:
                self._failures.popitem(last=False)

    def _keep(self, key: str, entry: _Entry) -> None:
        assert self._kept is not None
        self._kept[key] = entry
        self._kept_bytes += entry.size_bytes
        while self._kept_bytes > self._limits.remote_cache_max and len(self._kept) > 1:
            oldest, gone = self._kept.popitem(last=False)
            self._kept_bytes -= gone.size_bytes
            self._path(oldest, gone.extension).unlink(missing_ok=True)

    async def _load(self) -> None:
        """Once, and before any download begins: what is half there is removed."""
        if self._kept is not None:
            return
        async with self._loading:
            if self._kept is None:
                found = await asyncio.to_thread(_list_copies, self._folder)
                self._kept_bytes = sum(entry.size_bytes for _, _, entry in found)
                self._kept = OrderedDict((key, entry) for _, key, entry in found)


def _list_copies(folder: Path) -> list[tuple[float, str, _Entry]]:
    """What earlier runs left, oldest first; downloads cut off by the end of a process are removed."""
    found: list[tuple[float, str, _Entry]] = []
    if not folder.is_dir():
        return found
    for path in folder.glob("part-*"):
        path.unlink(missing_ok=True)
    for path in folder.glob("??/*"):
        match = _NAME.fullmatch(path.name)
        if match:
            stat = path.stat()
            found.append((stat.st_mtime, path.stem, _Entry(match[1], stat.st_size)))
    return sorted(found, key=lambda one: one[0])


def _missing(internal: str) -> ClientFault:
    return ClientFault("no-such-media", _("This media cannot be shown from here."), status=404, internal=internal)


def _unreachable(internal: str) -> ClientFault:
    return ClientFault(
        "media-unreachable", _("The server this media comes from cannot be reached."), status=503, internal=internal
    )
