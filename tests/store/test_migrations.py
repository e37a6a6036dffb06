"""Migrations: forward only, all or nothing, and the same schema however a database got there."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fedi.store import migrate
from fedi.store.database import DatabaseTooNew
from fedi.store.dialect import schema_for_postgres, schema_for_sqlite, split_statements
from fedi.store.migrate import Migration, list_migrations
from fedi.store.opening import open_database

SQLITE_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
POSTGRES_SCHEMA = """
    SELECT 'column', table_name, column_name, data_type || is_nullable || COALESCE(column_default, '') || is_identity
      FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'view', viewname, '', definition FROM pg_views WHERE schemaname = 'public'
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
      FROM pg_trigger WHERE NOT tgisinternal
    ORDER BY 1, 2, 3, 4"""


@asynccontextmanager
async def empty_database(engine, request, tmp_path):
    """An open database without a schema."""
    server = request.getfixturevalue("postgres") if engine == "postgres" else None
    url = server.fresh(migrated=False) if server else str(tmp_path / "empty.db")
    database = await open_database(url, migrated=False, durable=False)
    yield database
    await database.close()
    if server:
        server.drop(url)


@pytest.fixture(params=["sqlite", "postgres"])
async def empty(request, tmp_path):
    async with empty_database(request.param, request, tmp_path) as database:
        yield database


async def schema(db):
    return await db.read(lambda tx: tx.all(SQLITE_SCHEMA if tx.engine == "sqlite" else POSTGRES_SCHEMA))


async def versions(db):
    return await db.read(lambda tx: tx.one(migrate.VERSIONS))


def step(number, *statements, compat=None):
    return Migration(number=number, name="step", compat=compat, statements=statements)


async def test_fresh_equals_migrated(db, request, tmp_path):
    """Step by step, as an old instance went, or all at once."""
    steps = list_migrations(db.engine)
    async with empty_database(db.engine, request, tmp_path) as old:
        for count in range(1, len(steps) + 1):
            assert await migrate.migrate(old, steps[:count]) == count
        assert await schema(old) == await schema(db)
        assert await versions(old) == await versions(db)


async def test_migrating_twice_changes_nothing(db):
    before = await schema(db), await versions(db)
    latest = list_migrations(db.engine)[-1].number
    assert await migrate.migrate(db) == latest
    assert (await schema(db), await versions(db)) == before
    assert before[1][0] == latest


async def test_a_migration_that_fails_leaves_the_step_before(empty):
    steps = [
        step(1, "CREATE TABLE a (id BIGINT)"),
        step(2, "CREATE TABLE b (id BIGINT)", "INSERT INTO nowhere VALUES (1)"),
    ]
    with pytest.raises(Exception, match="nowhere"):
        await migrate.migrate(empty, steps)
    assert await versions(empty) == (1, 0)
    steps[1] = step(2, "CREATE TABLE b (id BIGINT)")
    assert await migrate.migrate(empty, steps) == 2


async def test_several_starters_migrate_once(empty):
    steps = [step(n, f"CREATE TABLE t{n} (id BIGINT)", f"INSERT INTO t{n} VALUES ({n})") for n in range(1, 6)]
    assert await asyncio.gather(*[migrate.migrate(empty, steps) for _ in range(4)]) == [5] * 4
    assert await empty.read(lambda tx: tx.all("SELECT id FROM t5")) == [(5,)]


async def test_older_code_runs_on_a_newer_schema_until_that_says_no(empty):
    expand = step(2, "CREATE TABLE b (id BIGINT)")
    contract = step(3, "DROP TABLE a", compat=2)
    first = step(1, "CREATE TABLE a (id BIGINT)")
    await migrate.migrate(empty, [first, expand])
    assert await migrate.migrate(empty, [first]) == 2  # last release's code, on the expanded schema
    await migrate.migrate(empty, [first, expand, contract])
    assert await versions(empty) == (3, 2)
    assert await migrate.migrate(empty, [first, expand]) == 3
    with pytest.raises(DatabaseTooNew, match="Install the newer release"):
        await migrate.migrate(empty, [first])


async def test_a_database_that_is_too_new_is_let_go_again(sqlite_path):
    async def age(tx):
        await tx.run(migrate.SET_VERSIONS, schema_version=9999, compat_version=9999)

    db = await open_database(sqlite_path)
    await db.write("age", age)
    await db.close()
    for _ in range(2):
        with pytest.raises(DatabaseTooNew):
            await open_database(sqlite_path)


# Files


def folder(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / (name.replace("__", ".") + ".sql")).write_text(text)
    return tmp_path


def test_files_are_taken_in_order_and_for_their_engine(tmp_path: Path):
    place = folder(
        tmp_path,
        **{
            "0002_search__sqlite": "CREATE VIRTUAL TABLE words USING fts5 (word);",
            "0002_search__postgres": "-- compat: 1\nCREATE TABLE words (word tsvector);",
            "0001_core": "CREATE TABLE a (id SERIAL_KEY, raw BLOB) STRICT; CREATE INDEX i ON a (raw);",
        },
    )
    (tmp_path / "README").write_text("not a migration")
    sqlite, postgres = list_migrations("sqlite", place), list_migrations("postgres", place)
    assert [(m.number, m.name, m.compat) for m in sqlite] == [(1, "core", None), (2, "search", None)]
    assert [(m.number, m.name, m.compat) for m in postgres] == [(1, "core", None), (2, "search", 1)]
    assert sqlite[0].statements[0] == "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, raw BLOB) STRICT"
    assert postgres[0].statements == (
        "CREATE TABLE a (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, raw BYTEA)",
        "CREATE INDEX i ON a (raw)",
    )
    assert sqlite[1].statements == ("CREATE VIRTUAL TABLE words USING fts5 (word)",)


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["0001_a", "0003_c"], "numbered 1 to 2"),
        (["0001_a", "0001_b"], "two migrations"),
        (["0001_a__sqlite"], "one for each engine"),
        (["0001_a", "0001_a__sqlite"], "one for each engine"),
        (["1_a"], "not named like"),
    ],
)
def test_a_folder_with_a_hole_or_a_double_is_refused(tmp_path, names, complaint):
    with pytest.raises(ValueError, match=complaint):
        list_migrations("sqlite", folder(tmp_path, **dict.fromkeys(names, "SELECT 1;")))


# Words


def test_statements_end_at_semicolons_that_mean_it():
    script = """
        -- a comment; with a semicolon
        CREATE TABLE a (t TEXT DEFAULT 'x;''y', "odd;name" TEXT); /* one; more */
        CREATE TRIGGER t AFTER INSERT ON a BEGIN
            UPDATE a SET t = CASE WHEN t = 'a' THEN 'b' ELSE 'c' END;
            DELETE FROM a;
        END;
        CREATE FUNCTION f() RETURNS trigger AS $body$ BEGIN NEW.x := 1; RETURN NEW; END; $body$ LANGUAGE plpgsql;
        ;
        SELECT 1
        -- the end;
    """
    first, trigger, function, last = split_statements(script)
    assert first.endswith('"odd;name" TEXT)')
    assert trigger.startswith("/* one; more */")
    assert trigger.endswith("DELETE FROM a;\n        END")
    assert function.endswith("$body$ LANGUAGE plpgsql")
    assert last.startswith("SELECT 1")


def test_portable_types_become_each_engines_own():
    portable = """CREATE TABLE a (
        id INTEGER PRIMARY KEY, -- an INTEGER, not a BLOB
        share REAL, word TEXT DEFAULT 'INTEGER ) STRICT', "BLOB" BLOB, integers INTEGER
    ) STRICT, WITHOUT ROWID"""
    assert schema_for_sqlite(portable) == portable
    assert (
        schema_for_postgres(portable)
        == """CREATE TABLE a (
        id BIGINT PRIMARY KEY, -- an INTEGER, not a BLOB
        share DOUBLE PRECISION, word TEXT DEFAULT 'INTEGER ) STRICT', "BLOB" BYTEA, integers BIGINT
    )"""
    )
    for options in ("STRICT", "WITHOUT ROWID", "WITHOUT ROWID, STRICT"):
        assert schema_for_postgres(f"CREATE TABLE b (id TEXT) {options}") == "CREATE TABLE b (id TEXT)"
