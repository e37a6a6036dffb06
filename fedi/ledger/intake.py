"""What was accepted: one row per activity, written before the answer, closed with its outcome."""

from dataclasses import dataclass

from fedi.store import ledger as rows
from fedi.store.database import Database, Tx

BODY_DAYS = 30
AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    body_hash: bytes
    outcome: str | None


async def open_intake(tx: Tx, *, activity: str, object_uri: str | None, body_hash: bytes, now_ms: int) -> bool:
    """Whether the activity is new. ``body_hash`` is the SHA-256 of the body as received."""
    return await rows.put_intake(
        tx, activity=activity, object_uri=object_uri, body_hash=body_hash, at=now_ms // 1000
    )  # fmt: skip


async def close_intake(tx: Tx, activity: str, outcome: str) -> None:
    """The name of its outcome; the first one stays."""
    await rows.set_outcome(tx, activity, outcome)


async def find_intake(tx: Tx, activity: str) -> Intake | None:
    row = await rows.find_intake(tx, activity)
    return None if row is None else Intake(body_hash=row.body_hash, outcome=row.outcome)


async def put_body(tx: Tx, body_hash: bytes, data: bytes, now_ms: int) -> None:
    """The bytes as received, kept as evidence while somebody may ask for them."""
    await rows.put_body(tx, body_hash, data, now_ms // 1000)


async def find_body(tx: Tx, body_hash: bytes) -> bytes | None:
    return await rows.find_body(tx, body_hash)


async def drop_body(tx: Tx, body_hash: bytes) -> None:
    await rows.drop_body(tx, body_hash)


async def forget_bodies(db: Database, now_ms: int) -> None:
    """Drops bodies older than :data:`BODY_DAYS`, in small steps. The rows of intake stay: what was seen stays seen."""
    before = now_ms // 1000 - BODY_DAYS * 24 * 3600
    while await db.write("forget bodies", lambda tx: rows.drop_old_bodies(tx, before, AT_ONCE)):
        pass
