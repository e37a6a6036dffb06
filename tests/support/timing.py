"""Tells linear from quadratic work by comparing CPU times, which holds on slow and busy machines, too."""

import gc
import time
from collections.abc import Callable
from typing import Any

TOO_QUICK_TO_TELL_S = 0.01


def assert_linear(work: Callable[[Any], object], make: Callable[[int], Any], *, size: int) -> None:
    """``work(make(size))`` against an eighth of the size: linear work costs 8 times as much, quadratic 64 times."""
    long_s = cost_s(work, make(size))
    if long_s > TOO_QUICK_TO_TELL_S:
        short_s = cost_s(work, make(size // 8))
        assert long_s < 24 * short_s, f"{long_s:.4f} s against {short_s:.4f} s for an eighth"


def cost_s(work: Callable[[Any], object], argument: Any) -> float:
    """The best of three, without the garbage collector, whose share grows with everything else in memory."""
    times = []
    gc.disable()
    try:
        for _ in range(3):
            start = time.process_time()
            work(argument)
            times.append(time.process_time() - start)
    finally:
        gc.enable()
    return min(times)
