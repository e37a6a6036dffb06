"""What can become of an accepted activity: a closed set, told in one place.

``Limited``, ``Held`` and ``Rejected`` cannot be built without the decision that caused them; there is no "dropped".
"""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """It took effect. ``decisions`` are those that go with it (labels)."""

    decisions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    decision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    decision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    decision: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Its effect was there already."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """There is nothing for us to do about it, and nobody did anything wrong."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Something that is needed cannot be had now."""

    code: str
    after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Faulty:
    """The sender may not do this, or said something that cannot be."""

    code: str


Outcome: TypeAlias = Applied | Limited | Held | Rejected | Duplicate | Ignored | Retry | Faulty


def name_of(outcome: Outcome) -> str:
    """As stored and counted: ``applied``, ``ignored:unsupported``, ``faulty:not-the-owner`` …"""
    kind = type(outcome).__name__.lower()
    match outcome:
        case Ignored(code=code) | Faulty(code=code) | Retry(code=code):
            return f"{kind}:{code}"
        case _:
            return kind
