"""Opening a database: the one place that knows both engines."""

from pathlib import Path

from fedi.store import migrate, sqlite
from fedi.store.database import Database


async def open_database(
    where: str | Path, *, migrated: bool = True, durable: bool = True, connections: int = 10
) -> Database:
    """Opens ``where`` (a ``postgresql://`` URL, or the path of a SQLite file) and applies the migrations it lacks.

    ``durable=False`` gives up ``synchronous=FULL`` on SQLite, for tests. ``connections`` bounds PostgreSQL's pool.
    Raises :class:`DatabaseBusy`, :class:`DatabaseUnreachable` and :class:`DatabaseTooNew` of
    :mod:`fedi.store.database`.
    """
    db: Database
    if str(where).startswith(("postgres://", "postgresql://")):
        from fedi.store import postgres  # noqa: PLC0415 - asyncpg is an extra

        db = await postgres.open_postgres(str(where), connections=connections)
    else:
        db = await sqlite.open_sqlite(Path(str(where).removeprefix("sqlite://")), durable=durable)
    if migrated:
        try:
            await migrate.migrate(db)
        except BaseException:
            await db.close()
            raise
    return db
