"""What people upload: checked, drawn anew, stored, described, dropped."""

import asyncio
import os
from dataclasses import dataclass, replace
from functools import partial
from typing import IO, Literal

import structlog

from fedi.clock import Clock
from fedi.config import MediaConfig
from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.ids import AccountId, IdMaker, MediaId
from fedi.media.files import Files
from fedi.media.pictures import Drawn, Pictures
from fedi.media.types import HEAD_BYTES, UPLOADED_PICTURES, family_of, find_type
from fedi.model.media import Extent, Media, MediaMeta
from fedi.store import jobs
from fedi.store import media as rows
from fedi.store.database import Database, Tx
from fedi.store.jobs import Job

AT_ONCE_BYTES = 4 * 1024 * 1024  # what is drawn while the app waits; larger files may be drawn by a job
LOOSE_LIFE_MS = 24 * 3600 * 1000
Focus = tuple[float, float]

log = structlog.get_logger("fedi.media")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    description: str | None
    focus: Focus | None


class Uploads:
    """``limits`` bounds sizes. One per process."""

    def __init__(
        self, *, db: Database, ids: IdMaker, clock: Clock, files: Files, pictures: Pictures, limits: MediaConfig
    ) -> None:
        self._db = db
        self._ids = ids
        self._clock = clock
        self._files = files
        self._pictures = pictures
        self._limits = limits

    async def add(
        self, account: AccountId, source: IO[bytes], *, description: str = "", focus: Focus | None = None, wait: bool
    ) -> Media:
        """A new attachment in no status yet. With ``wait`` it is ready when this returns; without, a large one is
        drawn by a job of kind ``media``, and comes back as ``processing``.

        ``source`` has a file descriptor, which the process that draws inherits. Raises ``ClientFault`` 422 for what is no picture, is too large or cannot be read.
        """
        self.check_description(description)
        size_bytes = self._check(source)
        media = Media(
            id=MediaId(self._ids.next()),
            account=account,
            kind="image",
            state="processing",
            description=description,
            focus_x=None if focus is None else focus[0],
            focus_y=None if focus is None else focus[1],
            created_at=self._clock.ms(),
        )
        if wait or size_bytes <= AT_ONCE_BYTES:
            media = await self._drawn(media, source)
            await self._db.write("keep an upload", lambda tx: rows.put_media(tx, media))
            return media
        name = await asyncio.to_thread(self._files.keep_incoming, source)

        async def unit(tx: Tx) -> None:
            await rows.put_media(tx, media)
            await jobs.enqueue(tx, "media", {"media": media.id, "incoming": name}, now_ms=media.created_at)

        await self._db.write("keep an upload for later", unit)
        return media

    async def handle_job(self, job: Job) -> Literal["done"]:
        """The job kind ``media``: draws what :meth:`add` left for later."""
        media = await self._db.read(lambda tx: rows.find_media(tx, MediaId(job.data["media"])))
        name = job.data["incoming"]
        source = self._files.open_incoming(name)
        if source is None or media is None or media.state != "processing":
            self._files.remove([name])
            return "done"
        with source:
            try:
                drawn = await self._drawn(media, source)
            except ClientFault as fault:
                log.info("upload refused", media=media.id, code=fault.code, detail=fault.internal)
                drawn = replace(media, state="failed")

        async def unit(tx: Tx) -> bool:
            fresh = await rows.find_media(tx, drawn.id)  # described while it was drawn
            if fresh is None:
                return False
            described = replace(drawn, description=fresh.description, focus_x=fresh.focus_x, focus_y=fresh.focus_y)
            return await rows.update_media(tx, described)

        kept = await self._db.write("draw an upload", unit)
        self._files.remove([name] if kept else [name, drawn.path, drawn.preview_path])
        return "done"

    async def draw_portrait(self, source: IO[bytes], use: Literal["avatar", "header"]) -> str:
        """The name of a stored avatar or header. Raises as :meth:`add`."""
        self._check(source)
        drawn = await self._pictures.draw(source, use)
        folder: Literal["avatars", "headers"] = "avatars" if use == "avatar" else "headers"
        return await asyncio.to_thread(self._files.write, folder, drawn.content_type, drawn.data)

    async def find(self, account: AccountId, media: MediaId) -> Media | None:
        """One's own that is in no status yet."""
        found = await self._db.read(lambda tx: rows.find_media(tx, media))
        return found if found is not None and found.account == account and found.status is None else None

    async def describe(
        self, account: AccountId, media: MediaId, *, description: str | None = None, focus: Focus | None = None
    ) -> Media | None:
        """Changes what is given. None when it is not one's own, or already in a status."""
        if description is not None:
            self.check_description(description)
        change = _Change(description=description, focus=focus)
        return await self._db.write("describe media", partial(_describe, account=account, media=media, change=change))

    async def drop(self, account: AccountId, media: MediaId) -> bool:
        """False when there is none of one's own. Raises ``ClientFault`` 422 when it is in a status."""

        async def unit(tx: Tx) -> list[Media]:
            found = await rows.find_media(tx, media)
            if found is None or found.account != account:
                return []
            if found.status is not None:
                raise ClientFault("media-attached", _("This file belongs to a post and cannot be deleted by itself."))
            return await rows.drop_media(tx, [media])

        dropped = await self._db.write("drop media", unit)
        self.remove_files(dropped)
        return bool(dropped)

    async def sweep(self) -> None:
        """Drops media that were in no status for a day, with their files, and uploads that no job came for."""
        before_ms = self._clock.ms() - LOOSE_LIFE_MS

        async def unit(tx: Tx) -> list[Media]:
            return await rows.drop_media(tx, [media.id for media in await rows.list_loose(tx, before_ms)])

        while dropped := await self._db.write("drop loose media", unit):
            self.remove_files(dropped)
        self._files.remove(self._files.list_incoming(older_than_s=before_ms / 1000))

    def remove_files(self, dropped: list[Media]) -> None:
        """After the commit that dropped their rows."""
        for media in dropped:
            self._files.remove([media.path, media.preview_path])

    def remove_file(self, name: str | None) -> None:
        """An avatar or header that was replaced."""
        self._files.remove([name])

    def check_description(self, description: str) -> None:
        if len(description) > self._limits.max_description_characters:
            raise ClientFault(
                "description-too-long",
                _("The description is longer than %(limit)s characters."),
                params={"limit": str(self._limits.max_description_characters)},
            )

    def _check(self, source: IO[bytes]) -> int:
        """The size of a picture that may be drawn; leaves ``source`` at its beginning."""
        size_bytes = source.seek(0, os.SEEK_END)
        source.seek(0)
        content_type = find_type(source.read(HEAD_BYTES))
        source.seek(0)
        if content_type is not None and family_of(content_type) != "image":
            raise ClientFault("media-refused", _("This server takes pictures, but no films or sounds yet."))
        if content_type not in UPLOADED_PICTURES:
            raise ClientFault(
                "media-refused", _("Files of this kind cannot be attached. Use JPEG, PNG, GIF, WebP or AVIF.")
            )
        if size_bytes > self._limits.max_image_size:
            raise ClientFault(
                "media-refused",
                _("This picture is larger than %(megabytes)s MB."),
                params={"megabytes": f"{self._limits.max_image_size / 1e6:g}"},
            )
        return size_bytes

    async def _drawn(self, media: Media, source: IO[bytes]) -> Media:
        drawn = await self._pictures.draw(source, "attachment")
        return await asyncio.to_thread(self._stored, media, drawn)

    def _stored(self, media: Media, drawn: Drawn) -> Media:
        return replace(
            media,
            state="ready",
            content_type=drawn.content_type,
            path=self._files.write("attachments", drawn.content_type, drawn.data),
            preview_path=self._files.write("previews", drawn.preview_type, drawn.preview),
            blurhash=drawn.blurhash,
            meta=MediaMeta(
                original=Extent(width=drawn.width, height=drawn.height),
                small=Extent(width=drawn.preview_width, height=drawn.preview_height),
            ),
            size_bytes=len(drawn.data) + len(drawn.preview),
        )


async def _describe(tx: Tx, *, account: AccountId, media: MediaId, change: _Change) -> Media | None:
    found = await rows.find_media(tx, media)
    if found is None or found.account != account or found.status is not None:
        return None
    if change.description is not None:
        found = replace(found, description=change.description)
    if change.focus is not None:
        found = replace(found, focus_x=change.focus[0], focus_y=change.focus[1])
    await rows.describe(tx, media, found.description, focus_x=found.focus_x, focus_y=found.focus_y)
    return found
