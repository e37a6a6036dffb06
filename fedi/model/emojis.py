"""Custom emoji."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EmojiRef:
    """An emoji as used in a name or a text. ``shortcode`` is without colons."""

    shortcode: str
    url: str
    static_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomEmoji:
    """``domain`` is '' for ours."""

    id: int
    shortcode: str
    domain: str = ""
    uri: str | None = None
    url: str
    static_url: str
    category: str | None = None
    visible: bool = True
    updated_at: int
