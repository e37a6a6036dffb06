"""Complaints about an account or its statuses (``Flag``)."""

from dataclasses import dataclass
from typing import Literal

from fedi.ids import AccountId

ReportCategory = Literal["spam", "legal", "violation", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """``statuses`` are URIs. Somebody answers until ``due_at``."""

    id: int
    uri: str | None = None
    account: AccountId  # who reports
    target: AccountId
    statuses: tuple[str, ...] = ()
    comment: str = ""
    category: ReportCategory = "other"
    forwarded: bool = False
    created_at: int
    due_at: int
