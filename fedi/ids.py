"""Identifiers: who may be mistaken for whom is decided by types.

Statuses, accounts and media have 63-bit ids that grow with time: 47 bits of milliseconds since 1970 and 16 bits
of counter, so that clients can sort by them and paging follows time. In JSON they are decimal strings.
"""

import secrets
from typing import NewType

from fedi.clock import Clock

AccountId = NewType("AccountId", int)
StatusId = NewType("StatusId", int)
MediaId = NewType("MediaId", int)
Uri = NewType("Uri", str)  # exactly as written by its origin; any rewriting opens an identity hole

COUNTER_BITS = 16
_COUNTER_SIZE = 1 << COUNTER_BITS


class IdMaker:
    """Makes strictly rising ids in one process. Each millisecond starts at a random counter below its half,
    so that two processes rarely meet; the database's primary key catches them when they do."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        fresh = first_id_at(self._clock.ms()) + secrets.randbelow(_COUNTER_SIZE // 2)
        self._last = fresh if fresh > self._last else self._last + 1
        return self._last


def first_id_at(ms: int) -> int:
    """The smallest id that an instant can have: the boundary for windows by time."""
    return ms << COUNTER_BITS


def ms_of_id(value: int) -> int:
    return value >> COUNTER_BITS


def random_token(size_bytes: int = 16) -> str:
    """URL-safe random text: 128 bits by default, for links that must not be guessed or counted."""
    return secrets.token_urlsafe(size_bytes)
