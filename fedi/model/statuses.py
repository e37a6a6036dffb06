"""Posts and boosts."""

from dataclasses import dataclass
from typing import Literal

from fedi.ids import AccountId, StatusId, Uri
from fedi.model.emojis import EmojiRef

Visibility = Literal["public", "unlisted", "private", "direct"]
QuoteState = Literal["pending", "accepted", "rejected", "revoked"]
QuotePolicy = Literal["public", "followers", "nobody"]

REBLOG = "Announce"  # the kind of a boost; every other kind is the ActivityPub type of the object


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """Somebody named in the text, kept beside it so that a page of statuses needs no further look-up."""

    id: AccountId
    username: str
    acct: str
    url: str
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """``id`` is the number of its object in the ledger. ``thread`` is the id of its oldest known ancestor."""

    id: StatusId
    uri: Uri
    account: AccountId
    local: bool
    kind: str
    visibility: Visibility
    title: str | None = None
    content: str = ""  # clean HTML
    source: str | None = None
    spoiler: str = ""
    sensitive: bool = False
    language: str | None = None
    url: str | None = None
    in_reply_to: StatusId | None = None
    in_reply_to_uri: str | None = None
    in_reply_to_account: AccountId | None = None
    thread: StatusId
    conversation_uri: str | None = None
    reblog_of: StatusId | None = None
    quote_uri: str | None = None
    quote_of: StatusId | None = None
    quote_state: QuoteState | None = None
    quote_authorization: str | None = None
    quote_policy: QuotePolicy = "public"
    mentions: tuple[Mention, ...] = ()
    tags: tuple[str, ...] = ()  # as written
    emojis: tuple[EmojiRef, ...] = ()
    has_media: bool = False
    poll: int | None = None
    application: int | None = None
    created_at: int
    edited_at: int | None = None
    fetched_at: int | None = None
    replies_uri: str | None = None
    deleted_at: int | None = None
    version: int = 1

    @property
    def is_reblog(self) -> bool:
        return self.reblog_of is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusStats:
    status: StatusId
    replies: int = 0
    reblogs: int = 0
    favourites: int = 0
    quotes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaAsWas:
    """An attachment in an earlier version: the file may be the same, the description not."""

    id: int
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEdit:
    """One earlier version of a status, written at ``at``."""

    status: StatusId
    at: int
    content: str
    spoiler: str
    sensitive: bool
    media: tuple[MediaAsWas, ...] = ()
    poll: tuple[str, ...] | None = None  # titles of its options


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """An account a status is addressed to; ``silent``: without being named in its text."""

    account: AccountId
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    uri: str
    actor: str
    at: int
