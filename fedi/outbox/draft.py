"""What an author hands in, before anything of it is checked."""

from dataclasses import dataclass

from fedi.ids import MediaId, StatusId
from fedi.model.statuses import QuotePolicy, Visibility


@dataclass(frozen=True, slots=True, kw_only=True)
class PollDraft:
    """``expires_in_s``: seconds from now."""

    options: tuple[str, ...]
    expires_in_s: int
    multiple: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaDraft:
    """Changes to a description, when a post is edited."""

    id: MediaId
    description: str | None = None
    focus: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A post as its author wrote it. ``title`` makes it an Article. ``idempotency_key``: the same key within the hour
    gives the status that the first made."""

    text: str = ""
    visibility: Visibility = "public"
    in_reply_to: StatusId | None = None
    media: tuple[MediaId, ...] = ()
    poll: PollDraft | None = None
    sensitive: bool = False
    spoiler: str = ""
    title: str | None = None
    language: str | None = None
    quote: StatusId | None = None
    quote_policy: QuotePolicy = "public"
    application: int | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditDraft:
    """What a post is to become. ``media_changes`` are new descriptions of ``media``. A poll that is left out goes."""

    text: str
    media: tuple[MediaId, ...] = ()
    media_changes: tuple[MediaDraft, ...] = ()
    poll: PollDraft | None = None
    sensitive: bool = False
    spoiler: str = ""
    title: str | None = None
    language: str | None = None
    quote_policy: QuotePolicy | None = None
