"""Knows whether this task is inside a transaction, so that nobody touches the network there."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from fedi.errors import NetworkInTransaction

_unit: ContextVar[str | None] = ContextVar("unit", default=None)


@contextmanager
def inside_unit(why: str) -> Iterator[None]:
    """Marks the running task as inside the unit of work ``why``."""
    token = _unit.set(why)
    try:
        yield
    finally:
        _unit.reset(token)


def refuse_network() -> None:
    """Called by every door to the network; raises :class:`NetworkInTransaction` inside a unit."""
    why = _unit.get()
    if why is not None:
        raise NetworkInTransaction(f"network use inside the unit {why!r}")
