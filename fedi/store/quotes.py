"""Stamps: our authors' permissions to be quoted (FEP-044f)."""

from dataclasses import dataclass

from fedi.ids import AccountId, StatusId
from fedi.store.database import Tx
from fedi.store.rows import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteStamp:
    """``object`` is the URI of the post that quotes ``status``; ``actor`` its author."""

    id: str
    status: StatusId
    object: str
    actor: AccountId
    created_at: int
    revoked_at: int | None = None


STAMP = Shape(QuoteStamp)

PUT_STAMP = f"""
INSERT INTO quote_stamp ({STAMP.columns}) VALUES ({STAMP.parameters}) ON CONFLICT (status, object) DO NOTHING"""
FIND_STAMP = f"SELECT {STAMP.columns} FROM quote_stamp WHERE id = :id"
FIND_STAMP_OF = f"SELECT {STAMP.columns} FROM quote_stamp WHERE status = :status AND object = :object"
REVOKE_STAMP = """
UPDATE quote_stamp SET revoked_at = :now_ms WHERE status = :status AND object = :object AND revoked_at IS NULL"""


async def put_stamp(tx: Tx, stamp: QuoteStamp) -> QuoteStamp:
    """The stamp of this pair: the first one stays, also when it was revoked."""
    if await tx.run(PUT_STAMP, **STAMP.values(stamp)):
        return stamp
    found = await find_stamp_of(tx, stamp.status, stamp.object)
    assert found is not None
    return found


async def find_stamp(tx: Tx, stamp: str) -> QuoteStamp | None:
    return await tx.one_as(STAMP.make, FIND_STAMP, id=stamp)


async def find_stamp_of(tx: Tx, status: StatusId, object_uri: str) -> QuoteStamp | None:
    return await tx.one_as(STAMP.make, FIND_STAMP_OF, status=status, object=object_uri)


async def revoke_stamp(tx: Tx, status: StatusId, object_uri: str, now_ms: int) -> bool:
    """Whether there was one in force."""
    return await tx.run(REVOKE_STAMP, status=status, object=object_uri, now_ms=now_ms) > 0
