"""What an activity changes, as values. Handlers decide them, ``apply`` writes them in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from fedi.activitypub.vocab import ActorDocument, Post
from fedi.ids import AccountId, StatusId
from fedi.inbox.outcome import Duplicate, Ignored
from fedi.inbox.posts import Quote
from fedi.model.notifications import NotificationKind
from fedi.model.statuses import QuoteState, Visibility
from fedi.store.inbox import ActorBrief, Addressee, StatusBrief
from fedi.store.relays import RelayState


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPost:
    """A new status at its place ``n``."""

    post: Post
    n: StatusId
    author: ActorBrief
    parent: StatusBrief | None = None
    addressees: tuple[Addressee, ...] = ()
    quote: Quote | None = None
    is_awaited: bool = True  # replies to it may have come first


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPost:
    """A newer version of a stored one; its place, owner and audience stay."""

    post: Post
    status: StatusId
    author: ActorBrief
    addressees: tuple[Addressee, ...] = ()
    quote: Quote | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCounts:
    """What the origin says about numbers; None: it does not."""

    status: StatusId
    votes: tuple[int, ...] | None = None
    voters: int | None = None
    closed_at: int | None = None
    reblogs: int | None = None
    favourites: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBoost:
    n: StatusId
    uri: str
    account: ActorBrief
    boosted: StatusBrief
    visibility: Visibility
    published_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidBoost:
    """What it boosts cannot be had: the place stays and says so."""

    n: StatusId


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePost:
    """A post or boost, by its author."""

    status: StatusId
    uri: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawPlace:
    """Its author deleted a post before it was written: the place says so."""

    n: StatusId


@dataclass(frozen=True, slots=True, kw_only=True)
class PutTombstone:
    uri: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteAccount:
    account: AccountId
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutFollow:
    follower: AccountId
    target: AccountId
    state: Literal["requested", "accepted"]
    uri: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptFollow:
    follower: AccountId
    target: AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class DropFollow:
    follower: AccountId
    target: AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFollow:
    """``target`` is the local account that was asked, ``follower`` the remote one that asked."""

    kind: Literal["Accept", "Reject"]
    target: AccountId
    follower: AccountId
    follow_uri: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveFollowers:
    """Every local follower of ``old`` follows ``new`` instead, by activities of their own."""

    old: AccountId
    new: AccountId
    new_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutFavourite:
    account: AccountId
    status: StatusId
    uri: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DropFavourite:
    account: AccountId
    status: StatusId


@dataclass(frozen=True, slots=True, kw_only=True)
class PutReaction:
    account: AccountId
    status: StatusId
    emoji: str
    emoji_url: str | None
    uri: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DropReaction:
    account: AccountId
    status: StatusId
    emoji: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    poll: StatusId
    account: AccountId
    choices: tuple[int, ...]
    uri: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBlock:
    account: AccountId
    target: AccountId
    uri: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DropBlock:
    account: AccountId
    target: AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class PutReport:
    uri: str | None
    account: AccountId
    target: AccountId
    statuses: tuple[str, ...]
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPin:
    account: AccountId
    status: StatusId


@dataclass(frozen=True, slots=True, kw_only=True)
class DropPin:
    account: AccountId
    status: StatusId


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateActor:
    document: ActorDocument
    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkMoved:
    account: AccountId
    moved_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetQuote:
    status: StatusId
    state: QuoteState
    authorization: str | None
    republish: bool = False  # ours: tell everybody that the quote stands


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerQuote:
    """``request`` is what was asked; with ``stamp`` the author of ``status`` lets ``quote`` quote it."""

    author: AccountId
    asker: ActorBrief
    asker_uri: str
    status: StatusId
    quote: str
    request: Mapping[str, Any]
    granted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRelay:
    follow_uri: str
    state: RelayState
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    account: AccountId
    kind: NotificationKind
    actor: AccountId
    status: StatusId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unnotify:
    account: AccountId
    kind: NotificationKind
    actor: AccountId
    status: StatusId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """The bytes as received go on to the followers of the local ``account`` (ActivityPub §7.1.2)."""

    account: AccountId
    sender_host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueue:
    kind: str
    payload: Mapping[str, object]
    dedup: str | None = None
    lane: str = ""
    priority: int = 2


Effect: TypeAlias = (
    PutPost
    | EditPost
    | SetCounts
    | PutBoost
    | VoidBoost
    | DeletePost
    | WithdrawPlace
    | PutTombstone
    | DeleteAccount
    | PutFollow
    | AcceptFollow
    | DropFollow
    | AnswerFollow
    | MoveFollowers
    | PutFavourite
    | DropFavourite
    | PutReaction
    | DropReaction
    | Vote
    | PutBlock
    | DropBlock
    | PutReport
    | PutPin
    | DropPin
    | UpdateActor
    | MarkMoved
    | SetQuote
    | AnswerQuote
    | SetRelay
    | Notify
    | Unnotify
    | Forward
    | Enqueue
)
Effects: TypeAlias = tuple[Effect, ...]
Decided: TypeAlias = Effects | Ignored | Duplicate
