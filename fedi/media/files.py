"""The folder of media: files under random names that we made, and never another name.

A name is ``files/<folder>/<two hex digits>/<32 hex digits>.<extension>``; the extension is the type, decided by us.
What is stored as ``path`` of a media row, or as avatar of an account, is such a name; it is served under ``/media/``.
"""

import os
import re
import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Literal

from fedi.media.types import EXTENSIONS, TYPES

Folder = Literal["attachments", "previews", "avatars", "headers"]

_NAME = re.compile(
    rf"files/(?:attachments|previews|avatars|headers)/[0-9a-f]{{2}}/[0-9a-f]{{32}}\.({'|'.join(TYPES)})", re.ASCII
)
_INCOMING = re.compile(r"incoming/[0-9a-f]{32}", re.ASCII)


class Files:
    """Blocking, and quick: callers use a thread where much is written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, folder: Folder, content_type: str, data: bytes) -> str:
        """The name of the new file, which is complete on the disk when this returns."""
        name = _new_name(folder, EXTENSIONS[content_type])
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as temporary:
            temporary.write(data)
            temporary.flush()
            os.fsync(temporary.fileno())
        os.chmod(temporary.name, 0o644)  # noqa: PTH101 - a proxy in front may serve it
        os.replace(temporary.name, path)  # noqa: PTH105 - atomic
        return name

    def keep_incoming(self, source: IO[bytes]) -> str:
        """A copy of an upload that is processed later; the name is ours."""
        name = f"incoming/{secrets.token_hex(16)}"
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        source.seek(0)
        with path.open("xb") as target:
            while chunk := source.read(1024 * 1024):
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        return name

    def open_incoming(self, name: str) -> IO[bytes] | None:
        """None when it was processed before."""
        if not _INCOMING.fullmatch(name):
            return None
        try:
            return (self._root / name).open("rb")
        except FileNotFoundError:
            return None

    def find(self, name: str) -> tuple[Path, str] | None:
        """Path and content type of a public file; None for any name that we would not have made."""
        match = _NAME.fullmatch(name)
        return None if match is None else (self._root / name, TYPES[match[1]])

    def remove(self, names: Iterable[str | None]) -> None:
        """Names that are None, or gone already, are passed over."""
        for name in names:
            if name and (_NAME.fullmatch(name) or _INCOMING.fullmatch(name)):
                (self._root / name).unlink(missing_ok=True)

    def list_incoming(self, *, older_than_s: float) -> list[str]:
        """Left by a process that died: modified before ``older_than_s`` (Unix seconds)."""
        folder = self._root / "incoming"
        if not folder.is_dir():
            return []
        return [f"incoming/{path.name}" for path in folder.iterdir() if path.stat().st_mtime < older_than_s]


def _new_name(folder: Folder, extension: str) -> str:
    token = secrets.token_hex(16)
    return f"files/{folder}/{token[:2]}/{token}.{extension}"
