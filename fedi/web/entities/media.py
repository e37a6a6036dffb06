"""Media attachments, and where readers find pictures: never at another server, always at ours.

A remote picture is named by ``/media/proxy/{mac}/{url}``: the URL in base64, authenticated by us, so that the proxy
fetches what we have shown to somebody and nothing else.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Any

from fedi.config import Config
from fedi.model.emojis import CustomEmoji, EmojiRef
from fedi.model.media import Extent, Media
from fedi.web.entities.encode import encode

PURPOSE = "media-proxy"
MISSING_AVATAR = "/avatars/original/missing.png"
MISSING_HEADER = "/headers/original/missing.png"
MAX_URL_CHARS = 4096


class MediaUrls:
    """Public addresses of files, ours and others'. ``key`` is ``config.derived_key("media-proxy")``."""

    def __init__(self, *, origin: str, key: bytes) -> None:
        self._origin = origin
        self._key = key

    @classmethod
    def of(cls, config: Config) -> "MediaUrls":
        return cls(origin=config.origin, key=config.derived_key(PURPOSE))

    def file(self, path: str) -> str:
        """Of a file in the media folder."""
        return f"{self._origin}/media/{path}"

    def remote(self, url: str) -> str:
        """Of a remote file, through the proxy."""
        encoded = base64.urlsafe_b64encode(url.encode("utf-8", "surrogatepass")).rstrip(b"=").decode()
        return f"{self._origin}/media/proxy/{self._mac(encoded)}/{encoded}"

    def any(self, where: str) -> str:
        """Of what a column holds: a path in the media folder, or the URL of a remote file."""
        if where.startswith(self._origin + "/"):
            return where
        return self.remote(where) if "://" in where else self.file(where)

    def avatar(self, where: str | None) -> str:
        return self.any(where) if where else self._origin + MISSING_AVATAR

    def header(self, where: str | None) -> str:
        return self.any(where) if where else self._origin + MISSING_HEADER

    def read_proxied(self, mac: str, encoded: str) -> str | None:
        """The remote URL that a proxy path names; None unless :meth:`remote` made it."""
        if len(encoded) > MAX_URL_CHARS or not hmac.compare_digest(mac.encode(), self._mac(encoded).encode()):
            return None
        try:
            return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        except (binascii.Error, ValueError):
            return None

    def _mac(self, encoded: str) -> str:
        digest = hmac.digest(self._key, encoded.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:18]).decode()


def media_value(media: Media, urls: MediaUrls) -> dict[str, Any]:
    """A MediaAttachment. ``url`` is null only while a fresh upload is processed."""
    url = urls.file(media.path) if media.path else urls.remote(media.remote_url) if media.remote_url else None
    if media.state in {"processing", "failed"}:
        url = None
    preview = None
    if media.preview_path:
        preview = urls.file(media.preview_path)
    elif media.preview_remote_url:
        preview = urls.remote(media.preview_remote_url)
    elif media.kind == "image":
        preview = url
    return {
        "id": str(media.id),
        "type": media.kind,
        "url": url,
        "preview_url": preview,
        "remote_url": media.remote_url,
        "preview_remote_url": media.preview_remote_url,
        "text_url": None,
        "meta": _meta(media),
        "description": media.description or None,
        "blurhash": media.blurhash,
    }


def _meta(media: Media) -> dict[str, Any]:
    """Nothing in it is ever null."""
    meta: dict[str, Any] = {}
    for name, extent in (("original", media.meta.original), ("small", media.meta.small)):
        if extent is not None and (found := _extent(extent)):
            meta[name] = found
    if media.focus_x is not None and media.focus_y is not None:
        meta["focus"] = {"x": media.focus_x, "y": media.focus_y}
    return meta


def _extent(extent: Extent) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if extent.width and extent.height:
        found = {
            "width": extent.width,
            "height": extent.height,
            "size": f"{extent.width}x{extent.height}",
            "aspect": round(extent.width / extent.height, 6),
        }
    if extent.duration_s is not None:
        found["duration"] = extent.duration_s
    if extent.frame_rate is not None:
        found["frame_rate"] = extent.frame_rate
    if extent.bitrate is not None:
        found["bitrate"] = extent.bitrate
    return found


def render_media(media: Media, urls: MediaUrls) -> bytes:
    return encode(media_value(media, urls))


def emoji_values(emojis: tuple[EmojiRef, ...], urls: MediaUrls) -> list[dict[str, Any]]:
    """Custom emojis as used in a text."""
    return [
        {
            "shortcode": emoji.shortcode,
            "url": urls.any(emoji.url),
            "static_url": urls.any(emoji.static_url or emoji.url),
            "visible_in_picker": True,
        }
        for emoji in emojis
    ]


def custom_emoji_value(emoji: CustomEmoji, urls: MediaUrls) -> dict[str, Any]:
    """An emoji of ours, for the picker."""
    return {
        "shortcode": emoji.shortcode,
        "url": urls.any(emoji.url),
        "static_url": urls.any(emoji.static_url or emoji.url),
        "visible_in_picker": emoji.visible,
        "category": emoji.category,
    }
