"""SQLite: one connection writes and checkpoints, one reads, one answers short reads inside the event loop.

A unit is driven to its end on its connection's own thread, so it costs one hop however many statements it has. Units
that wait together share a commit, each in a savepoint of its own.

Why one writer only: releases 3.7.0 to 3.51.2 can corrupt a file when two connections write and checkpoint at the same
instant; and a second writing process stalls the first for seconds. Hence also the lock beside the file, and no mmap.
"""

import asyncio
import fcntl
import json
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import aiosqlite

from fedi.errors import NetworkInTransaction
from fedi.guard import inside_unit, refuse_network
from fedi.store.database import CommitFailed, DatabaseBusy, DatabaseClosed, Row, Tx, UniqueViolation, Unit
from fedi.store.dialect import for_sqlite

T = TypeVar("T")

WRITES_PER_COMMIT: Final = 64  # bounds how long the first of a batch waits for its commit
READS_PER_SNAPSHOT: Final = 16
PAGE_CACHE_KIB: Final = 24 * 1024
BUSY_TIMEOUT_S: Final = 5.0
WAL_KEPT_BYTES: Final = 64 * 1024 * 1024
WAL_PAGES: Final = 4000  # then they go back into the file; fewer would be written more often than they change

_UNIQUE = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID}


class SqliteTx:
    """The awaits of this class never suspend: each statement runs where it is asked."""

    __slots__ = ("_after", "_connection", "failed")
    engine: Literal["sqlite"] = "sqlite"

    def __init__(self, connection: sqlite3.Connection, after: list[Callable[[], None]] | None) -> None:
        self._connection = connection
        self._after = after
        self.failed: BaseException | None = None

    def _execute(self, sql: str, named: dict[str, Any]) -> sqlite3.Cursor:
        # A cursor of its own for each statement: when it goes, the statement is reset and its snapshot let go.
        statement = for_sqlite(sql)
        for name in statement.lists:
            named[name] = json.dumps(list(named[name]))
        return self._guarded(self._connection.execute, statement.text, [named[name] for name in statement.names])

    def _guarded(self, run: Callable[[str, Any], sqlite3.Cursor], text: str, values: object) -> sqlite3.Cursor:
        try:
            return run(text, values)
        except sqlite3.Error as fault:
            self.failed = fault
            if getattr(fault, "sqlite_errorcode", None) in _UNIQUE:
                self.failed = UniqueViolation(str(fault))
                raise self.failed from fault
            raise

    async def all(self, sql: str, /, **named: Any) -> list[Row]:
        return self._execute(sql, named).fetchall()

    async def all_as(self, make: Callable[..., T], sql: str, /, **named: Any) -> list[T]:
        return [make(*row) for row in self._execute(sql, named).fetchall()]

    async def one(self, sql: str, /, **named: Any) -> Row | None:
        row: Row | None = self._execute(sql, named).fetchone()
        return row

    async def one_as(self, make: Callable[..., T], sql: str, /, **named: Any) -> T | None:
        row = self._execute(sql, named).fetchone()
        return None if row is None else make(*row)

    async def value(self, sql: str, /, **named: Any) -> Any:
        row = self._execute(sql, named).fetchone()
        return None if row is None else row[0]

    async def run(self, sql: str, /, **named: Any) -> int:
        count = self._execute(sql, named).rowcount
        if count < 0 and for_sqlite(sql).counts_late:
            count = self._connection.execute("SELECT changes()").fetchone()[0]
        return max(count, 0)

    async def many(self, sql: str, rows: Sequence[Mapping[str, Any]], /) -> None:
        statement = for_sqlite(sql)
        if statement.lists:
            for row in rows:
                self._execute(sql, dict(row))
        else:
            values = [[row[name] for name in statement.names] for row in rows]
            self._guarded(self._connection.executemany, statement.text, values)

    def after_commit(self, call: Callable[[], None]) -> None:
        if self._after is None:
            raise TypeError("a read has no commit to wait for")
        self._after.append(call)


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that never suspends; one that does is stopped with :class:`NetworkInTransaction`."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    except RuntimeError as fault:
        if fault.args == ("no running event loop",):  # asyncio.sleep, timeout or create_task, on our thread
            raise NetworkInTransaction("a unit used the event loop") from fault
        raise
    foreign = NetworkInTransaction("a unit awaited something other than its transaction")
    try:
        coroutine.throw(foreign)  # thrown in, so that the traceback names the line that awaited
    except StopIteration:
        pass
    finally:
        coroutine.close()
    raise foreign


