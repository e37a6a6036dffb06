"""kill -9 at random moments of accepting 500 signed activities: what got its 202 is there, and nothing twice."""

import asyncio
import json
import random
import sqlite3

import aiohttp
import pytest

from tests.support.instances import Instance, eventually
from tests.support.peers import FakePeer

pytestmark = pytest.mark.e2e

ACTIVITIES = 500
KILLS = 3


class Sender:
    """Sends each activity until it got a 202, as a server with a queue does, and remembers which did."""

    def __init__(self, peer: FakePeer, instance: Instance) -> None:
        self.peer = peer
        self.inbox = f"{instance.origin}/inbox"
        self.answered: set[str] = set()

    async def send_all(self, activities, actors) -> None:
        waiting = asyncio.Queue()
        for number, activity in enumerate(activities):
            waiting.put_nowait((activity, actors[number % len(actors)]))
        async with asyncio.TaskGroup() as group:
            for _ in range(16):
                group.create_task(self._send_from(waiting))

    async def _send_from(self, waiting) -> None:
        while not waiting.empty():
            activity, actor = waiting.get_nowait()
            while activity["id"] not in self.answered:
                try:
                    status, _, body = await self.peer.post(self.inbox, activity, actor)
                except (aiohttp.ClientError, OSError):
                    await asyncio.sleep(0.02)
                    continue
                assert status == 202, body
                self.answered.add(activity["id"])


async def test_kill_9_loses_nothing_that_got_202_and_applies_nothing_twice(tmp_path):
    dice = random.Random(11)
    instance = await Instance.create(tmp_path / "one", "crash.localhost")
    peer = await FakePeer.start("sender")
    try:
        actors = [peer.add_actor(f"a{number}") for number in range(5)]
        for actor in actors:
            assert (await peer.post(f"{instance.origin}/inbox", peer.activity("Create", actor, peer.note(actor)), actor))[0] == 202  # fmt: skip
        activities = []
        for number in range(ACTIVITIES):
            actor = actors[number % 5]
            note = peer.note(actor, f"number {number}", number=1000 + number)
            activities.append(peer.activity("Create", actor, note, id=f"{note['id']}/activity"))
        sender = Sender(peer, instance)
        sending = asyncio.create_task(sender.send_all(activities, actors))
        for kill in range(KILLS):
            goal = (kill + 1) * ACTIVITIES // (KILLS + 1) + dice.randrange(-30, 30)
            await eventually(lambda goal=goal: len(sender.answered) >= goal, 60)
            instance.kill()
            await instance.start()
        await asyncio.wait_for(sending, 120)
        assert len(sender.answered) == ACTIVITIES
        await eventually(lambda: _jobs(instance) == 0, 60)
    finally:
        await peer.stop()
        await instance.close()
    _check(instance, activities)


def _database(instance: Instance) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{instance.folder / 'fedi.db'}?mode=ro", uri=True)


def _jobs(instance: Instance) -> int:
    connection = _database(instance)
    try:
        return connection.execute("SELECT count(*) FROM job WHERE kind = 'inbox'").fetchone()[0]
    finally:
        connection.close()


def _check(instance: Instance, activities) -> None:
    connection = _database(instance)
    try:
        wanted = {activity["object"]["id"] for activity in activities}
        stored = [row[0] for row in connection.execute("SELECT uri FROM status")]
        assert wanted <= set(stored)
        assert len(stored) == len(set(stored)) == ACTIVITIES + 5
        outcomes = dict(connection.execute("SELECT activity, outcome FROM intake").fetchall())
        assert {outcomes[activity["id"]] for activity in activities} == {"applied"}
        assert connection.execute("SELECT count(*) FROM object WHERE ready_at IS NULL").fetchone() == (0,)
        for surface, following in connection.execute("SELECT surface, next FROM surface_head").fetchall():
            rows = connection.execute("SELECT pos FROM slot WHERE surface = ? ORDER BY pos", (surface,)).fetchall()
            assert [row[0] for row in rows] == list(range(following))
        per_account = dict(connection.execute("SELECT account, statuses FROM account_stats").fetchall())
        assert sum(per_account.values()) == ACTIVITIES + 5
        assert json.dumps(connection.execute("PRAGMA integrity_check").fetchall()) == '[["ok"]]'
    finally:
        connection.close()
