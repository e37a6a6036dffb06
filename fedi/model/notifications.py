"""What a person is told about others' acts."""

from dataclasses import dataclass
from typing import Literal

from fedi.ids import AccountId, StatusId

NotificationKind = Literal[
    "mention",
    "status",
    "reblog",
    "follow",
    "follow_request",
    "favourite",
    "poll",
    "update",
    "quote",
    "quoted_update",
    "reaction",
    "move",
    "admin.report",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """``account`` is told that ``actor`` did something, perhaps with ``status``."""

    id: int
    account: AccountId
    kind: NotificationKind
    actor: AccountId
    status: StatusId | None = None
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """How far somebody has read a timeline (``home`` or ``notifications``)."""

    timeline: str
    last_read_id: str
    version: int
    updated_at: int
