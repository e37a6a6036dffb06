"""Lists of accounts that somebody reads apart."""

from dataclasses import dataclass
from typing import Literal

from fedi.ids import AccountId

RepliesPolicy = Literal["followed", "list", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountList:
    id: int
    account: AccountId
    title: str
    replies_policy: RepliesPolicy = "list"
    exclusive: bool = False
