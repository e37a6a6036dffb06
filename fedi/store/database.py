"""The thin door to the database: one SQL text, two engines, work in units.

**Units.** Work reaches the database as a coroutine function that takes a :class:`Tx`::

    async def accept(tx: Tx) -> bool:
        return await tx.run(MARK_ACCEPTED, id=follow_id) == 1

    accepted = await db.write("accept a follow", accept)
    account = await db.read(lambda tx: accounts.find_account(tx, account_id))

A unit awaits its ``Tx`` (and coroutines that do) and nothing else: any other await raises
:class:`fedi.errors.NetworkInTransaction`. It may run again from its start (PostgreSQL repeats it after a deadlock), so
it changes nothing outside the database; wake-ups and publishing go into ``tx.after_commit``. A unit whose statement
failed is rolled back even if it caught the error: PostgreSQL could not go on, so SQLite does not either. Prefer
``ON CONFLICT`` to catching; :class:`UniqueViolation` may be caught *around* ``db.write``.

**Statements.** Parameters are named (``:id``) and passed as keywords. Rows are plain tuples, in the order of the
columns; ``all_as`` and ``one_as`` hand the columns to a maker by position::

    class Follower(NamedTuple):
        id: int
        account_id: int

    await tx.all_as(Follower, "SELECT id, account_id FROM follow WHERE target_id = :target", target=7)

**Portable SQL.** What to remember, since every statement runs on both engines:

- Column types are INTEGER (64 bits), TEXT, BLOB, REAL. Booleans are INTEGER 0/1 (``True`` may be passed for 1, and is
  compared as ``locked = 1``), JSON is TEXT, instants are INTEGER milliseconds.
- Lists: ``id IN INTS(:ids)`` and ``uri IN TEXTS(:uris)`` (also ``NOT IN``) take a Python list, tuple or set.
- PostgreSQL infers a parameter's type from its first use. Where there is nothing to infer from, say it:
  ``CAST(:before AS BIGINT) IS NULL OR id < :before``; ``SELECT CAST(:name AS TEXT)``. Always BIGINT, never INTEGER.
- ``ON CONFLICT (…) DO …``, ``RETURNING`` and CTEs work on both. No ``INSERT OR``, no ``rowid``, no ``IFNULL``
  (``COALESCE``), no ``MAX(a, b)`` of two values (``CASE``), no ``X'00'``, no ``json_extract``.
- ``LIKE`` ignores the case of ASCII letters on SQLite only, and ``LOWER`` knows ASCII alone there: compare folded
  columns. Text sorts by its bytes (PostgreSQL: a database made with ``LOCALE 'C'``).
- Aliases of derived tables are required, and ``GROUP BY`` names every column that is not aggregated.
- Where engines must differ, write two constants and choose by ``tx.engine``.
- PostgreSQL stores no NUL character in TEXT: outside text loses them when it is parsed.
- Lock order is one everywhere: surfaces by name, then the log head.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

T = TypeVar("T")
Row: TypeAlias = tuple[Any, ...]
Engine: TypeAlias = Literal["sqlite", "postgres"]


class DatabaseFault(Exception):  # noqa: N818 - named like the other faults of fedi.errors
    """The database could not do what was asked; see the subclasses."""


class DatabaseBusy(DatabaseFault):
    """Another process holds this SQLite file. Talk to that process, or stop it first."""


class DatabaseUnreachable(DatabaseFault):
    """The database server does not answer, or does not let us in."""


class DatabaseTooNew(DatabaseFault):
    """The database was migrated by a later release, and that release says this code may not run on it."""


class DatabaseClosed(DatabaseFault):
    """A unit came after ``close()``."""


class CommitFailed(DatabaseFault):
    """The unit ran, but the commit that held it failed (disk full, I/O error): nothing of it is stored."""


class UniqueViolation(DatabaseFault):
    """A row with the same key is already there. The unit was rolled back."""


class Tx(Protocol):
    """What a unit may ask inside its transaction."""

    @property
    def engine(self) -> Engine: ...

    async def all(self, sql: str, /, **named: Any) -> list[Row]:
        """Every row."""
        ...

    async def all_as(self, make: Callable[..., T], sql: str, /, **named: Any) -> list[T]:
        """Every row, its columns handed to ``make`` by position."""
        ...

    async def one(self, sql: str, /, **named: Any) -> Row | None:
        """The first row, or None."""
        ...

    async def one_as(self, make: Callable[..., T], sql: str, /, **named: Any) -> T | None: ...

    async def value(self, sql: str, /, **named: Any) -> Any:
        """The first column of the first row; None without rows."""
        ...

    async def run(self, sql: str, /, **named: Any) -> int:
        """The number of rows inserted, changed or deleted."""
        ...

    async def many(self, sql: str, rows: Sequence[Mapping[str, Any]], /) -> None:
        """The same statement for each of ``rows``."""
        ...

    def after_commit(self, call: Callable[[], None]) -> None:
        """``call`` runs in the event loop after the commit that holds this unit, before its writer goes on.

        It does not run when the unit is rolled back. Refused in a read.
        """
        ...


Unit: TypeAlias = Callable[[Tx], Coroutine[Any, Any, T]]


class Database(Protocol):
    @property
    def engine(self) -> Engine: ...

    async def read(self, unit: Unit[T]) -> T:
        """One snapshot, which holds at least every commit awaited before the call."""
        ...

    async def read_now(self, unit: Unit[T]) -> T:
        """Like ``read``, but on SQLite it runs in the event loop itself, without a hop: for short, bounded reads."""
        ...

    def state_now(self) -> int | None:
        """A number that is another one after every commit, whoever made it; None where asking would cost a hop."""
        ...

    async def write(self, why: str, unit: Unit[T]) -> T:
        """A savepoint of its own; returns after the commit that holds it.

        Units that wait together share one commit. When the caller is cancelled the unit still runs to its end.
        """
        ...

    async def close(self) -> None:
        """Waits for the units that were handed in, then lets go of the database."""
        ...
