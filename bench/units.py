"""What a unit of work costs over its bare statements: ``python -m bench.units [folder]``.

Every figure is microseconds of wall time for one unit. *bare* runs the same statement on the same kind of connection in a
plain loop; *alone* awaits one unit after the other (two thread hops of latency each); *together* has many in flight. The
fsync of the machine is measured too, because with ``synchronous=FULL`` it is most of a lone write.
"""

import asyncio
import itertools
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from fedi.store import sqlite
from fedi.store.database import Tx

ROWS = 10_000
WORDS = map(str, itertools.count())  # SQLite writes nothing when a row is replaced by its equal
PROBE = "SELECT name FROM thing WHERE id = :id"
PUT = "UPDATE thing SET name = :name WHERE id = :id"


def bare(connection: sqlite3.Connection, sql: str, *, rounds: int, commit: bool) -> float:
    started = time.perf_counter()
    if not commit:
        connection.execute("BEGIN IMMEDIATE")
    for n in range(rounds):
        if commit:
            connection.execute("BEGIN IMMEDIATE")
        connection.execute(sql, {"id": n % ROWS, "name": next(WORDS)}).fetchone()
        if commit:
            connection.execute("COMMIT")
    if not commit:
        connection.execute("COMMIT")
    return (time.perf_counter() - started) / rounds * 1e6


async def alone(unit: Callable[[int], Awaitable[object]], *, rounds: int) -> float:
    started = time.perf_counter()
    for n in range(rounds):
        await unit(n % ROWS)
    return (time.perf_counter() - started) / rounds * 1e6


async def together(unit: Callable[[int], Awaitable[object]], *, rounds: int, in_flight: int = 64) -> float:
    numbers = iter(range(rounds))

    async def worker() -> None:
        for n in numbers:
            await unit(n % ROWS)

    started = time.perf_counter()
    await asyncio.gather(*[worker() for _ in range(in_flight)])
    return (time.perf_counter() - started) / rounds * 1e6


def fsync_us(folder: Path) -> float:
    path = folder / "fsync"
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    took = []
    for _ in range(50):
        os.write(file, b"x" * 4096)
        started = time.perf_counter()
        os.fdatasync(file)
        took.append(time.perf_counter() - started)
    os.close(file)
    return statistics.median(took) * 1e6


async def main(folder: Path) -> None:
    print(f"SQLite {sqlite3.sqlite_version}, fdatasync {fsync_us(folder):.0f} µs (median)")
    for durable in (False, True):
        path = folder / f"{durable}.db"
        db = await sqlite.open_sqlite(path, durable=durable)

        async def fill(tx: Tx) -> None:
            await tx.run("CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT)")
            await tx.many("INSERT INTO thing VALUES (:id, 'x')", [{"id": n} for n in range(ROWS)])

        await db.write("fill", fill)

        async def write(n: int, db: sqlite.SqliteDatabase = db) -> int:
            return await db.write("put", lambda tx: tx.run(PUT, id=n, name=next(WORDS)))

        async def read(n: int, db: sqlite.SqliteDatabase = db) -> object:
            return await db.read(lambda tx: tx.value(PROBE, id=n))

        async def read_now(n: int, db: sqlite.SqliteDatabase = db) -> object:
            return await db.read_now(lambda tx: tx.value(PROBE, id=n))

        async def nine(n: int, db: sqlite.SqliteDatabase = db) -> int:
            async def unit(tx: Tx) -> int:
                return sum([await tx.run(PUT, id=n + k, name=next(WORDS)) for k in range(9)])

            return await db.write("put nine", unit)

        print(f"synchronous = {'FULL' if durable else 'OFF'}")
        rounds = 500 if durable else 4000
        print(f"  write      alone    {await alone(write, rounds=rounds):7.1f}")
        print(f"  write      together {await together(write, rounds=10_000):7.1f}")
        print(f"  nine puts  together {await together(nine, rounds=5_000):7.1f}")
        if not durable:
            print(f"  read       alone    {await alone(read, rounds=5_000):7.1f}")
            print(f"  read       together {await together(read, rounds=20_000):7.1f}")
            print(f"  read now            {await alone(read_now, rounds=20_000):7.1f}")
        await db.close()
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        print(f"  bare write, a commit each {bare(connection, PUT, rounds=rounds, commit=True):7.1f}")
        print(f"  bare write, one commit    {bare(connection, PUT, rounds=20_000, commit=False):7.1f}")
        print(f"  bare read                 {bare(connection, PROBE, rounds=20_000, commit=False):7.1f}")
        connection.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as place:
        asyncio.run(main(Path(place)))
