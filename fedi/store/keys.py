"""Public keys of actors, and the private keys of our own."""

from collections.abc import Sequence

from fedi.ids import AccountId
from fedi.model.accounts import Account, ActorKey
from fedi.store.accounts import ACCOUNT
from fedi.store.database import Tx
from fedi.store.rows import Shape

KEY = Shape(ActorKey)
_PUBLIC = KEY.columns.replace("private_key", "CAST(NULL AS TEXT)")

# Of our keys nobody outside can change anything: a document that names one of their ids is ignored there.
PUT_KEY = f"""
INSERT INTO actor_key ({KEY.columns}) VALUES ({KEY.parameters})
ON CONFLICT (id) DO UPDATE SET account = excluded.account, kind = excluded.kind, public_key = excluded.public_key,
  private_key = excluded.private_key, created_at = excluded.created_at
 WHERE actor_key.private_key IS NULL OR excluded.private_key IS NOT NULL"""
FIND_KEY = f"SELECT {_PUBLIC} FROM actor_key WHERE id = :id"
LIST_KEYS = f"SELECT {_PUBLIC} FROM actor_key WHERE account = :account ORDER BY created_at, id"  # actor_key_account
OWN_KEYS = f"""
SELECT {KEY.columns} FROM actor_key WHERE account = :account AND private_key IS NOT NULL ORDER BY created_at, id"""
ALL_OWN_KEYS = f"SELECT {KEY.columns} FROM actor_key WHERE private_key IS NOT NULL ORDER BY account, created_at, id"
FIND_OWNER = f"""
SELECT {ACCOUNT.columns_of("a")} FROM actor_key k JOIN account a ON a.id = k.account WHERE k.id = :id"""
DROP_OTHERS = "DELETE FROM actor_key WHERE account = :account AND id NOT IN TEXTS(:kept)"
DROP_KEYS = "DELETE FROM actor_key WHERE account = :account"


async def put_keys(tx: Tx, keys: Sequence[ActorKey]) -> None:
    """Adds keys, or replaces those of the same id; others of the account stay."""
    if keys:
        await tx.many(PUT_KEY, [KEY.values(key) for key in keys])


async def replace_keys(tx: Tx, account: AccountId, keys: Sequence[ActorKey]) -> None:
    """``keys`` are all that the account has from now on: rotation, or an actor document read again."""
    assert all(key.account == account for key in keys)
    await tx.run(DROP_OTHERS, account=account, kept=[key.id for key in keys])
    await put_keys(tx, keys)


async def find_key(tx: Tx, key_id: str) -> ActorKey | None:
    """Without its private half."""
    return await tx.one_as(KEY.make, FIND_KEY, id=key_id)


async def find_owner(tx: Tx, key_id: str) -> Account | None:
    return await tx.one_as(ACCOUNT.make, FIND_OWNER, id=key_id)


async def list_keys(tx: Tx, account: AccountId) -> list[ActorKey]:
    """Oldest first, without private halves."""
    return await tx.all_as(KEY.make, LIST_KEYS, account=account)


async def own_keys(tx: Tx, account: AccountId) -> list[ActorKey]:
    """Oldest first, with private halves; none for a remote account."""
    return await tx.all_as(KEY.make, OWN_KEYS, account=account)


async def list_all_own_keys(tx: Tx) -> list[ActorKey]:
    """Of every local account, with private halves."""
    return await tx.all_as(KEY.make, ALL_OWN_KEYS)


async def drop_keys(tx: Tx, account: AccountId) -> None:
    await tx.run(DROP_KEYS, account=account)
