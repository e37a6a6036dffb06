"""What bytes are, by the bytes alone. Names and Content-Type headers are claims of strangers.

Nothing here is a document that a browser would run: HTML, SVG, PDF and scripts have no entry.
"""

from typing import Literal

Family = Literal["image", "video", "audio"]

HEAD_BYTES = 64  # what :func:`find_type` wants to see

EXTENSIONS: dict[str, str] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "video/ogg": "ogv",
    "audio/mpeg": "mp3",
    "audio/aac": "aac",
    "audio/mp4": "m4a",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/wav": "wav",
}
TYPES = {extension: content_type for content_type, extension in EXTENSIONS.items()}
UPLOADED_PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/avif")

_PREFIXES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
)
_BRANDS = {  # ISO base media: bytes 8 to 12 of a file whose first box is "ftyp"
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
}
_MP4_BRANDS = (b"isom", b"iso", b"mp4", b"avc1", b"M4V", b"dash", b"MSNV", b"3gp", b"f4v", b"hvc1")


def find_type(head: bytes) -> str | None:
    """The media type of a file that begins with ``head``; None for anything that is no picture, film or sound."""
    for prefix, content_type in _PREFIXES:
        if head.startswith(prefix):
            return content_type
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return _BRANDS.get(brand) or ("video/mp4" if brand.startswith(_MP4_BRANDS) else None)
    if head[:4] == b"OggS":
        return "video/ogg" if b"\x80theora" in head else "audio/ogg"
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return _mpeg_audio(head)
    return None


def family_of(content_type: str) -> Family | None:
    family = content_type.partition("/")[0]
    return family if family in {"image", "video", "audio"} else None  # type: ignore[return-value]  # just checked


def _mpeg_audio(head: bytes) -> str | None:
    layer, bitrate, rate = head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    if layer == 0:
        return "audio/aac" if head[1] & 0xF6 == 0xF0 and rate * 4 + (head[2] & 3) != 15 else None
    return "audio/mpeg" if bitrate not in {0, 15} and rate != 3 else None
