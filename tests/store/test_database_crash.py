"""What was acknowledged is on disk, also when the process is killed at that moment."""

import asyncio
import sys

from fedi.store.opening import open_database

WRITER = """
import asyncio, sys
from fedi.store.opening import open_database

async def main():
    db = await open_database(sys.argv[1], migrated=False)

    async def put(number):
        async def unit(tx):
            await tx.run("INSERT INTO kept (id) VALUES (:id)", id=number)
            await tx.run("INSERT INTO other (id) VALUES (:id)", id=number)
        await db.write("put", unit)
        print(number, flush=True)

    for start in range(0, 1_000_000, 8):
        await asyncio.gather(*map(put, range(start, start + 8)))

asyncio.run(main())
"""


async def test_a_killed_process_keeps_every_write_it_acknowledged_and_no_half_of_any(database_url):
    async def create(tx):
        await tx.run("CREATE TABLE kept (id BIGINT PRIMARY KEY)")
        await tx.run("CREATE TABLE other (id BIGINT PRIMARY KEY)")

    db = await open_database(database_url, migrated=False)
    await db.write("create", create)
    await db.close()

    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, database_url, stdout=asyncio.subprocess.PIPE
    )
    acknowledged = []
    async with asyncio.timeout(60):
        while len(acknowledged) < 100:
            acknowledged.append(int(await writer.stdout.readline()))
        writer.kill()
        rest = await writer.stdout.read()
        await writer.wait()
    acknowledged += [int(line) for line in rest.split(b"\n")[:-1]]

    db = await open_database(database_url, migrated=False)
    kept = await db.read(lambda tx: tx.all("SELECT id FROM kept ORDER BY id"))
    other = await db.read(lambda tx: tx.all("SELECT id FROM other ORDER BY id"))
    await db.close()
    assert {(number,) for number in acknowledged} <= set(kept)
    assert kept == other
