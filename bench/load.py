"""A load generator that is not the bottleneck: it sends bytes made beforehand over kept connections.

One asyncio protocol per connection, one request in flight on each; answers are read just far enough to know the
status and where the next one starts.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Result:
    wall_s: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    bytes_read: int = 0

    @property
    def per_s(self) -> float:
        return sum(self.statuses.values()) / self.wall_s if self.wall_s else 0.0

    def quantile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class _Connection(asyncio.Protocol):
    def __init__(self, work: "_Work") -> None:
        self.work = work
        self.buffer = bytearray()
        self.need: int | None = None
        self.status = 0
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        request = self.work.next()
        if request is None:
            self.transport.close()
            return
        self.sent_at = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.need is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.buffer[:end]).lower()
            self.status = int(head[9:12])
            at = head.find(b"content-length:")
            length = int(head[at + 15 : head.find(b"\r", at) if head.find(b"\r", at) > 0 else None]) if at >= 0 else 0
            self.need = end + 4 + length
        if len(self.buffer) >= self.need:
            result = self.work.result
            result.statuses[self.status] += 1
            result.latencies_ms.append((time.perf_counter() - self.sent_at) * 1000)
            result.bytes_read += self.need
            del self.buffer[: self.need]
            self.need = None
            self.send()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.work.closed()


class _Work:
    def __init__(self, requests: Sequence[bytes], count: int) -> None:
        self.requests, self.count, self.index = requests, count, 0
        self.result = Result()
        self.open = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def next(self) -> bytes | None:
        if self.index >= self.count:
            return None
        request = self.requests[self.index % len(self.requests)]
        self.index += 1
        return request

    def closed(self) -> None:
        self.open -= 1
        if self.open == 0 and not self.done.done():
            self.done.set_result(None)


async def blast(port: int, requests: Sequence[bytes], *, connections: int, count: int | None = None) -> Result:
    """Sends ``count`` requests (all of them once, if not said) over loopback and waits for every answer."""
    work = _Work(requests, len(requests) if count is None else count)
    work.open = connections
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(work), "127.0.0.1", port)
    await work.done
    work.result.wall_s = time.perf_counter() - started
    return work.result


def get(host: str, path: str, headers: dict[str, str] | None = None) -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def post(host: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    sent = {k: v for k, v in headers.items() if k.lower() not in {"host", "content-length"}}
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{k}: {v}" for k, v in sent.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
