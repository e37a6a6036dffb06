"""A running instance and a server somebody else wrote, on loopback."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.node import Node, open_node
from tests.support.peers import FakePeer


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with open_node(tmp_path / "node") as running:
        yield running


@pytest.fixture
async def peer() -> AsyncIterator[FakePeer]:
    running = await FakePeer.start("remote")
    yield running
    await running.stop()
