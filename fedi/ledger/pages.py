"""What a reader finds at each position: visible, or explained. Pure.

The rows of ``v_timeline`` go in, one per slot and decision; entries come out, one per slot, in the same order.
No entry is ever left out here: a slot that is not shown says why.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fedi.store.timelines import SlotRow

State = Literal["shown", "hidden", "gone", "pending", "missing"]

# What a decision of each effect does to the slots it touches.
HIDING = frozenset({"hide", "hold", "remove", "suspend", "refuse"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One slot: ``decisions`` are the live ones that touch it, whatever its state."""

    object: int
    surface: str
    pos: int
    state: State
    decisions: tuple[str, ...] = ()
    until: int | None = None  # Unix seconds: when the last of the hiding decisions ends


def is_live(row: SlotRow, now_s: int) -> bool:
    """Whether the decision on this row restricts anything at ``now_s``: an end date ends it without any act."""
    return (
        row.decision is not None
        and row.start_at is not None
        and row.until is not None
        and row.start_at <= now_s < row.until
        and row.ended_at is None
    )


def read_entries(rows: Iterable[SlotRow], now_s: int) -> list[Entry]:
    """Folds rows into entries, keeping their order."""
    entries: list[Entry] = []
    open_rows: list[SlotRow] = []
    for row in rows:
        if open_rows and row.object != open_rows[0].object:
            entries.append(_entry(open_rows, now_s))
            open_rows = []
        open_rows.append(row)
    if open_rows:
        entries.append(_entry(open_rows, now_s))
    return entries


def _entry(rows: list[SlotRow], now_s: int) -> Entry:
    first = rows[0]
    live = [row for row in rows if row.decision is not None and is_live(row, now_s)]
    hiding = [row for row in live if row.effect in HIDING]
    state: State = "shown"
    if first.uri is None:
        state = "missing"
    elif first.gone is not None:
        state = "gone"
    elif hiding:
        state = "hidden"
    elif first.ready_at is None:
        state = "pending"
    return Entry(
        object=first.object,
        surface=first.surface,
        pos=first.pos,
        state=state,
        decisions=tuple(sorted({row.decision for row in live if row.decision})),
        until=max((row.until for row in hiding if row.until), default=None),
    )