class Thread(aiosqlite.Connection):
    """aiosqlite's connection and thread, which we hand whole units instead of single statements.

    This class is all that knows its inside (``_tx``, ``_thread``, ``_conn``); ``test_database_sqlite.py`` pins it.
    """

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, 64)
        self._thread.daemon = True  # a database left open by a crash at start must not keep the process alive

    async def open(self) -> None:
        try:
            await self
        except BaseException:
            self._thread.join()  # it is on its way out; once the loop has closed it would fail noisily
            raise

    def hand(self, job: Callable[[], None]) -> None:
        """``job`` runs on the thread, after those handed before it. Nobody waits for it, and it must not raise."""
        self._tx.put_nowait((None, job))

    @property
    def raw(self) -> sqlite3.Connection:
        return self._conn


class _Waiting:
    """A unit on its way through a thread, and who waits for it."""

    __slots__ = ("after", "context", "fault", "future", "result", "unit", "why")

    def __init__(self, why: str, unit: Unit[Any], future: asyncio.Future[Any]) -> None:
        self.why = why
        self.unit = unit
        self.future = future
        self.context: Context = copy_context()
        self.after: list[Callable[[], None]] = []
        self.result: Any = None
        self.fault: BaseException | None = None

    def run(self, connection: sqlite3.Connection, *, writes: bool) -> None:
        tx = SqliteTx(connection, self.after if writes else None)
        self.result = self.context.run(_run_unit, self.why, self.unit, tx)


def _run_unit(why: str, unit: Unit[T], tx: SqliteTx) -> T:
    with inside_unit(why):
        result = drive(unit(tx))
    if tx.failed is not None:  # caught inside the unit
        raise tx.failed
    return result


class SqliteDatabase:
    engine: Literal["sqlite"] = "sqlite"

    def __init__(self, *, writer: Thread, reader: Thread, inline: sqlite3.Connection, lock: int) -> None:
        self._writer = writer
        self._reader = reader
        self._inline = inline
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._writes: deque[_Waiting] = deque()
        self._reads: deque[_Waiting] = deque()
        self._closed = False

    async def read(self, unit: Unit[T]) -> T:
        return await self._hand_in("read", unit, self._reads, self._reader, self._read_batch)

    async def write(self, why: str, unit: Unit[T]) -> T:
        return await self._hand_in(why, unit, self._writes, self._writer, self._write_batch)

    async def read_now(self, unit: Unit[T]) -> T:
        refuse_network()
        if self._closed:
            raise DatabaseClosed
        connection = self._inline
        connection.execute("BEGIN")
        try:
            return _run_unit("read now", unit, SqliteTx(connection, None))
        finally:
            connection.execute("ROLLBACK")

    def state_now(self) -> int:
        if self._closed:
            raise DatabaseClosed
        # Rises with the commits of every other connection; this one makes none.
        found: int = self._inline.execute("PRAGMA data_version").fetchone()[0]
        return found

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        # The writer goes last: the last connection to close folds the WAL back into the file.
        self._inline.close()
        await self._reader.close()
        await self._writer.close()
        os.close(self._lock)

    async def _hand_in(
        self, why: str, unit: Unit[T], queue: deque[_Waiting], thread: Thread, batch: Callable[[], None]
    ) -> T:
        refuse_network()  # a unit within a unit would wait for itself
        if self._closed:
            raise DatabaseClosed
        future: asyncio.Future[T] = self._loop.create_future()
        queue.append(_Waiting(why, unit, future))
        thread.hand(batch)  # once for each unit: a batch that finds its unit already done returns at once
        return await future

    def _write_batch(self) -> None:
        """On the writer's thread: runs the units that wait, and those that arrive meanwhile, in one commit."""
        waiting = self._writes
        if not waiting:
            return
        connection = self._writer.raw
        done: list[_Waiting] = []
        kept: list[_Waiting] = []  # inside the open transaction
        try:
            while waiting and len(done) < WRITES_PER_COMMIT:
                waiter = waiting.popleft()
                done.append(waiter)
                _write_one(connection, waiter, kept)
            if kept:
                connection.execute("COMMIT")
        except BaseException as fault:  # noqa: BLE001 - nobody else can tell those who wait
            _fail(done, fault)
            if connection.in_transaction:
                connection.rollback()
        finally:
            self._loop.call_soon_threadsafe(self._deliver, done)

    def _read_batch(self) -> None:
        """On the reader's thread: the units that wait now share a snapshot; later ones must see later commits."""
        waiting = self._reads
        done = [waiting.popleft() for _ in range(min(len(waiting), READS_PER_SNAPSHOT))]
        if not done:
            return
        connection = self._reader.raw
        try:
            connection.execute("BEGIN")
            for waiter in done:
                try:
                    waiter.run(connection, writes=False)
                except BaseException as fault:  # noqa: BLE001 - it is raised where the unit was awaited
                    waiter.fault = fault
            connection.execute("ROLLBACK")
        except sqlite3.Error as fault:
            _fail(done, fault)
        finally:
            self._loop.call_soon_threadsafe(self._deliver, done)

    def _deliver(self, done: list[_Waiting]) -> None:
        for waiter in done:
            if waiter.fault is None:
                for call in waiter.after:
                    self._loop.call_soon(call, context=waiter.context)
            if waiter.future.done():  # its caller was cancelled
                continue
            if waiter.fault is None:
                waiter.future.set_result(waiter.result)
            else:
                waiter.future.set_exception(waiter.fault)


