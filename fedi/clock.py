"""The only module that asks the system for the time. Everybody else is handed a clock or an instant."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        ...


class SystemClock:
    def ms(self) -> int:
        return time.time_ns() // 1_000_000


def to_datetime(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def to_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def api_time(ms: int) -> str:
    """``YYYY-MM-DDTHH:MM:SS.mmmZ``: clients accept exactly three decimals and a Z."""
    at = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def wire_time(ms: int) -> str:
    """The form used in ActivityPub documents: ``YYYY-MM-DDTHH:MM:SSZ``."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
