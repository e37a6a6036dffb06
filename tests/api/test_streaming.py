"""Streaming: WebSocket with one stream or many, server-sent events, and who is told of what."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError

from fedi.model.lists import AccountList
from fedi.store import lists
from tests.support import shapes

SOON_S = 5


@asynccontextmanager
async def listening(api, reader, query="", **more):
    headers = {"Authorization": f"Bearer {reader.token}"} if reader.token and "protocols" not in more else {}
    async with api.client.ws_connect(f"/api/v1/streaming{query}", headers=headers, **more) as socket:
        yield socket


async def frame(socket):
    return json.loads((await socket.receive(timeout=SOON_S)).data)


async def subscribe(socket, stream, **params) -> None:
    await socket.send_json({"type": "subscribe", "stream": stream, **params})


async def settled(api, socket, count) -> None:
    """Until the server has taken in what was sent: it answers an unknown stream in order."""
    await subscribe(socket, "no-such-stream")
    answer = await frame(socket)
    assert answer["status"] == 400, (count, answer)


async def quiet(api, socket) -> None:
    """Nothing more has come: the next thing is the answer to what we ask now."""
    await settled(api, socket, 0)


async def test_one_stream_per_socket(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    await api.follow(ann.id, bob.id)
    async with listening(api, ann, "?stream=user") as socket:
        status = await bob.post("/api/v1/statuses", status="Hello")
        told = await frame(socket)
        assert told["stream"] == ["user"]
        assert told["event"] == "update"
        payload = json.loads(told["payload"])
        shapes.status(payload, viewer=True)
        assert payload["id"] == status["id"]
        await bob.ask("PUT", f"/api/v1/statuses/{status['id']}", json={"status": "Changed"})
        told = await frame(socket)
        assert told["event"] == "status.update"
        assert json.loads(told["payload"])["content"] == "<p>Changed</p>"
        await bob.ask("DELETE", f"/api/v1/statuses/{status['id']}")
        assert await frame(socket) == {"stream": ["user"], "event": "delete", "payload": status["id"]}


async def test_trap_25_the_stream_is_an_array_with_its_parameter(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    await api.follow(ann.id, bob.id)

    async def unit(tx):
        await lists.put_list(tx, AccountList(id=12, account=ann.id, title="L"))
        await lists.put_members(tx, 12, [bob.id])

    await api.db.write("a list", unit)
    async with listening(api, ann) as socket:
        await subscribe(socket, "hashtag", tag="Fedi")
        await subscribe(socket, "list", list="12")
        await subscribe(socket, "public")
        await subscribe(socket, "public:local")
        await subscribe(socket, "public:remote")
        await subscribe(socket, "public:media")
        await settled(api, socket, 6)
        await bob.post("/api/v1/statuses", status="#fedi")
        told = [await frame(socket) for _ in range(4)]
        assert [one["stream"] for one in told] == [["hashtag", "Fedi"], ["list", "12"], ["public"], ["public:local"]]
        assert {one["event"] for one in told} == {"update"}
        await socket.send_json({"type": "unsubscribe", "stream": "public"})
        await socket.send_json({"type": "unsubscribe", "stream": "list", "list": "12"})
        await settled(api, socket, 0)
        await bob.post("/api/v1/statuses", status="plain")
        assert (await frame(socket))["stream"] == ["public:local"]
        await quiet(api, socket)


@pytest.mark.parametrize("how", ["query", "subprotocol", "header"])
async def test_trap_25_the_token_comes_three_ways_and_the_subprotocol_is_echoed(api, how):
    ann = await api.person("ann")
    if how == "subprotocol":
        async with api.client.ws_connect("/api/v1/streaming?stream=user", protocols=[ann.token]) as socket:
            assert socket.protocol == ann.token
            await ann.post("/api/v1/statuses", status="x")
            assert (await frame(socket))["event"] == "update"
    elif how == "query":
        async with api.client.ws_connect(f"/api/v1/streaming?stream=user&access_token={ann.token}") as socket:
            await ann.post("/api/v1/statuses", status="x")
            assert (await frame(socket))["event"] == "update"
    else:
        async with listening(api, ann, "/?stream=user") as socket:
            await ann.post("/api/v1/statuses", status="x")
            assert (await frame(socket))["event"] == "update"


async def test_without_a_token_the_socket_does_not_open(api):
    for query in ("", "?access_token=wrong"):
        with pytest.raises(WSServerHandshakeError) as refused:
            await api.client.ws_connect(f"/api/v1/streaming{query}")
        assert refused.value.status == 401
    ann = await api.person("ann")
    await ann.fails("GET", "/api/v1/streaming", 400)


async def test_a_refused_subscription_is_told_and_the_socket_stays_open(api):
    ann = await api.person("ann")
    reading = await api.token(ann.account, "read:statuses")
    async with listening(api, reading) as socket:
        for asked, status in [
            ({"stream": "everything"}, 400),
            ({"stream": "hashtag"}, 400),
            ({"stream": "list"}, 400),
            ({"stream": "list", "list": "99"}, 404),
            ({"stream": "user:notification"}, 401),
        ]:
            await socket.send_json({"type": "subscribe", **asked})
            told = await frame(socket)
            assert told["status"] == status, asked
            assert told["error"]
        for noise in ("{", "[]", "7", '{"type": 1}', "\x00"):
            await socket.send_str(noise)
        await subscribe(socket, "user")
        await settled(api, socket, 1)
        await ann.post("/api/v1/statuses", status="x")
        assert (await frame(socket))["event"] == "update"


async def test_notifications_reach_whom_they_are_for(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    status = await ann.post("/api/v1/statuses", status="Hello")
    async with listening(api, ann, "?stream=user:notification") as hers, listening(api, bob, "?stream=user") as his:
        await bob.post(f"/api/v1/statuses/{status['id']}/favourite")
        told = await frame(hers)
        assert (told["stream"], told["event"]) == (["user:notification"], "notification")
        payload = json.loads(told["payload"])
        shapes.notification(payload)
        assert payload["type"] == "favourite"
        assert payload["account"]["acct"] == "bob"
        await quiet(api, his)


async def test_nobody_is_told_of_what_they_may_not_read(api):
    ann, bob, eve = await api.person("ann"), await api.person("bob"), await api.person("eve")
    await api.follow(bob.id, ann.id)
    async with listening(api, bob, "?stream=user") as follower, listening(api, eve) as stranger:
        await subscribe(stranger, "user")
        await subscribe(stranger, "public")
        await settled(api, stranger, 2)
        await ann.post("/api/v1/statuses", status="Secret", visibility="direct")
        private = await ann.post("/api/v1/statuses", status="For followers", visibility="private")
        told = await frame(follower)
        assert json.loads(told["payload"])["id"] == private["id"]
        await quiet(api, stranger)


async def test_what_a_decision_hides_is_not_streamed(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    await api.follow(ann.id, bob.id)
    far = await api.stranger("far")
    status = await api.remote_post(far)
    await api.suspend(far.uri)
    async with listening(api, ann, "?stream=user") as socket:
        await bob.post(f"/api/v1/statuses/{status}/reblog")
        await quiet(api, socket)


async def test_the_socket_closes_when_its_token_is_revoked(api):
    from fedi.web import keys

    ann = await api.person("ann")
    async with listening(api, ann, "?stream=user") as socket:
        tokens = api.app[keys.TOKENS]
        grant = await tokens.find(ann.token)
        await tokens.revoke(ann.token, app=grant.app_id)
        again = await api.token(ann.account, "read write")
        await again.post("/api/v1/statuses", status="x")
        assert (await socket.receive(timeout=SOON_S)).type in {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED}


async def test_the_socket_closes_with_the_hub(api):
    ann = await api.person("ann")
    async with listening(api, ann, "?stream=user") as socket:
        await settled(api, socket, 1)
        api.hub.close()
        assert (await socket.receive(timeout=SOON_S)).type in {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED}
    assert api.hub.listeners == 0


@asynccontextmanager
async def events(api, reader, path):
    headers = {"Authorization": f"Bearer {reader.token}"}
    async with api.client.get(f"/api/v1/streaming/{path}", headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert await response.content.readline() == b":)\n"
        yield response.content


async def event(content):
    async with asyncio.timeout(SOON_S):
        name = (await content.readline()).decode().removeprefix("event: ").strip()
        data = (await content.readline()).decode().removeprefix("data: ").strip()
        assert await content.readline() == b"\n"
    return name, data


@pytest.mark.parametrize(
    "path", ["user", "public", "public/local", "hashtag?tag=FEDI", "hashtag/local?tag=fedi", "list?list=12"]
)
async def test_server_sent_events(api, path):
    ann, bob = await api.person("ann"), await api.person("bob")
    await api.follow(ann.id, bob.id)

    async def unit(tx):
        await lists.put_list(tx, AccountList(id=12, account=ann.id, title="L"))
        await lists.put_members(tx, 12, [bob.id])

    await api.db.write("a list", unit)
    async with events(api, ann, path) as content:
        status = await bob.post("/api/v1/statuses", status="Hello #fedi")
        name, data = await event(content)
        assert name == "update"
        shapes.status(json.loads(data), viewer=True)
        await bob.ask("DELETE", f"/api/v1/statuses/{status['id']}")
        assert await event(content) == ("delete", status["id"])


async def test_events_need_a_token_a_tag_and_a_list_of_ones_own(api):
    ann = await api.person("ann")
    await api.anybody.fails("GET", "/api/v1/streaming/user", 401)
    await ann.fails("GET", "/api/v1/streaming/hashtag", 400)
    await ann.fails("GET", "/api/v1/streaming/list?list=5", 404)
    health = await api.anybody.ask("GET", "/api/v1/streaming/health")
    assert (health.status, health.body) == (200, b"OK")