def _fail(done: list[_Waiting], fault: BaseException) -> None:
    """Their transaction came to nothing: those that had not failed on their own hear of it."""
    for waiter in done:
        if waiter.fault is None:
            waiter.fault = CommitFailed(str(fault))
            waiter.fault.__cause__ = fault


def _write_one(connection: sqlite3.Connection, waiter: _Waiting, kept: list[_Waiting]) -> None:
    """Runs one unit. Nothing lies before the first of a transaction, so it needs no savepoint."""
    connection.execute("SAVEPOINT unit" if kept else "BEGIN IMMEDIATE")
    try:
        waiter.run(connection, writes=True)
    except BaseException as fault:  # raised again where the unit was awaited
        waiter.fault = fault
        if not connection.in_transaction and kept:
            raise  # SQLite gave up the whole transaction (disk full, I/O error): all who shared it must hear
        if kept:
            connection.execute("ROLLBACK TO unit")
            connection.execute("RELEASE unit")
        elif connection.in_transaction:
            connection.execute("ROLLBACK")
        return
    if kept:
        connection.execute("RELEASE unit")
    kept.append(waiter)


async def open_sqlite(path: Path, *, durable: bool = True) -> SqliteDatabase:
    """Opens or creates the file. Raises :class:`DatabaseBusy` when another process holds it."""
    lock = _lock_beside(path)
    opened: list[Thread] = []
    try:
        # Nobody else may read a new file; SQLite gives its permissions to the WAL too.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        writer = Thread(lambda: _connect(path, durable=durable))
        await writer.open()
        opened.append(writer)
        reader = Thread(lambda: _connect_reader(path))
        await reader.open()
        opened.append(reader)
        return SqliteDatabase(writer=writer, reader=reader, inline=_connect_reader(path), lock=lock)
    except BaseException:
        for thread in reversed(opened):
            await thread.close()
        os.close(lock)
        raise


def _lock_beside(path: Path) -> int:
    """The lock is the kernel's and ends with the process; the file that carries it stays."""
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise DatabaseBusy(f"{path} is in use by another process") from None
    return lock


def _connect(path: Path, *, durable: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, cached_statements=512)
    for pragma in (
        "journal_mode = WAL",
        f"synchronous = {'FULL' if durable else 'OFF'}",  # FULL, because a receipt is a promise
        f"cache_size = -{PAGE_CACHE_KIB}",
        f"journal_size_limit = {WAL_KEPT_BYTES}",
        f"wal_autocheckpoint = {WAL_PAGES}",
        "foreign_keys = ON",
        "mmap_size = 0",
        "temp_store = MEMORY",
        "trusted_schema = OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _connect_reader(path: Path) -> sqlite3.Connection:
    connection = _connect(path, durable=True)
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # only the writer checkpoints
    connection.execute("PRAGMA query_only = ON")
    return connection


_: type[Tx] = SqliteTx
