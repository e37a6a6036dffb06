"""Pages of lists that are cut by a rising id: newest first, or from a point upwards."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from fedi.store.database import Tx

T = TypeVar("T")
LAST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The client API's cuts. ``since_id`` gives the newest rows above it, ``min_id`` those next above it."""

    max_id: int | None = None
    since_id: int | None = None
    min_id: int | None = None
    limit: int = 40


FIRST_PAGE = Window()


class Paged:
    """A SELECT that ends in a WHERE, to be cut and ordered by ``column``."""

    def __init__(self, select: str, column: str) -> None:
        cut = f"{select} AND {column} < :max_id AND {column} > :above ORDER BY {column}"
        self._newest = f"{cut} DESC LIMIT :limit"
        self._next_above = f"{cut} LIMIT :limit"

    async def all_as(self, tx: Tx, make: Callable[..., T], window: Window, **named: Any) -> list[T]:
        """Newest first, whichever way they were found."""
        cuts: dict[str, Any] = {
            "max_id": LAST_ID if window.max_id is None else window.max_id,
            "above": window.min_id if window.min_id is not None else window.since_id or 0,
            "limit": window.limit,
        }
        if window.min_id is None:
            return await tx.all_as(make, self._newest, **named, **cuts)
        return (await tx.all_as(make, self._next_above, **named, **cuts))[::-1]
