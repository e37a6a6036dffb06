"""What a reader finds at each position: visible, or explained. Pure.

The rows of ``v_timeline`` go in, one per slot and decision; entries come out, one per slot, in the same order.
No entry is ever left out here: a slot that is not shown says why.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from fedi.store.timelines import SlotRow

State = Literal["shown", "hidden", "gone", "pending", "missing"]

# What a decision of each effect does to the slots it touches.
HIDING = frozenset({"hide", "hold", "remove", "suspend", "refuse"})


class Entry(NamedTuple):
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
    group: list[SlotRow] = []  # the rows of a slot that decisions touch
    for row in rows:
        if group and row.object != group[0].object:
            entries.append(_judged(group, now_s))
            group = []
        if row.decision is None:  # nearly every slot
            entries.append(Entry(row.object, row.surface, row.pos, _own_state(row)))
        else:
            group.append(row)
    if group:
        entries.append(_judged(group, now_s))
    return entries


def _own_state(row: SlotRow) -> State:
    """What a slot is where no decision touches it."""
    if row.uri is None:
        return "missing"
    if row.gone is not None:
        return "gone"
    return "pending" if row.ready_at is None else "shown"


def _judged(rows: list[SlotRow], now_s: int) -> Entry:
    first = rows[0]
    live = [row for row in rows if is_live(row, now_s)]
    hiding = [row for row in live if row.effect in HIDING]
    state = _own_state(first)
    if hiding and state in {"shown", "pending"}:
        state = "hidden"
    return Entry(
        first.object,
        first.surface,
        first.pos,
        state,
        tuple(sorted({row.decision for row in live if row.decision})),
        max((row.until for row in hiding if row.until), default=None),
    )
