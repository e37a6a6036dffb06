"""What accounts are to each other."""

from dataclasses import dataclass
from typing import Literal

from fedi.ids import AccountId

FollowState = Literal["requested", "accepted", "severed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """``id`` is the opaque row id that pages of followers are cut by."""

    id: int
    follower: AccountId
    target: AccountId
    state: FollowState
    uri: str | None = None
    reblogs: bool = True
    notify: bool = False
    languages: tuple[str, ...] | None = None
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    id: int
    account: AccountId
    target: AccountId
    uri: str | None = None
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    id: int
    account: AccountId
    target: AccountId
    notifications: bool = True
    expires_at: int | None = None
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """Of the viewer to ``target``, in the words of the client API."""

    target: AccountId
    following: bool = False
    requested: bool = False
    showing_reblogs: bool = False
    notifying: bool = False
    languages: tuple[str, ...] | None = None
    followed_by: bool = False
    requested_by: bool = False
    blocking: bool = False
    blocked_by: bool = False
    muting: bool = False
    muting_notifications: bool = False
    muting_expires_at: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowerInbox:
    """One destination for a post to followers: the shared inbox where there is one."""

    inbox: str
    host: str
    recipients: int
