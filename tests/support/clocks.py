"""Time that stands still until a test moves it."""


class FakeClock:
    """A :class:`fedi.clock.Clock`. ``2026-01-01T00:00:00Z`` unless told otherwise."""

    def __init__(self, now_ms: int = 1_767_225_600_000) -> None:
        self.now_ms = now_ms

    def ms(self) -> int:
        return self.now_ms

    def advance(self, *, ms: int = 0, s: float = 0, hours: float = 0, days: float = 0) -> int:
        """Moves on and returns the new instant."""
        self.now_ms += ms + round(s * 1000) + round(hours * 3_600_000) + round(days * 86_400_000)
        return self.now_ms
