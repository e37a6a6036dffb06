"""JSON-LD in a process of its own, so that a document made to be expensive costs a bounded time and nothing else.

The parent sends length-prefixed JSON over a pipe. The child measures its own CPU time per job, has no further file
descriptors and a bounded memory; the parent kills and replaces a child that does not answer at all. Started on the
first job: importing pyld takes 11 MiB.
"""

import asyncio
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import IO, Any

from fedi.activitypub import contexts
from fedi.errors import PeerFault

CPU_LIMIT_MS = 250
# For a machine where others take the CPU; the child's own limit decides long before.
DEADLINE_S = 10.0
MOST_WAITING = 32
MOST_MEMORY_BYTES = 768 * 1024 * 1024
LONGEST_MESSAGE_BYTES = 16 * 1024 * 1024

Job = Mapping[str, Any]

_LENGTH = struct.Struct(">I")


def _refused(internal: str) -> PeerFault:
    return PeerFault("json-ld-refused", "This document can not be processed as linked data.", internal=internal)


class RdfWorker:
    """One worker process; jobs run one after the other. ``close`` it at the end."""

    def __init__(self, *, cpu_limit_ms: int = CPU_LIMIT_MS, deadline_s: float = DEADLINE_S) -> None:
        self._cpu_limit_ms = cpu_limit_ms
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rdf-worker")
        self._waiting = 0
        self._child: subprocess.Popen[bytes] | None = None

    async def run(self, job: Job) -> Any:
        """The answer to a job: see ``_JOBS``. Raises ``PeerFault`` if the document is refused or too expensive."""
        if self._waiting >= MOST_WAITING:
            raise _refused("too many documents are waiting")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self.run_now, job)
        finally:
            self._waiting -= 1

    def run_now(self, job: Job) -> Any:
        """The same, blocking."""
        message = json.dumps(job).encode("ascii")
        if len(message) > LONGEST_MESSAGE_BYTES:
            raise _refused("too long")
        with self._lock:
            answer = self._ask(message)
        if "fault" in answer:
            raise _refused(answer["fault"])
        return answer["result"]

    def _ask(self, message: bytes) -> dict[str, Any]:
        child = self._child or self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        watchdog = threading.Timer(self._deadline_s, child.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            _send(child.stdin, message)
            reply = _receive(child.stdout)
        except OSError:
            reply = None
        finally:
            watchdog.cancel()
        if reply is None:
            self._stop()
            raise _refused("the worker did not answer")
        answer: dict[str, Any] = json.loads(reply)
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        # Nothing of our environment: the child needs no settings and no secrets.
        self._child = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "fedi.activitypub.rdf_worker", str(self._cpu_limit_ms)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        return self._child

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except BrokenPipeError:  # what it never read
                        pass
            child.wait()

    def close(self) -> None:
        with self._lock:
            self._stop()
        self._thread.shutdown()


def _send(pipe: IO[bytes], message: bytes) -> None:
    pipe.write(_LENGTH.pack(len(message)) + message)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes | None:
    prefix = pipe.read(_LENGTH.size)
    if len(prefix) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(prefix)
    message = pipe.read(length)
    return message if len(message) == length else None


# From here on: the child.


class _TooExpensive(BaseException):
    """The job's CPU time is used up. No ``Exception``, so that no library swallows it."""


def _too_expensive(_signal: int, _frame: FrameType | None) -> None:
    raise _TooExpensive


def _answer(message: bytes, cpu_limit_ms: int) -> dict[str, Any]:
    try:
        return {"result": _run_limited(json.loads(message), cpu_limit_ms / 1000)}
    except _TooExpensive:
        return {"fault": "too expensive"}
    except Exception as error:  # noqa: BLE001 - pyld fails in many ways on foreign input; each means "refused"
        while error.__cause__ is not None and isinstance(error.__cause__, Exception):
            error = error.__cause__  # pyld wraps what happened several times
        return {"fault": f"{type(error).__name__}: {error}"[:500]}


def _run_limited(job: dict[str, Any], limit_s: float) -> Any:
    # Fires again and again, should something swallow the first.
    signal.setitimer(signal.ITIMER_PROF, limit_s, limit_s)
    try:
        return _run(job)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _run(job: dict[str, Any]) -> Any:
    from fedi.activitypub import jsonld  # noqa: PLC0415 - only the child may pay for pyld

    match job:
        case {"op": "hashes", "options": options, "document": document}:
            return jsonld.signed_hashes(options, document)
        case {"op": "read-again", "document": document}:
            return jsonld.read_again(document)
        case {"op": "canonical-nquads", "nquads": text}:
            return jsonld.canonicalise_nquads(text)
        case {"op": "nquads", "document": document}:
            return jsonld.render_nquads(document)
    raise ValueError("unknown job")


def _warm_up() -> None:
    """Import pyld and read all contexts before the clock of the first job runs and the doors are shut."""
    for url in contexts.list_bundled():
        contexts.get_context(url)
    document = {"@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"], "id": "urn:a"}
    _run({"op": "hashes", "options": {"creator": "urn:b"}, "document": document})
    _run({"op": "read-again", "document": {**document, "type": "Note", "content": "a"}})


def main() -> None:
    cpu_limit_ms = int(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    _warm_up()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    signal.signal(signal.SIGPROF, _too_expensive)
    while (message := _receive(sys.stdin.buffer)) is not None:
        _send(sys.stdout.buffer, json.dumps(_answer(message, cpu_limit_ms)).encode("ascii"))
    os._exit(0)


if __name__ == "__main__":
    main()
