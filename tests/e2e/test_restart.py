"""What stays when a server is stopped and started again, and what becomes of the work that waits."""

import asyncio
import time

import pytest

from tests.support.instances import Instance, eventually
from tests.support.peers import FakePeer

pytestmark = pytest.mark.e2e


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request):
    """The settings of an instance on either engine."""
    if request.param == "sqlite":
        yield {}
        return
    server = request.getfixturevalue("postgres")
    url = server.fresh(migrated=False)
    yield {"FEDI_DATABASE__URL": url}
    server.drop(url)


async def test_everything_is_there_after_a_restart_and_what_waited_goes_out(tmp_path, engine):
    instance = await Instance.create(tmp_path / "home", "restart.localhost", **engine)
    alice = await instance.add_person("alice", "owner")
    peer = await FakePeer.start("reader")
    reader = peer.add_actor("reader")
    follow = peer.activity("Follow", reader, alice.uri)
    assert (await peer.post(f"{instance.origin}/inbox", follow, reader))[0] == 202
    await peer.until_received(1)
    peer.answer("/inbox", status=503)
    posted = await alice.post("/api/v1/statuses", status="Kept", visibility="public")
    decision = (
        await instance.cli(
            "domain", "refuse", "bad.localhost", "--rule", "1", "--reason", "Spam", "--until", "30d", "--json"
        )
    ).json

    async def has_failed() -> bool:
        rows = (await instance.cli("post", "deliveries", posted["url"], "--json")).json
        return [row["state"] for row in rows] == ["retrying"]

    await eventually(has_failed)
    before = await alice.get("/api/v1/timelines/home")

    await instance.restart()

    assert await alice.get("/api/v1/timelines/home") == before
    listed = (await instance.cli("domain", "list", "--json")).json
    assert [one["decision"] for one in listed] == [decision["decision"]]
    bad = await FakePeer.start("bad")
    spammer = bad.add_actor("spammer")
    note = bad.note(spammer, to=[alice.uri], cc=[])
    assert (await bad.post(f"{instance.origin}/inbox", bad.activity("Create", spammer, note), spammer))[0] == 403
    peer.answer_as_usual("/inbox")
    (job,) = (await instance.cli("jobs", "list", "--kind", "deliver", "--json")).json
    await instance.cli("jobs", "retry", str(job["id"]))
    await eventually(lambda: posted["uri"] in {_object(one.activity) for one in peer.received})
    await bad.stop()
    await peer.stop()
    await instance.close()


def _object(activity) -> str:
    value = activity["object"]
    return value["id"] if isinstance(value, dict) else value


async def test_a_server_that_is_told_to_stop_answers_what_it_began_and_waits_for_no_stream(tmp_path):
    instance = await Instance.create(tmp_path / "home", "restart.localhost")
    alice = await instance.add_person("alice")
    session = instance._session
    assert session is not None
    headers = {"Authorization": f"Bearer {alice.token}"}
    async with session.get(f"{instance.origin}/api/v1/streaming/user", headers=headers) as stream:
        assert stream.status == 200
        assert await stream.content.readline() == b":)\n"
        posts = [asyncio.create_task(alice.post("/api/v1/statuses", status=f"Post {n}")) for n in range(20)]
        await posts[0]
        began = time.monotonic()
        assert await instance.stop() == 0
        assert time.monotonic() - began < 5
        ended = await asyncio.gather(*posts, return_exceptions=True)
    answered = {one["uri"] for one in ended if isinstance(one, dict)}
    await instance.start()
    home = {status["uri"] for status in await alice.get("/api/v1/timelines/home", limit=40)}
    assert answered
    assert answered <= home
    await instance.close()
