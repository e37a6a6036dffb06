"""Idempotency keys of apps: the same key within the hour gives the status that the first request made."""

from fedi.ids import AccountId, StatusId
from fedi.store.database import Tx

KEPT_MS = 3600 * 1000

FIND = "SELECT status FROM idempotency WHERE account = :account AND key = :key AND at > :since"
# A key that has expired may be used again.
PUT = """
INSERT INTO idempotency (account, key, status, at) VALUES (:account, :key, :status, :now)
ON CONFLICT (account, key) DO UPDATE SET status = excluded.status, at = excluded.at WHERE idempotency.at <= :since"""
FORGET = "DELETE FROM idempotency WHERE at <= :since"


async def find_status(tx: Tx, account: AccountId, key: str, *, now_ms: int) -> StatusId | None:
    found: StatusId | None = await tx.value(FIND, account=account, key=key, since=now_ms - KEPT_MS)
    return found


async def put_status(tx: Tx, account: AccountId, key: str, status: StatusId, *, now_ms: int) -> bool:
    """False when another request with this key was faster: roll back and look again."""
    return await tx.run(PUT, account=account, key=key, status=status, now=now_ms, since=now_ms - KEPT_MS) > 0


async def forget_old(tx: Tx, *, now_ms: int) -> int:
    return await tx.run(FORGET, since=now_ms - KEPT_MS)
