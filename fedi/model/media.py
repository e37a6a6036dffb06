"""Pictures, films and sounds attached to statuses."""

from dataclasses import dataclass
from typing import Literal

from fedi.ids import AccountId, MediaId, StatusId

MediaKind = Literal["image", "gifv", "video", "audio", "unknown"]
MediaState = Literal["processing", "ready", "failed", "remote"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Sizes in pixels; ``duration_s`` and ``frame_rate`` for what moves or sounds."""

    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    frame_rate: str | None = None
    bitrate: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaMeta:
    original: Extent | None = None
    small: Extent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """``path`` and ``preview_path`` are relative to the media folder; remote media have URLs instead.
    The focus runs from -1 to 1 on both axes."""

    id: MediaId
    account: AccountId
    status: StatusId | None = None
    position: int = 0
    kind: MediaKind
    content_type: str = ""
    state: MediaState
    path: str | None = None
    preview_path: str | None = None
    remote_url: str | None = None
    preview_remote_url: str | None = None
    description: str = ""
    blurhash: str | None = None
    focus_x: float | None = None
    focus_y: float | None = None
    meta: MediaMeta = MediaMeta()
    size_bytes: int = 0
    created_at: int
