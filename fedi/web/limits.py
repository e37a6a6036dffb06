"""How often one may ask: a token bucket per person, per token or address, and per kind of act.

A bucket holds ``rate.count`` requests and fills again within ``rate.per_s`` seconds. A test instance counts, and
shows the same headers, but refuses nobody.
"""

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from fedi.clock import Clock, api_time
from fedi.config import Rate
from fedi.errors import ClientFault

_LINES = b"X-RateLimit-Limit: %d\r\nX-RateLimit-Remaining: %d\r\nX-RateLimit-Reset: %b\r\n"
MAX_BUCKETS = 50_000  # the least recently used one is forgotten, which fills it


@dataclass(slots=True)
class _Bucket:
    left: float
    at_ms: int


class Allowance(NamedTuple):
    """What is left of a bucket after a request."""

    limit: int
    remaining: int
    full_at_ms: int
    refused: bool
    retry_after_s: int

    def headers(self) -> dict[str, str]:
        """The three headers of the Mastodon API; ``Reset`` is a time in UTC, which clients parse strictly."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": _reset(-(-self.full_at_ms // 1000)),
        }

    def header_lines(self) -> bytes:
        """The same as they are sent."""
        reset = _reset(-(-self.full_at_ms // 1000))
        return _LINES % (self.limit, self.remaining, reset.encode())


@lru_cache(maxsize=1024)
def _reset(at_s: int) -> str:
    return api_time(at_s * 1000)


class Limits:
    def __init__(self, *, clock: Clock, lifted: bool = False) -> None:
        self._clock = clock
        self._lifted = lifted
        self._buckets: OrderedDict[tuple[str, object], _Bucket] = OrderedDict()

    def take(self, kind: str, who: object, rate: Rate) -> Allowance:
        """Counts one request of ``who``. A refused one costs nothing, so that waiting helps."""
        now = self._clock.ms()
        key = (kind, who)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(left=rate.count, at_ms=now)
            if len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
            regained = max(0, now - bucket.at_ms) * rate.count / (rate.per_s * 1000)
            bucket.left = min(rate.count, bucket.left + regained)
            bucket.at_ms = now
        empty = bucket.left < 1
        bucket.left = max(0.0, bucket.left - 1) if not empty or self._lifted else bucket.left
        ms_each = rate.per_s * 1000 / rate.count
        return Allowance(
            limit=rate.count,
            remaining=int(bucket.left),
            full_at_ms=now + round((rate.count - bucket.left) * ms_each),
            refused=empty and not self._lifted,
            retry_after_s=max(1, round((1 - bucket.left) * ms_each / 1000 + 0.5)),
        )

    def require(self, kind: str, who: object, rate: Rate) -> Allowance:
        """As :meth:`take`; raises ``ClientFault`` 429 when the bucket is empty."""
        allowance = self.take(kind, who, rate)
        if allowance.refused:
            raise too_many(allowance)
        return allowance


def too_many(allowance: Allowance) -> ClientFault:
    return ClientFault(
        "too-many-requests",
        "Too many requests. Try again in %(seconds)s seconds.",
        status=429,
        params={"seconds": str(allowance.retry_after_s)},
        retry_after_s=allowance.retry_after_s,
    )
