"""What only SQLite does: shared commits, one process, our way of using aiosqlite."""

import asyncio
import inspect
import queue
import sqlite3
import subprocess
import sys
import threading

import aiosqlite
import pytest

from fedi.store import sqlite
from fedi.store.database import CommitFailed, DatabaseBusy
from fedi.store.opening import open_database


@pytest.fixture
async def db(tmp_path):
    database = await sqlite.open_sqlite(tmp_path / "fedi.db", durable=False)

    async def create(tx):
        await tx.run("CREATE TABLE thing (id INTEGER PRIMARY KEY)")
        await tx.run("CREATE TABLE child (id INTEGER REFERENCES thing (id) DEFERRABLE INITIALLY DEFERRED)")
        await tx.run("CREATE TABLE disk (id INTEGER)")
        await tx.run("CREATE TRIGGER full BEFORE INSERT ON disk BEGIN SELECT RAISE(ROLLBACK, 'full'); END")

    await database.write("create", create)
    yield database
    await database.close()


def put(number):
    return lambda tx: tx.run("INSERT INTO thing (id) VALUES (:id)", id=number)


async def fill_the_disk(tx):
    """As a full disk does, this ends the whole transaction, whatever savepoints there are."""
    await tx.run("INSERT INTO disk VALUES (1)")


async def listed(db):
    return [n for (n,) in await db.read(lambda tx: tx.all("SELECT id FROM thing ORDER BY id"))]


async def at_once(db, *units):
    """Hands in ``units`` while the writer's thread is held up, so that they wait together."""
    gate = threading.Event()
    db._writer.hand(gate.wait)
    tasks = [asyncio.create_task(db.write("at once", unit)) for unit in units]
    await asyncio.sleep(0)
    gate.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


def traced(thread):
    """The statements that run on ``thread`` from now on."""
    seen = []
    thread.hand(lambda: thread.raw.set_trace_callback(lambda sql: seen.append(sql.split(" (")[0])))
    return seen


async def test_units_that_wait_together_share_one_commit_each_in_its_savepoint(db):
    seen = traced(db._writer)
    assert await at_once(db, put(1), put(2), put(3)) == [1, 1, 1]
    insert = "INSERT INTO thing"
    expected = ["BEGIN IMMEDIATE", insert]
    expected += ["SAVEPOINT unit", insert, "RELEASE unit"] * 2
    assert seen == [*expected, "COMMIT"]


async def test_a_batch_is_bounded(db):
    seen = traced(db._writer)
    await at_once(db, *[put(n) for n in range(1000, 1000 + 2 * sqlite.WRITES_PER_COMMIT + 1)])
    assert seen.count("COMMIT") == 3


async def test_when_the_first_of_a_batch_fails_the_others_are_kept(db):
    await db.write("there", put(1))
    answers = await at_once(db, put(1), put(2), put(1), put(3))
    assert [type(answer).__name__ for answer in answers] == ["UniqueViolation", "int", "UniqueViolation", "int"]
    assert await listed(db) == [1, 2, 3]


async def test_a_failed_commit_is_told_to_everyone_in_it(db):
    told = []

    async def orphan(tx):
        tx.after_commit(lambda: told.append("orphan"))
        await tx.run("INSERT INTO child (id) VALUES (99)")

    answers = await at_once(db, put(1), orphan, put(2))
    assert [type(answer) for answer in answers] == [CommitFailed] * 3
    assert told == []
    assert await listed(db) == []
    assert await db.write("goes on", put(3)) == 1


async def test_a_transaction_that_sqlite_gives_up_is_told_to_everyone_in_it(db):
    answers = await at_once(db, put(1), put(2), fill_the_disk, put(4))
    assert [type(answer) for answer in answers] == [CommitFailed, CommitFailed, sqlite3.IntegrityError, int]
    assert await listed(db) == [4]
    (answer,) = await at_once(db, fill_the_disk)
    assert isinstance(answer, sqlite3.IntegrityError)
    assert await db.write("goes on", put(5)) == 1


