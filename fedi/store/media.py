"""Attachments: rows only. Their files lie in the media folder and are removed by whoever drops the row."""

from collections.abc import Iterable, Sequence

from fedi.ids import AccountId, MediaId, StatusId
from fedi.model.media import Media
from fedi.store.database import Tx
from fedi.store.rows import Shape

MEDIA = Shape(Media)

PUT_MEDIA = f"INSERT INTO media ({MEDIA.columns}) VALUES ({MEDIA.parameters})"
UPDATE_MEDIA = f"""
UPDATE media SET {", ".join(f"{n} = :{n}" for n in MEDIA.names if n not in {"id", "account", "status", "position", "created_at"})}
 WHERE id = :id"""
FIND_MEDIA = f"SELECT {MEDIA.columns} FROM media WHERE id = :id"
LIST_MEDIA = f"SELECT {MEDIA.columns} FROM media WHERE id IN INTS(:ids)"
LIST_OF_STATUSES = f"""
SELECT {MEDIA.columns} FROM media WHERE status IN INTS(:statuses) ORDER BY status, position, id"""  # media_status
ATTACH = """
UPDATE media SET status = :status, position = :position
 WHERE id = :id AND account = :account AND (status IS NULL OR status = :status)"""
DETACH_OTHERS = "UPDATE media SET status = NULL, position = 0 WHERE status = :status AND id NOT IN INTS(:kept)"
LOOSEN = "UPDATE media SET status = NULL, position = 0, created_at = :now_ms WHERE status = :status"
DESCRIBE = """
UPDATE media SET description = :description, focus_x = :focus_x, focus_y = :focus_y WHERE id = :id"""
LIST_LOOSE = f"""
SELECT {MEDIA.columns} FROM media WHERE status IS NULL AND created_at < :before
 ORDER BY account, created_at LIMIT :limit"""  # media_loose
DROP_MEDIA = f"DELETE FROM media WHERE id IN INTS(:ids) RETURNING {MEDIA.columns}"
DROP_OF_STATUS = f"DELETE FROM media WHERE status = :status RETURNING {MEDIA.columns}"


async def put_media(tx: Tx, *media: Media) -> None:
    await tx.many(PUT_MEDIA, [MEDIA.values(one) for one in media])


async def update_media(tx: Tx, media: Media) -> bool:
    """Everything but its owner, its place and its date. False when it was dropped meanwhile."""
    return await tx.run(UPDATE_MEDIA, **MEDIA.values(media)) > 0


async def describe(
    tx: Tx, media: MediaId, description: str, *, focus_x: float | None = None, focus_y: float | None = None
) -> bool:
    return await tx.run(DESCRIBE, id=media, description=description, focus_x=focus_x, focus_y=focus_y) > 0


async def find_media(tx: Tx, media: MediaId) -> Media | None:
    return await tx.one_as(MEDIA.make, FIND_MEDIA, id=media)


async def find_many(tx: Tx, ids: Iterable[MediaId]) -> dict[MediaId, Media]:
    """Also those of earlier versions of a status that are still there."""
    return {media.id: media for media in await tx.all_as(MEDIA.make, LIST_MEDIA, ids=set(ids))}


async def attach(tx: Tx, status: StatusId, account: AccountId, ids: Sequence[MediaId]) -> bool:
    """``status`` has exactly these, in this order; others it had become loose.

    False when one is not the account's, or belongs to another status: then the caller rolls back.
    """
    await tx.run(DETACH_OTHERS, status=status, kept=ids)
    attached = [
        await tx.run(ATTACH, id=id_, status=status, account=account, position=position)
        for position, id_ in enumerate(ids)
    ]
    return all(attached)


async def loosen(tx: Tx, status: StatusId, now_ms: int) -> None:
    """``status`` is deleted: its files are as if uploaded now, so that a new draft may have them for a while."""
    await tx.run(LOOSEN, status=status, now_ms=now_ms)


async def list_of_statuses(tx: Tx, statuses: Iterable[StatusId]) -> dict[StatusId, tuple[Media, ...]]:
    """In the order of each status. Those without media are left out."""
    found: dict[StatusId, tuple[Media, ...]] = {}
    for media in await tx.all_as(MEDIA.make, LIST_OF_STATUSES, statuses=set(statuses)):
        assert media.status is not None
        found[media.status] = (*found.get(media.status, ()), media)
    return found


async def list_loose(tx: Tx, before_ms: int, *, limit: int = 100) -> list[Media]:
    """From before then and in no status: to be dropped with their files."""
    return await tx.all_as(MEDIA.make, LIST_LOOSE, before=before_ms, limit=limit)


async def drop_media(tx: Tx, ids: Iterable[MediaId]) -> list[Media]:
    """What was dropped, whose files go after the commit."""
    return await tx.all_as(MEDIA.make, DROP_MEDIA, ids=set(ids))


async def drop_of_status(tx: Tx, status: StatusId) -> list[Media]:
    return await tx.all_as(MEDIA.make, DROP_OF_STATUS, status=status)
