"""Reads a picture from standard input and writes a clean one to standard output: a process of its own.

Decoders of pictures are where crafted files strike, so this process has bounded memory and CPU time, may open no
file for writing and is told no name. What it writes is drawn anew from pixels: no metadata (place, camera, time),
no trailing bytes and no second meaning of the file survive. Run by :mod:`fedi.media.pictures` alone.

Answer: 4 bytes length, a JSON head, then the picture and, if asked for, its preview.
"""

import io
import json
import resource
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

MEMORY_BYTES = 1536 * 1024 * 1024
CPU_S = 25
MOST_FRAMES = 600
MOST_MOVING_PIXELS = 120_000_000  # of all frames together
OUTPUT_PIXELS = 8_294_400  # 3840 × 2160: larger pictures are drawn smaller
PREVIEW_PIXELS = 230_400  # 640 × 360
CROPS = {"avatar": (400, 400), "header": (1500, 500)}

LENGTH = struct.Struct(">I")


class _Refused(Exception):  # noqa: N818 - what the parent is told
    """With one of the codes that the parent knows."""


def main() -> None:
    use, max_pixels = sys.argv[1], int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = sys.stdout.buffer
    try:
        head, parts = _process(sys.stdin.buffer, use, max_pixels)
    except _Refused as refused:
        head, parts = {"refused": str(refused)}, []
    except MemoryError:
        head, parts = {"refused": "too-large"}, []
    except Exception as error:  # noqa: BLE001 - whatever a decoder raises, the file cannot be read
        name = type(error).__name__
        code = "too-many-pixels" if name == "DecompressionBombError" else "unreadable"
        head, parts = {"refused": code, "detail": f"{name}: {error}"[:300]}, []
    head["sizes"] = [len(part) for part in parts]
    text = json.dumps(head).encode()
    out.write(LENGTH.pack(len(text)) + text)
    for part in parts:
        out.write(part)
    out.flush()


def _process(source: BinaryIO, use: str, max_pixels: int) -> tuple[dict[str, Any], list[bytes]]:
    # Here, so that the limits hold for everything these libraries do.
    from PIL import Image, ImageOps  # noqa: PLC0415

    Image.MAX_IMAGE_PIXELS = max_pixels
    image = Image.open(source, formats=("JPEG", "PNG", "GIF", "WEBP", "AVIF"))
    kind = image.format or ""
    if image.width * image.height > max_pixels:
        raise _Refused("too-many-pixels")
    frames = getattr(image, "n_frames", 1)
    moving = use == "attachment" and frames > 1 and kind in {"GIF", "WEBP", "PNG"}
    if moving and (frames > MOST_FRAMES or frames * image.width * image.height > MOST_MOVING_PIXELS):
        raise _Refused("too-many-frames")
    if moving:
        content_type, data, size = _redraw_frames(image, kind)
        image.seek(0)
    still = _plain(ImageOps.exif_transpose(image) or image)
    if use in CROPS:
        still = ImageOps.fit(still, _crop_of(still, CROPS[use]), Image.Resampling.LANCZOS)
    if not moving:
        still = _at_most(still, OUTPUT_PIXELS)
        size = still.size
        content_type, data = _encode(still, _output_of(kind, still))
    head: dict[str, Any] = {"content_type": content_type, "width": size[0], "height": size[1]}
    if use != "attachment":
        return head, [data]
    preview = _at_most(still, PREVIEW_PIXELS)
    preview_type, preview_data = _encode(preview, "WEBP" if preview.mode == "RGBA" else "JPEG")
    head |= {
        "preview_type": preview_type,
        "preview_width": preview.width,
        "preview_height": preview.height,
        "blurhash": _blurhash(still),
    }
    return head, [data, preview_data]


def _plain(image: Any) -> Any:
    """RGB or RGBA in the common colour space, with nothing of the file left."""
    from PIL import Image  # noqa: PLC0415

    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):  # 16 bits a pixel
        image = image.point(lambda value: value / 256).convert("L")
    has_alpha = image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info
    if profile and image.mode in {"RGB", "RGBA", "CMYK", "L"}:
        image = _in_srgb(image, profile)
    image = image.convert("RGBA" if has_alpha else "RGB")
    clean = Image.new(image.mode, image.size)
    clean.paste(image)
    return clean


def _in_srgb(image: Any, profile: bytes) -> Any:
    from PIL import ImageCms  # noqa: PLC0415

    try:
        wanted = "RGBA" if image.mode == "RGBA" else "RGB"
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=wanted)
    except (ImageCms.PyCMSError, ValueError, OSError):
        return image  # a broken profile: the colours are as the file has them


def _crop_of(image: Any, wanted: tuple[int, int]) -> tuple[int, int]:
    """The wanted shape, but never larger than the picture allows."""
    ratio = min(1.0, max(image.width / wanted[0], image.height / wanted[1]))
    return max(1, round(wanted[0] * ratio)), max(1, round(wanted[1] * ratio))


def _at_most(image: Any, pixels: int) -> Any:
    from PIL import Image  # noqa: PLC0415

    have = image.width * image.height
    if have <= pixels:
        return image
    scale = (pixels / have) ** 0.5
    size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _output_of(kind: str, image: Any) -> str:
    match kind:
        case "PNG" | "GIF":
            return "PNG"
        case "WEBP":
            return "WEBP"
        case _:
            return "WEBP" if image.mode == "RGBA" else "JPEG"


def _encode(image: Any, kind: str) -> tuple[str, bytes]:
    out = io.BytesIO()
    match kind:
        case "PNG":
            image.save(out, "PNG", optimize=False)
        case "WEBP":
            image.save(out, "WEBP", quality=88, method=4)
        case _:
            image.convert("RGB").save(out, "JPEG", quality=88, progressive=True)
    return f"image/{kind.lower()}", out.getvalue()


def _redraw_frames(image: Any, kind: str) -> tuple[str, bytes, tuple[int, int]]:
    from PIL import ImageSequence  # noqa: PLC0415

    durations: list[int] = []

    def drawn() -> Iterator[Any]:
        for frame in ImageSequence.Iterator(image):
            durations.append(int(frame.info.get("duration", 100) or 100))
            plain = frame.convert("RGBA")
            plain.info.clear()
            yield plain

    frames = list(drawn())
    out = io.BytesIO()
    write: Callable[..., None] = frames[0].save
    common = {"save_all": True, "append_images": frames[1:], "duration": durations, "loop": image.info.get("loop", 0)}
    match kind:
        case "GIF":
            write(out, "GIF", disposal=2, **common)
        case "WEBP":
            write(out, "WEBP", quality=80, method=2, **common)
        case _:
            write(out, "PNG", **common)
    return f"image/{kind.lower()}", out.getvalue(), image.size


def _blurhash(image: Any) -> str:
    import blurhash  # noqa: PLC0415

    small = image.convert("RGB")
    small.thumbnail((64, 64))
    across, down = (4, 3) if small.width >= small.height else (3, 4)
    encoded: str = blurhash.encode(small, across, down)
    return encoded


if __name__ == "__main__":
    main()
