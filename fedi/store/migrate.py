"""Brings a database up to this code: numbered files, forward only, one transaction each.

``migrations/0007_poll_votes.sql`` is written once, in SQLite's words (``fedi.store.dialect`` says what becomes of them
on PostgreSQL); where the engines must differ there are two files, ``….sqlite.sql`` and ``….postgres.sql``, taken as
they are. A file that older code cannot run on says so in a line ``-- compat: 7``: the oldest schema whose code may still
use the database. Upgrades expand first and contract in a later release.
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from fedi.store.database import Database, DatabaseTooNew, Engine, Tx
from fedi.store.dialect import schema_for_postgres, schema_for_sqlite, split_statements

CREATE_INFO = """
    CREATE TABLE IF NOT EXISTS schema_info (
        id BIGINT PRIMARY KEY CHECK (id = 1),
        schema_version BIGINT NOT NULL,
        compat_version BIGINT NOT NULL
    )"""
START_INFO = """
    INSERT INTO schema_info (id, schema_version, compat_version) VALUES (1, 0, 0) ON CONFLICT (id) DO NOTHING"""
VERSIONS = "SELECT schema_version, compat_version FROM schema_info WHERE id = 1"
SET_VERSIONS = "UPDATE schema_info SET schema_version = :schema_version, compat_version = :compat_version WHERE id = 1"
# Several processes may start at once: the first migrates, the others wait, then find nothing to do.
LOCK_POSTGRES = "SELECT pg_advisory_xact_lock(7377235)"
NO_TIMEOUT_POSTGRES = "SET LOCAL statement_timeout = 0"

_NAME = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)(?:\.(?P<engine>sqlite|postgres))?\.sql")
_COMPAT = re.compile(r"^--\s*compat:\s*(\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    number: int
    name: str
    compat: int | None  # None: the same as before
    statements: tuple[str, ...]


def list_migrations(engine: Engine, folder: Traversable | None = None) -> list[Migration]:
    """The migrations for ``engine`` in order. Raises ValueError when a number is missing, doubled or half written."""
    found: dict[int, dict[str, tuple[str, str]]] = {}
    for file in (folder or files("fedi.store") / "migrations").iterdir():
        if not file.name.endswith(".sql"):
            continue
        match = _NAME.fullmatch(file.name)
        if match is None:
            raise ValueError(f"{file.name} is not named like 0007_poll_votes.sql")
        variants = found.setdefault(int(match["number"]), {})
        kind = match["engine"] or "both"
        if kind in variants:
            raise ValueError(f"two migrations have the number of {file.name}")
        variants[kind] = (match["name"], file.read_text(encoding="utf-8"))
    if sorted(found) != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations are not numbered 1 to {len(found)}")
    return [_migration(number, found[number], engine) for number in sorted(found)]


def _migration(number: int, variants: dict[str, tuple[str, str]], engine: Engine) -> Migration:
    if set(variants) not in ({"both"}, {"sqlite", "postgres"}):
        raise ValueError(f"migration {number} needs one portable file, or one for each engine")
    name, script = variants.get("both") or variants[engine]
    if "both" in variants:
        script = schema_for_sqlite(script) if engine == "sqlite" else schema_for_postgres(script)
    compat = _COMPAT.search(script)
    return Migration(
        number=number,
        name=name,
        compat=int(compat[1]) if compat else None,
        statements=tuple(split_statements(script)),
    )


async def migrate(db: Database, migrations: list[Migration] | None = None) -> int:
    """Applies what is missing and returns the schema's version.

    Raises :class:`DatabaseTooNew` when a later release migrated the database beyond what this code may use.
    """
    known = list_migrations(db.engine) if migrations is None else migrations
    latest = known[-1].number if known else 0

    async def prepare(tx: Tx) -> int:
        await _alone(tx)
        await tx.run(CREATE_INFO)
        await tx.run(START_INFO)
        version, compat = await tx.one(VERSIONS) or (0, 0)
        if version > latest and compat > latest:
            raise DatabaseTooNew(
                f"the database has schema {version} and needs code for schema {compat}; this is code for {latest}. "
                "Install the newer release, or restore the backup made before the upgrade."
            )
        return int(version)

    version = await db.write("prepare migrations", prepare)
    for migration in known[version:]:
        version = await db.write(f"migration {migration.number}", lambda tx, m=migration: _apply(tx, m))  # type: ignore[misc]
    return version


async def _apply(tx: Tx, migration: Migration) -> int:
    await _alone(tx)
    version, compat = await tx.one(VERSIONS) or (0, 0)
    if version >= migration.number:  # another process was faster
        return int(version)
    for statement in migration.statements:
        await tx.run(statement)
    compat = compat if migration.compat is None else migration.compat
    await tx.run(SET_VERSIONS, schema_version=migration.number, compat_version=compat)
    return migration.number


async def _alone(tx: Tx) -> None:
    if tx.engine == "postgres":
        await tx.run(NO_TIMEOUT_POSTGRES)
        await tx.run(LOCK_POSTGRES)