async def test_reads_that_wait_together_share_a_snapshot(db):
    seen = traced(db._reader)
    gate = threading.Event()
    db._reader.hand(gate.wait)
    tasks = [asyncio.create_task(listed(db)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*tasks)
    assert seen == ["BEGIN", *["SELECT id FROM thing ORDER BY id"] * 3, "ROLLBACK"]


async def test_no_read_keeps_a_snapshot_open(db):
    """A cursor that was not read to its end would hold the WAL back and show old rows to later units."""
    await at_once(db, *[put(n) for n in range(100, 200)])
    for read in (db.read, db.read_now):
        await read(lambda tx: tx.one("SELECT id FROM thing"))
        await read(lambda tx: tx.value("SELECT id FROM thing"))
    busy, _, _ = await db._writer._execute(lambda: db._writer.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
    assert busy == 0


async def test_a_unit_runs_on_the_threads_own_connection_and_a_read_now_in_the_loop(db):
    async def where(tx):
        return threading.current_thread()

    writer, reader = await db.write("where", where), await db.read(where)
    assert (writer, reader) == (db._writer._thread, db._reader._thread)
    assert await db.read_now(where) is threading.current_thread()


async def test_the_connections_are_set_as_the_operators_were_promised(tmp_path):
    db = await sqlite.open_sqlite(tmp_path / "durable.db")

    async def settings(tx):
        names = ("journal_mode", "synchronous", "query_only", "wal_autocheckpoint", "mmap_size", "foreign_keys")
        return [await tx.value(f"PRAGMA {name}") for name in names]

    assert await db.write("settings", settings) == ["wal", 2, 0, 4000, 0, 1]
    assert await db.read(settings) == ["wal", 2, 1, 0, 0, 1]
    assert await db.read_now(settings) == ["wal", 2, 1, 0, 0, 1]
    await db.close()


# One process


async def test_a_second_opener_is_refused_until_the_first_closes(tmp_path, db):
    with pytest.raises(DatabaseBusy, match="in use"):
        await open_database(tmp_path / "fedi.db")
    await db.close()
    again = await open_database(tmp_path / "fedi.db")
    await again.close()


async def test_another_process_is_refused(tmp_path, db):
    program = (
        "import asyncio, sys\n"
        "from fedi.store.database import DatabaseBusy\nfrom fedi.store.opening import open_database\n"
        "try: asyncio.run(open_database(sys.argv[1]))\n"
        "except DatabaseBusy: print('busy')\n"
    )
    answer = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, tmp_path / "fedi.db"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (answer.stdout, answer.stderr) == ("busy\n", "")


async def test_a_file_that_is_no_database_is_let_go_again(tmp_path):
    path = tmp_path / "letter.db"
    path.write_bytes(b"Dear reader, this is not a database. " * 100)
    for _ in range(2):  # the second time would be DatabaseBusy if the lock had stayed
        with pytest.raises(sqlite3.DatabaseError, match="not a database"):
            await open_database(path)


async def test_only_the_owner_may_read_the_file(tmp_path, db):
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fedi.db", "fedi.db-shm", "fedi.db-wal", "fedi.db.lock"]


async def test_closing_folds_the_wal_into_the_file(tmp_path):
    path = tmp_path / "one.db"
    await (await open_database(path)).close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.db", "one.db.lock"]


# The library


async def test_aiosqlite_still_has_the_inside_we_build_on(db):
    """If this fails, read ``fedi.store.sqlite.Thread`` again before raising the bound in pyproject.toml."""
    assert [*inspect.signature(aiosqlite.Connection.__init__).parameters] == [
        "self",
        "connector",
        "iter_chunk_size",
        "loop",
    ]
    assert isinstance(db._writer._tx, queue.SimpleQueue)
    assert isinstance(db._writer._thread, threading.Thread)
    assert db._writer._thread.daemon
    assert db._writer.raw is db._writer._connection
    done: asyncio.Queue[list[str]] = asyncio.Queue()
    loop, order = asyncio.get_running_loop(), []

    def fails():
        order.append("fails")
        raise ValueError("the thread goes on")

    db._writer.hand(lambda: order.append("first"))
    db._writer.hand(fails)
    db._writer.hand(lambda: loop.call_soon_threadsafe(done.put_nowait, order))
    assert await asyncio.wait_for(done.get(), 10) == ["first", "fails"]
