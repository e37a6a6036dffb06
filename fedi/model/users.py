"""People who can sign in here."""

from dataclasses import dataclass
from typing import Literal

from fedi.ids import AccountId
from fedi.model.statuses import QuotePolicy, Visibility

Role = Literal["owner", "admin", "moderator", "user"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSettings:
    """Posting defaults and reading preferences. None: the instance decides."""

    visibility: Visibility = "public"
    sensitive: bool = False
    language: str | None = None
    quote_policy: QuotePolicy = "public"
    expand_media: Literal["default", "show_all", "hide_all"] = "default"
    expand_spoilers: bool = False
    autoplay_gifs: bool = False
    time_zone: str = "Etc/UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalUser:
    account: AccountId
    email: str | None = None
    password_hash: str | None = None
    role: Role = "user"
    locale: str = "en"
    settings: UserSettings = UserSettings()
    confirmed_at: int | None = None
    created_at: int

    def __repr__(self) -> str:
        return f"LocalUser(account={self.account}, role={self.role!r})"  # neither address nor hash in logs
