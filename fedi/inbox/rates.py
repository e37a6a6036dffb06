"""How much one host may send: token buckets, bounded in number."""

from collections import OrderedDict

from fedi.clock import Clock

MAX_BUCKETS = 10_000  # a flood of host names pushes out the oldest; memory stays bounded


class Rates:
    """``per_ms`` tokens come back each millisecond, up to ``burst``. ``lifted``: a test instance refuses nobody."""

    def __init__(self, *, clock: Clock, count: int, per_s: int, burst: int, lifted: bool = False) -> None:
        self._clock = clock
        self._per_ms = count / (per_s * 1000)
        self._burst = float(burst)
        self._lifted = lifted
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, key: str) -> int | None:
        """One token. None if there was one, else after how many seconds there will be."""
        if self._lifted:
            return None
        now = self._clock.ms()
        left, at = self._buckets.get(key, (self._burst, now))
        left = min(self._burst, left + max(0, now - at) * self._per_ms)
        enough = left >= 1
        self._buckets[key] = (left - 1 if enough else left, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return None if enough else max(1, round((1 - left) / self._per_ms / 1000 + 0.5))
