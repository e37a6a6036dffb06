"""PostgreSQL: a pool of connections; each unit is a transaction of its own, on one of them.

Writes run READ COMMITTED and are repeated from their start after a deadlock; reads are one REPEATABLE READ snapshot.
The unit's coroutine is stepped here, so that an await of anything but its transaction is caught, as on SQLite.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from decimal import Decimal
from types import coroutine
from typing import Any, Final, Literal, TypeVar

import asyncpg

from fedi.errors import NetworkInTransaction
from fedi.guard import inside_unit, refuse_network
from fedi.store.database import DatabaseClosed, DatabaseUnreachable, Row, Tx, UniqueViolation, Unit
from fedi.store.dialect import for_postgres

T = TypeVar("T")

TRIES: Final = 5
SETTINGS: Final = {
    "application_name": "fedi",
    "jit": "off",  # our statements are short; compiling them costs more than running them
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}
_TRY_AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class PostgresTx:
    __slots__ = ("_connection", "after", "asking", "failed")
    engine: Literal["postgres"] = "postgres"

    def __init__(self, connection: Any, *, writes: bool) -> None:
        self._connection = connection
        self.after: list[Callable[[], None]] | None = [] if writes else None
        self.asking = False  # an await that reaches the driver meanwhile is ours
        self.failed: BaseException | None = None

    async def _ask(self, method: str, *args: Any) -> Any:
        self.asking = True
        try:
            return await getattr(self._connection, method)(*args)
        except asyncpg.UniqueViolationError as fault:
            self.failed = UniqueViolation(str(fault))
            raise self.failed from fault
        except Exception as fault:
            self.failed = fault
            raise
        finally:
            self.asking = False

    async def all(self, sql: str, /, **named: Any) -> list[Row]:
        return [tuple(record) for record in await self._ask("fetch", *_bound(sql, named))]

    async def all_as(self, make: Callable[..., T], sql: str, /, **named: Any) -> list[T]:
        return [make(*record) for record in await self._ask("fetch", *_bound(sql, named))]

    async def one(self, sql: str, /, **named: Any) -> Row | None:
        record = await self._ask("fetchrow", *_bound(sql, named))
        return None if record is None else tuple(record)

    async def one_as(self, make: Callable[..., T], sql: str, /, **named: Any) -> T | None:
        record = await self._ask("fetchrow", *_bound(sql, named))
        return None if record is None else make(*record)

    async def value(self, sql: str, /, **named: Any) -> Any:
        record = await self._ask("fetchrow", *_bound(sql, named))
        return None if record is None else record[0]

    async def run(self, sql: str, /, **named: Any) -> int:
        told = (await self._ask("execute", *_bound(sql, named))).split(" ")  # "UPDATE 3", "INSERT 0 1", "SET"
        return int(told[-1]) if told[0] in {"INSERT", "UPDATE", "DELETE"} else 0

    async def many(self, sql: str, rows: Sequence[Mapping[str, Any]], /) -> None:
        if rows:
            text = for_postgres(sql).text
            await self._ask("executemany", text, [_bound(sql, row)[1:] for row in rows])

    def after_commit(self, call: Callable[[], None]) -> None:
        if self.after is None:
            raise TypeError("a read has no commit to wait for")
        self.after.append(call)


def _bound(sql: str, named: Mapping[str, Any]) -> list[Any]:
    """The statement's text and its arguments, in order."""
    statement = for_postgres(sql)
    bound: list[Any] = [statement.text]
    for name in statement.names:
        value = named[name]
        if value is True or value is False:
            value = int(value)
        elif name in statement.lists:
            value = list(value)
        bound.append(value)
    return bound


@coroutine
def drive(unit: Coroutine[Any, Any, T], tx: PostgresTx) -> Generator[Any, Any, T]:
    """Steps ``unit``, and lets it wait for its transaction alone."""
    foreign: NetworkInTransaction | None = None
    step: Callable[[Any], Any] = unit.send
    argument: Any = None
    try:
        while True:
            signal = step(argument)
            if tx.asking:
                try:
                    step, argument = unit.send, (yield signal)
                except BaseException as fault:  # noqa: BLE001 - cancellation, which the statement must see
                    step, argument = unit.throw, fault
            elif foreign is None:
                foreign = NetworkInTransaction("a unit awaited something other than its transaction")
                step, argument = unit.throw, foreign
            else:  # it caught the first and waits again
                raise foreign
    except StopIteration as end:
        if foreign is not None:
            raise foreign from None
        return end.value  # type: ignore[no-any-return]
    finally:
        unit.close()


class PostgresDatabase:
    engine: Literal["postgres"] = "postgres"

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._units: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def read(self, unit: Unit[T]) -> T:
        self._refuse()
        return await self._hand_in(self._read(unit))

    async def read_now(self, unit: Unit[T]) -> T:
        return await self.read(unit)

    def state_now(self) -> None:
        return None

    async def write(self, why: str, unit: Unit[T]) -> T:
        self._refuse()
        return await self._hand_in(self._write(why, unit))

    async def close(self) -> None:
        self._closed = True
        if self._units:
            await asyncio.wait(self._units)
        await self._pool.close()

    async def _hand_in(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs ``work`` to its end even when the caller is cancelled: what was begun is either stored or rolled back."""
        task = asyncio.create_task(work)
        self._units.add(task)
        task.add_done_callback(self._units.discard)
        return await asyncio.shield(task)

    def _refuse(self) -> None:
        refuse_network()  # a unit within a unit would wait for itself
        if self._closed:
            raise DatabaseClosed

    async def _read(self, unit: Unit[T]) -> T:
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return await _run_unit("read", unit, PostgresTx(connection, writes=False))

    async def _write(self, why: str, unit: Unit[T]) -> T:
        for left in reversed(range(TRIES)):
            try:
                async with self._pool.acquire() as connection:
                    tx = PostgresTx(connection, writes=True)
                    async with connection.transaction():
                        result = await _run_unit(why, unit, tx)
            except _TRY_AGAIN:
                if not left:
                    raise
            else:
                for call in tx.after or ():
                    asyncio.get_running_loop().call_soon(call)
                return result
        raise AssertionError("unreachable")


async def _run_unit(why: str, unit: Unit[T], tx: PostgresTx) -> T:
    with inside_unit(why):
        result = await drive(unit(tx), tx)
    if tx.failed is not None:  # caught inside the unit; PostgreSQL would turn the COMMIT into a silent ROLLBACK
        raise tx.failed
    return result


async def open_postgres(url: str, *, connections: int = 10) -> PostgresDatabase:
    """Raises :class:`DatabaseUnreachable` when the server does not answer, or does not let us in."""
    try:
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=connections,
            statement_cache_size=1000,
            max_cached_statement_lifetime=0,
            server_settings=SETTINGS,
            init=_prepare,
            reset=_keep,
        )
    except (OSError, TimeoutError, asyncpg.PostgresError) as fault:
        raise DatabaseUnreachable(str(fault)) from fault
    return PostgresDatabase(pool)


async def _prepare(connection: Any) -> None:
    # SUM(BIGINT) is a NUMERIC there and an INTEGER on SQLite.
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=_number, format="text")


async def _keep(_connection: Any) -> None:
    """Units leave no state behind on a connection, so the round trip that would reset it is saved."""


def _number(text: str) -> int | float:
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else float(number)


_: type[Tx] = PostgresTx
