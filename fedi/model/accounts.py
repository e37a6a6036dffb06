"""Actors as we show them, ours and those of other servers."""

from dataclasses import dataclass
from typing import Literal

from fedi.ids import AccountId, Uri
from fedi.model.emojis import EmojiRef

ActorKind = Literal["Person", "Service", "Group", "Organization", "Application"]
KeyKind = Literal["rsa", "ed25519"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileField:
    name: str
    value: str  # clean HTML
    source: str = ""  # local: the plain text it was made from
    verified_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """``host`` is the network name of its server, ``domain`` that of its handle ('' for local accounts)."""

    id: AccountId
    uri: Uri
    local: bool
    kind: ActorKind
    username: str
    domain: str
    host: str
    display_name: str = ""
    note: str = ""  # clean HTML
    note_source: str = ""
    url: str = ""
    inbox: str
    shared_inbox: str | None = None
    outbox: str | None = None
    followers_uri: str | None = None
    following_uri: str | None = None
    featured_uri: str | None = None
    avatar: str | None = None  # our media path, or the remote URL
    avatar_description: str = ""
    header: str | None = None
    header_description: str = ""
    fields: tuple[ProfileField, ...] = ()
    emojis: tuple[EmojiRef, ...] = ()
    also_known_as: tuple[str, ...] = ()
    moved_to: str | None = None
    attribution_domains: tuple[str, ...] = ()
    locked: bool = False
    bot: bool = False
    discoverable: bool = False
    indexable: bool = False
    hide_collections: bool = False
    memorial: bool = False
    suspended_by_origin: bool = False
    created_at: int
    fetched_at: int | None = None
    moved_at: int | None = None
    gone_at: int | None = None
    version: int = 1

    @property
    def acct(self) -> str:
        """The handle as clients show it: ``name``, or ``name@domain`` for remote accounts."""
        return f"{self.username}@{self.domain}" if self.domain else self.username


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStats:
    account: AccountId
    statuses: int = 0
    followers: int = 0
    following: int = 0
    last_status_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorKey:
    """``id`` is a URI. ``public_key`` is PEM for rsa, multibase for ed25519; ``private_key`` PEM (PKCS#8), local only."""

    id: str
    account: AccountId
    kind: KeyKind
    public_key: str
    private_key: str | None = None
    created_at: int

    def __repr__(self) -> str:
        return f"ActorKey(id={self.id!r}, kind={self.kind!r}, private_key={'***' if self.private_key else None})"
