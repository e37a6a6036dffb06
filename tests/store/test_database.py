"""Units of work, the same on both engines."""

import asyncio
from contextvars import ContextVar
from typing import NamedTuple

import pytest

from fedi.errors import NetworkInTransaction
from fedi.guard import refuse_network
from fedi.store.database import DatabaseClosed, UniqueViolation
from fedi.store.opening import open_database

COUNT = "SELECT COUNT(*) FROM thing"
INSERT = "INSERT INTO thing (id, name) VALUES (:id, :name)"
RENAME = "UPDATE thing SET name = :name WHERE id = :id"


class Thing(NamedTuple):
    id: int
    name: str | None


class Crash(Exception):
    pass


@pytest.fixture
async def db(db):
    async def create(tx):
        await tx.run("CREATE TABLE thing (id BIGINT PRIMARY KEY, name TEXT)")

    await db.write("create", create)
    return db


def put(number, name=None):
    return lambda tx: tx.run(INSERT, id=number, name=name)


async def count(db):
    return await db.read(lambda tx: tx.value(COUNT))


# What a transaction answers


async def test_rows_come_as_tuples_or_as_what_the_caller_makes_of_them(db):
    async def unit(tx):
        await tx.many(INSERT, [{"id": n, "name": f"n{n}"} for n in (1, 2, 3)])
        listed = "SELECT id, name FROM thing WHERE id > :least ORDER BY id"
        return (
            await tx.all(listed, least=1),
            await tx.all_as(Thing, listed, least=2),
            await tx.one(listed, least=0),
            await tx.one(listed, least=9),
            await tx.one_as(Thing, listed, least=2),
            await tx.one_as(Thing, listed, least=9),
            await tx.value(listed, least=1),
            await tx.value(listed, least=9),
        )

    everything, made, first, none, one_made, none_made, value, no_value = await db.write("fill", unit)
    assert everything == [(2, "n2"), (3, "n3")]
    assert type(everything[0]) is tuple
    assert made == [Thing(3, "n3")]
    assert isinstance(made[0], Thing)
    assert first == (1, "n1")
    assert one_made == Thing(3, "n3")
    assert value == 2
    assert none is none_made is no_value is None


async def test_run_counts_the_rows_it_touched(db):
    async def unit(tx):
        await tx.many(INSERT, [{"id": n, "name": None} for n in range(5)])
        await tx.many(INSERT, [])
        return [
            await tx.run(INSERT, id=9, name="x"),
            await tx.run(INSERT + " ON CONFLICT (id) DO NOTHING", id=9, name="y"),
            await tx.run("UPDATE thing SET name = :name WHERE id < 3", name="z"),
            await tx.run("WITH low AS (SELECT 1 AS id) UPDATE thing SET name = 'w' WHERE id IN (SELECT id FROM low)"),
            await tx.run("-- why\nDELETE FROM thing WHERE id > :id", id=3),
            await tx.run("DELETE FROM thing WHERE id = 77"),
            await tx.run("CREATE TABLE other (id BIGINT)"),
        ]

    assert await db.write("count", unit) == [1, 0, 3, 1, 2, 0, 0]


async def test_lists_of_any_kind_and_length_are_one_parameter(db):
    async def unit(tx):
        await tx.many(INSERT, [{"id": n, "name": f"it's {n}"} for n in range(2000)])
        names = ["it's 7", "é\u2028", 'a"b', "it's 1999"]
        return (
            await tx.value("SELECT COUNT(*) FROM thing WHERE id IN INTS(:ids)", ids=range(1500)),
            await tx.all("SELECT id FROM thing WHERE id IN INTS(:ids) ORDER BY id", ids={2**62, 5, 3}),
            await tx.value("SELECT COUNT(*) FROM thing WHERE id NOT IN INTS(:ids) AND id < :n", ids=(1, 2), n=10),
            await tx.all("SELECT id FROM thing WHERE name IN TEXTS(:names) ORDER BY id", names=names),
            await tx.all("SELECT id FROM thing WHERE id IN INTS(:none)", none=[]),
            await tx.value("SELECT COUNT(*) FROM thing WHERE name NOT IN TEXTS(:none)", none=[]),
        )

    assert await db.write("lists", unit) == (1500, [(3,), (5,)], 8, [(7,), (1999,)], [], 2000)


async def test_values_come_back_as_they_went_in(db):
    async def unit(tx):
        kind = "BLOB" if tx.engine == "sqlite" else "BYTEA"
        await tx.run(f"CREATE TABLE kept (flag BIGINT, number BIGINT, half DOUBLE PRECISION, word TEXT, raw {kind})")
        await tx.run(
            "INSERT INTO kept VALUES (:flag, :number, :half, :word, :raw)",
            flag=True, number=2**63 - 1, half=0.5, word="ڤ ' :no $1 ::text", raw=b"\x00\xff",
        )  # fmt: skip
        await tx.run("INSERT INTO kept VALUES (:flag, :flag, NULL, NULL, NULL)", flag=False)
        return (
            await tx.all("SELECT * FROM kept WHERE flag = :flag", flag=True),
            await tx.value("SELECT SUM(flag) FROM kept"),
            await tx.one("SELECT CAST(:word AS TEXT), ':word', '::x' /* :word */ -- :word", word="w"),
        )

    rows, total, literals = await db.write("values", unit)
    assert rows == [(1, 2**63 - 1, 0.5, "ڤ ' :no $1 ::text", b"\x00\xff")]
    assert (total, type(total)) == (1, int)
    assert literals == ("w", ":word", "::x")


