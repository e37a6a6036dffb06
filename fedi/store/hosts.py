"""What we know of other servers' network side: the signature they take, and whether they answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from fedi.store.database import Tx
from fedi.store.rows import Shape

Scheme = Literal["cavage", "rfc9421"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """``name`` is host and, where unusual, port. ``failures`` count since ``window_at``; until ``open_until`` nothing
    is sent; ``failed_days`` are days since 1970 with failures since the last success."""

    name: str
    scheme: Scheme | None = None
    scheme_at: int | None = None
    probed_at: int | None = None
    failures: int = 0
    window_at: int | None = None
    open_until: int | None = None
    failed_days: tuple[int, ...] = ()
    dead_since: int | None = None
    seen_at: int | None = None


HOST = Shape(HostState)
_CHANGING = [name for name in HOST.names if name != "name"]

FIND_HOST = f"SELECT {HOST.columns} FROM host WHERE name = :name"
PUT_HOST = f"""
INSERT INTO host ({HOST.columns}) VALUES ({HOST.parameters})
ON CONFLICT (name) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _CHANGING)}"""
LIST_TROUBLED = f"""
SELECT {HOST.columns} FROM host
 WHERE name IN TEXTS(:names) AND (dead_since IS NOT NULL OR COALESCE(open_until, 0) > :now)"""
LIST_HOSTS = f"SELECT {HOST.columns} FROM host ORDER BY name LIMIT :limit"
LIST_ALL_TROUBLED = f"""
SELECT {HOST.columns} FROM host
 WHERE dead_since IS NOT NULL OR COALESCE(open_until, 0) > :now OR failures > 0 ORDER BY name LIMIT :limit"""
DROP_UNUSED = """
DELETE FROM host WHERE COALESCE(seen_at, 0) < :before AND COALESCE(scheme_at, 0) < :before
   AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.host = host.name)
   AND NOT EXISTS (SELECT 1 FROM account a WHERE a.host = host.name)"""


async def find_host(tx: Tx, name: str) -> HostState | None:
    return await tx.one_as(HOST.make, FIND_HOST, name=name)


async def put_hosts(tx: Tx, states: Sequence[HostState]) -> None:
    if states:
        await tx.many(PUT_HOST, [HOST.values(state) for state in states])


async def list_troubled(tx: Tx, names: Iterable[str], now_ms: int) -> list[HostState]:
    """Those of ``names`` to which nothing is sent now."""
    return await tx.all_as(HOST.make, LIST_TROUBLED, names=list(names), now=now_ms)


async def list_all_troubled(tx: Tx, now_ms: int, *, limit: int = 10_000) -> list[HostState]:
    """Every host that failed lately, is waited for, or was given up."""
    return await tx.all_as(HOST.make, LIST_ALL_TROUBLED, now=now_ms, limit=limit)


async def list_hosts(tx: Tx, *, limit: int = 1000) -> list[HostState]:
    return await tx.all_as(HOST.make, LIST_HOSTS, limit=limit)


async def drop_unused(tx: Tx, *, before_ms: int) -> int:
    """Hosts that no row, account or recent contact refers to."""
    return await tx.run(DROP_UNUSED, before=before_ms)
