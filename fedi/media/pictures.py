"""Draws uploaded pictures anew, in a process that may cost only so much: see :mod:`fedi.media.picture_worker`."""

import asyncio
import json
import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from fedi.errors import ClientFault
from fedi.i18n import _

Use = Literal["attachment", "avatar", "header"]

AT_ONCE = 2  # of up to 1.5 GiB each in the worst case, 100 MiB in the usual one
DEADLINE_S = 40.0  # for a machine where others take the CPU; the worker's own limit decides before
MOST_OUTPUT_BYTES = 128 * 1024 * 1024

_LENGTH = struct.Struct(">I")
_SENTENCES = {
    "unreadable": _("This file is not a picture that can be shown, or it is damaged."),
    "too-many-pixels": _("This picture has too many pixels."),
    "too-many-frames": _("This animation is too long."),
    "too-large": _("This picture is too large."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A clean picture. An avatar or header has no preview and no blurhash."""

    content_type: str
    width: int
    height: int
    data: bytes
    preview_type: str = ""
    preview_width: int = 0
    preview_height: int = 0
    preview: bytes = b""
    blurhash: str | None = None


class Pictures:
    def __init__(self, *, max_pixels: int, at_once: int = AT_ONCE, deadline_s: float = DEADLINE_S) -> None:
        self._max_pixels = max_pixels
        self._deadline_s = deadline_s
        self._slots = asyncio.Semaphore(at_once)

    async def draw(self, source: IO[bytes], use: Use) -> Drawn:
        """``source`` is an open file at its beginning. Raises ``ClientFault`` ``media-refused`` (422)."""
        async with self._slots:
            return _read(await self._run(source, use))

    async def _run(self, source: IO[bytes], use: Use) -> bytes:
        os.lseek(source.fileno(), 0, os.SEEK_SET)  # reading ahead has moved it, whatever ``source.tell()`` says
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-W",
            "ignore",
            "-m",
            "fedi.media.picture_worker",
            use,
            str(self._max_pixels),
            stdin=source.fileno(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PYTHONPATH": str(Path(__file__).parents[2])},  # no setting and no secret of ours
            limit=1024 * 1024,
        )
        assert worker.stdout is not None
        answer = bytearray()
        try:
            async with asyncio.timeout(self._deadline_s):
                while chunk := await worker.stdout.read(1024 * 1024):
                    answer += chunk
                    if len(answer) > MOST_OUTPUT_BYTES:
                        raise _refused("too-large")
                await worker.wait()
        except TimeoutError:
            raise _refused("too-large", "no answer in time") from None
        finally:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
        return bytes(answer)


def _read(answer: bytes) -> Drawn:
    if len(answer) < _LENGTH.size:
        raise _refused("too-large", "the worker died")  # over its memory or its time
    (length,) = _LENGTH.unpack_from(answer)
    at = _LENGTH.size + length
    head: dict[str, Any] = json.loads(answer[_LENGTH.size : at])
    if "refused" in head:
        raise _refused(head["refused"], head.get("detail", ""))
    sizes: list[int] = head["sizes"]
    if len(answer) != at + sum(sizes):
        raise _refused("too-large", "the worker died while it answered")
    data = answer[at : at + sizes[0]]
    rest = {key: head[key] for key in ("preview_type", "preview_width", "preview_height", "blurhash") if key in head}
    return Drawn(
        content_type=head["content_type"],
        width=head["width"],
        height=head["height"],
        data=data,
        preview=answer[at + sizes[0] :],
        **rest,
    )


def _refused(code: str, internal: str = "") -> ClientFault:
    return ClientFault("media-refused", _SENTENCES[code], internal=internal and f"{code}: {internal}")
