"""kill -9 while posts are being written and delivered: what an author was told is kept, and reaches every follower.

The way in is in ``tests/federation/test_inbox_crash.py``.
"""

import asyncio
import random
from collections import Counter

import aiohttp
import asyncpg
import pytest

from tests.support.instances import Instance, eventually
from tests.support.peers import FakePeer

pytestmark = pytest.mark.e2e

POSTS = 120
WRITERS = 6
KILLS = 3


async def test_kill_9_loses_no_post_that_was_answered_and_no_delivery(tmp_path, postgres_or_sqlite):
    dice = random.Random(7)
    instance = await Instance.create(tmp_path / "one", "crash.localhost", **postgres_or_sqlite)
    alice = await instance.add_person("alice")
    peers = [await FakePeer.start(f"reader{number}") for number in range(3)]
    for peer in peers:
        reader = peer.add_actor("reader")
        follow = peer.activity("Follow", reader, alice.uri)
        assert (await peer.post(f"{instance.origin}/inbox", follow, reader))[0] == 202
        await peer.until_received(1)
    answered: dict[str, str] = {}  # text -> URI

    async def write(numbers: list[int]) -> None:
        """As an app does: the same key until there is an answer."""
        for number in numbers:
            text = f"number {number}"
            while text not in answered:
                try:
                    reply = await alice.call(
                        "POST", "/api/v1/statuses", json={"status": text}, headers={"Idempotency-Key": text}
                    )
                except (aiohttp.ClientError, OSError):
                    await asyncio.sleep(0.02)
                    continue
                assert reply.status == 200, reply.body
                answered[text] = reply.json["uri"]

    async def kill() -> None:
        marks = sorted(dice.sample(range(5, POSTS - 10), KILLS))
        for mark in marks:
            await eventually(lambda mark=mark: len(answered) >= mark, 60)
            instance.kill()
            await end_leases(postgres_or_sqlite)
            await instance.start()

    async with asyncio.TaskGroup() as group:
        for start in range(WRITERS):
            group.create_task(write(list(range(start, POSTS, WRITERS))))
        group.create_task(kill())

    def created(peer: FakePeer) -> Counter[str]:
        return Counter(one.activity["object"]["id"] for one in peer.received if one.activity["type"] == "Create")

    wanted = set(answered.values())
    assert len(wanted) == POSTS
    for peer in peers:
        await eventually(lambda peer=peer: wanted <= created(peer).keys(), 60)
        assert created(peer).keys() == wanted, "nothing is delivered that is not there"
    listed: Counter[str] = Counter()
    page = await alice.get("/api/v1/timelines/home", limit=40)
    while page:
        listed.update(status["uri"] for status in page)
        page = await alice.get("/api/v1/timelines/home", limit=40, max_id=page[-1]["id"])
    assert listed == Counter(wanted), "each once"

    async def is_all_sent() -> bool:
        left = (await instance.cli("jobs", "list", "--kind", "deliver", "--json")).json
        return not left

    await eventually(is_all_sent, 30)
    for peer in peers:
        await peer.stop()
    await instance.close()


async def end_leases(settings: dict[str, str]) -> None:
    """As if the minute had passed after which another process takes over. On SQLite the lock on the file tells."""
    if settings:
        connection = await asyncpg.connect(settings["FEDI_DATABASE__URL"])
        await connection.execute("UPDATE job SET lease_until = 0 WHERE state = 'leased'")
        await connection.close()


@pytest.fixture(params=["sqlite", "postgres"])
def postgres_or_sqlite(request):
    """The settings of an instance on either engine."""
    if request.param == "sqlite":
        yield {}
        return
    server = request.getfixturevalue("postgres")
    url = server.fresh(migrated=False)
    yield {"FEDI_DATABASE__URL": url}
    server.drop(url)