async def test_a_generated_key_comes_back_and_is_never_used_again(db):
    insert = "INSERT INTO follow_request_probe (name) VALUES (:name) RETURNING id"

    async def create(tx):
        from fedi.store.dialect import schema_for_postgres, schema_for_sqlite

        schema = schema_for_sqlite if tx.engine == "sqlite" else schema_for_postgres
        await tx.run(schema("CREATE TABLE follow_request_probe (id SERIAL_KEY, name TEXT NOT NULL) STRICT"))

    async def fill(tx):
        first, second = await tx.value(insert, name="a"), await tx.value(insert, name="b")
        await tx.run("DELETE FROM follow_request_probe WHERE id = :id", id=second)
        return first, second, await tx.value(insert, name="c")

    await db.write("create", create)
    assert await db.write("fill", fill) == (1, 2, 3)


# Atomicity


async def test_a_unit_that_raises_leaves_nothing(db):
    async def unit(tx):
        await tx.run(INSERT, id=1, name="a")
        raise Crash

    with pytest.raises(Crash):
        await db.write("crash", unit)
    assert await count(db) == 0


async def test_units_that_share_a_commit_fail_alone(db):
    async def crash(tx, n):
        await tx.run(INSERT, id=n, name="lost")
        if n % 3 == 0:
            raise Crash

    units = [db.write("one of many", lambda tx, n=n: crash(tx, n)) for n in range(30)]
    answers = await asyncio.gather(*units, return_exceptions=True)
    assert [type(answer) is Crash for answer in answers] == [n % 3 == 0 for n in range(30)]
    kept = await db.read(lambda tx: tx.all("SELECT id FROM thing ORDER BY id"))
    assert [n for (n,) in kept] == [n for n in range(30) if n % 3]


async def test_a_broken_unique_key_has_one_name_on_both_engines(db):
    await db.write("first", put(1))
    answers = await asyncio.gather(*[db.write("again", put(n)) for n in (2, 1, 3)], return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, UniqueViolation, int]
    assert await count(db) == 3


async def test_a_unit_that_swallows_a_failed_statement_is_rolled_back_all_the_same(db):
    await db.write("first", put(1))

    async def unit(tx):
        await tx.run(INSERT, id=2, name="before")
        try:
            await tx.run(INSERT, id=1, name="again")
        except UniqueViolation:
            return "as if nothing had happened"

    with pytest.raises(UniqueViolation):
        await db.write("swallow", unit)
    assert await count(db) == 1


async def test_a_written_row_is_seen_by_every_read_after_it(db):
    for n in range(20):
        await db.write("put", put(n))
        assert await count(db) == n + 1
        assert await db.read_now(lambda tx: tx.value(COUNT)) == n + 1


async def test_two_units_that_increment_the_same_row_both_count(db):
    await db.write("start", put(1, "0"))

    async def increment(tx):
        await tx.run("UPDATE thing SET name = CAST(CAST(name AS BIGINT) + 1 AS TEXT) WHERE id = 1")

    await asyncio.gather(*[db.write("increment", increment) for _ in range(40)])
    assert await db.read(lambda tx: tx.value("SELECT name FROM thing WHERE id = 1")) == "40"


# After the commit


async def test_what_waits_for_the_commit_runs_after_it_and_before_the_writer_goes_on(db):
    told = []

    async def unit(tx):
        await tx.run(INSERT, id=1, name="a")
        tx.after_commit(lambda: told.append(asyncio.get_running_loop()))
        assert told == []

    await db.write("tell", unit)
    assert told == [asyncio.get_running_loop()]


async def test_what_waits_for_a_commit_that_never_comes_does_not_run(db):
    told = []

    async def unit(tx, n):
        tx.after_commit(lambda: told.append(n))
        await tx.run(INSERT, id=n, name="a")
        if n == 2:
            raise Crash

    await asyncio.gather(*[db.write("tell", lambda tx, n=n: unit(tx, n)) for n in (1, 2, 3)], return_exceptions=True)
    assert sorted(told) == [1, 3]


async def test_a_read_has_nothing_to_wait_for(db):
    async def unit(tx):
        tx.after_commit(lambda: None)

    for read in (db.read, db.read_now):
        with pytest.raises(TypeError, match="no commit"):
            await read(unit)


# Reads


async def test_reads_cannot_write(db):
    for read in (db.read, db.read_now):
        with pytest.raises(Exception, match=r"read-?only"):
            await read(put(1))
    assert await count(db) == 0
    assert await db.write("but writes can", put(1)) == 1


