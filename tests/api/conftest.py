"""The client API over a database of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fedi.store.database import Database
from tests.support.api import Api, open_api
from tests.support.clocks import FakeClock


@pytest.fixture
async def api(sqlite_db: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Api]:
    found = await open_api(sqlite_db, clock, tmp_path)
    yield found
    await found.client.close()
