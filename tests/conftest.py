"""Fixtures for every test: databases on both engines, and a clock that stands still."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from fedi.store.database import Database
from fedi.store.opening import open_database
from tests.support.clocks import FakeClock
from tests.support.databases import Postgres, migrated_sqlite


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_sqlite(tmp_path_factory.mktemp("sqlite") / "template.db")


@pytest.fixture
def sqlite_path(sqlite_template: Path, tmp_path: Path) -> Path:
    """A migrated SQLite file of this test's own."""
    return Path(shutil.copy(sqlite_template, tmp_path / "fedi.db"))


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated database of this test's own, on each engine in turn; not yet opened."""
    if request.param == "sqlite":
        yield str(request.getfixturevalue("sqlite_path"))
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.fresh()
    yield url
    server.drop(url)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """A migrated database of this test's own, open, on each engine in turn."""
    database = await open_database(database_url, migrated=False, durable=False)
    yield database
    await database.close()


@pytest.fixture
async def sqlite_db(sqlite_path: Path) -> AsyncIterator[Database]:
    """The same on SQLite alone, for tests above the store that need only some database."""
    database = await open_database(sqlite_path, migrated=False, durable=False)
    yield database
    await database.close()