async def test_a_read_sees_one_moment_while_writers_go_on(db):
    """Each unit asks twice; a write between the two answers must not show."""
    await db.write("start", put(0))

    async def twice(tx):
        first = await tx.value(COUNT)
        for _ in range(50):
            await tx.value("SELECT COUNT(*) FROM thing WHERE id >= 0")
        return first, await tx.value(COUNT)

    reads = [db.read(twice) for _ in range(10)]
    writes = [db.write("put", put(n)) for n in range(1, 40)]
    answers = await asyncio.gather(*reads, *writes)
    assert all(first == second for first, second in answers[:10])
    assert await count(db) == 40


async def test_a_read_that_fails_leaves_the_connection_clean(db):
    async def crash(tx):
        await tx.value(COUNT)
        raise Crash

    for read in (db.read, db.read_now):
        with pytest.raises(Crash):
            await read(crash)
        await db.write("put", lambda tx: tx.run(INSERT + " ON CONFLICT (id) DO NOTHING", id=1, name=None))
        assert await read(lambda tx: tx.value(COUNT)) == 1


# Nothing but the transaction


async def sleeps(tx):
    await asyncio.sleep(60)


async def yields(tx):
    await asyncio.sleep(0)


async def waits_for_a_thread(tx):
    await asyncio.to_thread(int)


async def has_a_deadline(tx):
    async with asyncio.timeout(1):
        await asyncio.Event().wait()


async def is_stubborn(tx):
    for _ in range(3):
        try:
            await asyncio.sleep(0)
        except NetworkInTransaction:
            pass


async def uses_the_network(tx):
    refuse_network()


FOREIGN = [sleeps, yields, waits_for_a_thread, has_a_deadline, is_stubborn, uses_the_network]


@pytest.mark.parametrize("foreign", FOREIGN)
async def test_a_unit_that_awaits_anything_else_is_stopped_and_rolled_back(db, foreign):
    async def unit(tx):
        await tx.run(INSERT, id=1, name="a")
        await foreign(tx)

    with pytest.raises(NetworkInTransaction):
        await db.write("foreign", unit)
    for read in (db.read, db.read_now):
        with pytest.raises(NetworkInTransaction):
            await read(foreign)
    assert await count(db) == 0
    assert await db.write("still works", put(1)) == 1


async def test_a_unit_inside_a_unit_is_refused(db):
    async def outer(tx):
        await db.write("inner", put(2))

    async def outer_read(tx):
        await db.read_now(lambda tx: tx.value(COUNT))

    with pytest.raises(NetworkInTransaction):
        await db.write("outer", outer)
    with pytest.raises(NetworkInTransaction):
        await db.read(outer_read)
    assert await count(db) == 0


async def test_a_unit_sees_the_context_of_its_caller_and_the_caller_is_outside(db):
    word = ContextVar("word", default="none")
    word.set("spoken")

    async def unit(tx):
        with pytest.raises(NetworkInTransaction, match="named unit"):
            refuse_network()
        return word.get()

    assert await db.write("named unit", unit) == "spoken"
    refuse_network()


# Cancelled, closed, failing


async def test_a_unit_whose_caller_is_cancelled_still_runs_to_its_end(db):
    told = asyncio.Event()

    async def unit(tx):
        await tx.run(INSERT, id=1, name="a")
        await tx.run(RENAME, id=1, name="b")
        tx.after_commit(told.set)

    task = asyncio.create_task(db.write("cancelled", unit))
    await asyncio.sleep(0)  # it is handed in
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10):
        await told.wait()
    assert await db.read(lambda tx: tx.value("SELECT name FROM thing WHERE id = 1")) == "b"
    assert await db.write("next", put(2)) == 1


async def test_cancelling_many_at_once_breaks_neither_them_nor_their_neighbours(db):
    tasks = [asyncio.create_task(db.write("some", put(n))) for n in range(40)]
    reads = [asyncio.create_task(db.read(lambda tx: tx.value(COUNT))) for _ in range(10)]
    await asyncio.sleep(0)
    for task in [*tasks[::2], *reads[::2]]:
        task.cancel()
    await asyncio.gather(*tasks, *reads, return_exceptions=True)
    async with asyncio.timeout(10):
        while await count(db) < 40:
            await asyncio.sleep(0)


async def test_closing_waits_for_what_was_handed_in(database_url, db):
    tasks = [asyncio.create_task(db.write("last", put(n))) for n in range(20)]
    await asyncio.sleep(0)
    await db.close()
    assert await asyncio.gather(*tasks) == [1] * 20
    await db.close()  # twice is as good as once
    for ask in (db.read, db.read_now, lambda unit: db.write("late", unit)):
        with pytest.raises(DatabaseClosed):
            await ask(put(99))
    again = await open_database(database_url, migrated=False)
    assert await count(again) == 20
    await again.close()


async def test_a_missing_parameter_is_an_error(db):
    with pytest.raises(Exception, match="name"):
        await db.write("forgetful", lambda tx: tx.run(INSERT, id=1))
