"""What people do with statuses."""

from dataclasses import dataclass
from typing import Literal

from fedi.ids import AccountId, StatusId

PinOutcome = Literal["pinned", "already-pinned", "too-many"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Favourite:
    id: int
    account: AccountId
    status: StatusId
    uri: str | None = None
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """``emoji`` is one grapheme, or ``:shortcode:`` with its picture at ``emoji_url``."""

    id: int
    account: AccountId
    status: StatusId
    emoji: str
    emoji_url: str | None = None
    uri: str | None = None
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionCount:
    """One emoji under a status: how many chose it, and whether the viewer did."""

    emoji: str
    emoji_url: str | None
    count: int
    me: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerFlags:
    """What one viewer has done with a status."""

    favourited: bool = False
    reblogged: bool = False
    bookmarked: bool = False
    pinned: bool = False
    muted: bool = False
