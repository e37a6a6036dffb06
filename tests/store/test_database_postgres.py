"""What only PostgreSQL does: repeat a unit after a deadlock, read from a pool."""

import asyncio

import asyncpg
import pytest

from fedi.store.postgres import TRIES, open_postgres


@pytest.fixture
async def db(postgres):
    url = postgres.fresh(migrated=False)
    database = await open_postgres(url, connections=4)

    async def create(tx):
        await tx.run("CREATE TABLE thing (id BIGINT PRIMARY KEY, hits BIGINT NOT NULL DEFAULT 0)")
        await tx.run("INSERT INTO thing (id) VALUES (1), (2)")

    await database.write("create", create)
    yield database
    await database.close()
    postgres.drop(url)


HIT = "UPDATE thing SET hits = hits + 1 WHERE id = :id"


async def test_a_unit_that_met_a_deadlock_runs_again_and_tells_once(db):
    met, told, runs = asyncio.Event(), [], []

    def crossing(first, second):
        async def unit(tx):
            runs.append(first)
            tx.after_commit(lambda: told.append(first))
            await tx.run(HIT, id=first)
            if len(runs) == 2:
                met.set()
            while not met.is_set():  # both hold their first row before either asks for its second
                await tx.value("SELECT 1")
            await tx.run(HIT, id=second)

        return unit

    await db.write("set up", lambda tx: tx.run("SET deadlock_timeout = '50ms'"))
    await asyncio.gather(db.write("there", crossing(1, 2)), db.write("back", crossing(2, 1)))
    assert await db.read(lambda tx: tx.all("SELECT hits FROM thing")) == [(2,), (2,)]
    assert len(runs) == 3
    assert sorted(told) == [1, 2]


async def test_a_unit_that_always_fails_so_is_given_up(db):
    runs = []

    async def unit(tx):
        runs.append(await tx.run(HIT, id=1))
        await tx.run("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40001'; END $$")

    with pytest.raises(asyncpg.SerializationError):
        await db.write("hopeless", unit)
    assert runs == [1] * TRIES
    assert await db.read(lambda tx: tx.value("SELECT SUM(hits) FROM thing")) == 0


async def test_more_units_than_connections_wait_for_their_turn(db):
    await asyncio.gather(*[db.write("hit", lambda tx: tx.run(HIT, id=1)) for _ in range(30)])
    assert await db.read(lambda tx: tx.value("SELECT hits FROM thing WHERE id = 1")) == 30


async def test_numbers_come_back_as_python_knows_them(db):
    sums = await db.read(lambda tx: tx.one("SELECT SUM(id), AVG(id), CAST(SUM(id) AS BIGINT) FROM thing"))
    assert sums == (3, 1.5, 3)
    assert [type(value) for value in sums] == [int, float, int]
