"""The kinds of jobs: how often, how many at once, how long between attempts. Handlers are joined in ``app.py``."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS

KindName = Literal[
    "inbox", "deliver", "fan_out", "fetch_thread", "refresh_actor", "fetch_status", "media", "maintenance"
]
Order = Literal["started", "finished"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """``concurrency`` bounds the jobs a process has in hand, ``per_lane`` (0: no bound) those of one lane.

    ``order``: of jobs with the same ordering key the next one is *started* when the one before has been started (its
    unit is then queued before the next one's), or only when it is *finished* (a network request must not overtake
    another). ``delays_ms[n]`` is waited after attempt n + 1; after the last the job is dead.
    """

    name: KindName
    concurrency: int
    per_lane: int = 0
    order: Order = "started"
    delays_ms: tuple[int, ...]
    jitter: float = 0.25  # part of the delay, up or down

    @property
    def max_attempts(self) -> int:
        return len(self.delays_ms) + 1

    def delay_ms(self, attempts: int, spread: Callable[[float, float], float] = random.uniform) -> int | None:
        """How long to wait after so many attempts; None when that was the last."""
        if attempts > len(self.delays_ms):
            return None
        delay = self.delays_ms[max(attempts, 1) - 1]
        return round(delay * (1 + spread(-self.jitter, self.jitter)))


_SHORT = tuple(MINUTE_MS * minutes for minutes in (1, 5, 25, 120))

# Five and a half days: most servers that come back at all do so within two.
DELIVERY_DELAYS_MS = tuple(MINUTE_MS * minutes for minutes in (1, 5, 25, 120, 480, 1440, 2880, 2880))

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(name="inbox", concurrency=256, delays_ms=(5 * SECOND_MS, *_SHORT, 8 * HOUR_MS)),
        Kind(name="deliver", concurrency=4096, per_lane=16, order="finished", delays_ms=DELIVERY_DELAYS_MS),
        Kind(name="fan_out", concurrency=2, delays_ms=_SHORT),
        Kind(name="fetch_thread", concurrency=4, delays_ms=_SHORT),
        Kind(name="refresh_actor", concurrency=4, per_lane=1, delays_ms=_SHORT),
        Kind(name="fetch_status", concurrency=8, delays_ms=_SHORT),
        Kind(name="media", concurrency=2, delays_ms=_SHORT),
        Kind(name="maintenance", concurrency=1, delays_ms=_SHORT),
    )
}
