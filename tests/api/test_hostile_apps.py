"""Attacks by people who sign in and by apps: on what others wrote for few, chose, keep for themselves, or are."""

import asyncio
import io
import json

import pytest
from PIL import Image


def picture():
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    return io.BytesIO(out.getvalue())


@pytest.fixture
async def ann(api):
    return await api.person("ann")


@pytest.fixture
async def eve(api):
    return await api.person("eve")


async def everything_of(api, ann):
    """What ann has that is hers alone."""
    friend = await api.person("friend")
    await api.follow(friend.id, ann.id)
    private = await ann.post("/api/v1/statuses", status="secretword", visibility="private")
    direct = await ann.post("/api/v1/statuses", status="secretword @friend", visibility="direct")
    poll = await ann.post(
        "/api/v1/statuses", status="secretword?", visibility="private", poll={"options": ["a", "b"], "expires_in": 3600}
    )
    boost = await ann.post(f"/api/v1/statuses/{private['id']}/reblog")
    reply = await friend.post(
        "/api/v1/statuses", status="secretword too", visibility="direct", in_reply_to_id=private["id"]
    )
    return friend, [private["id"], direct["id"], poll["id"], boost["id"], reply["id"]]


async def test_nothing_private_is_found_by_any_door(api, ann, eve):
    friend, hidden = await everything_of(api, ann)
    for reader in (eve, api.anybody):
        for number in hidden:
            for method, path in [
                ("GET", ""), ("GET", "/context"), ("GET", "/history"), ("GET", "/source"), ("GET", "/favourited_by"),
                ("GET", "/reblogged_by"), ("GET", "/quotes"), ("POST", "/favourite"), ("POST", "/unfavourite"), ("POST", "/reblog"),
                ("POST", "/unreblog"), ("POST", "/bookmark"), ("POST", "/unbookmark"), ("POST", "/pin"), ("POST", "/unpin"),
                ("POST", "/mute"), ("POST", "/unmute"), ("PUT", ""), ("DELETE", ""), ("POST", f"/quotes/{hidden[0]}/revoke"),
            ]:  # fmt: skip
                reply = await reader.ask(
                    method, f"/api/v1/statuses/{number}{path}", json={"status": "x"} if method == "PUT" else None
                )
                assert reply.status in {401, 404, 422}, (method, path, reply.status, reply.body)
                assert b"secretword" not in reply.body
            for method, path in [("GET", ""), ("POST", "/votes")]:
                reply = await reader.ask(
                    method, f"/api/v1/polls/{number}{path}", json={"choices": [0]} if method == "POST" else None
                )
                assert reply.status in {401, 404, 422}, (method, path, reply.status, reply.body)
                assert b'"a"' not in reply.body
            assert b"secretword" not in (await reader.ask("GET", f"/api/fedi/v1/statuses/{number}/delivery")).body
        for path in [
            "/api/v1/timelines/public", "/api/v1/timelines/home", "/api/v1/timelines/tag/secretword", "/api/v1/bookmarks",
            "/api/v1/favourites", "/api/v1/notifications", "/api/v2/notifications", f"/api/v1/accounts/{ann.id}/statuses",
            f"/api/v1/accounts/{ann.id}/statuses?pinned=true", f"/api/v1/accounts/{friend.id}/statuses",
            "/api/v2/search?q=secretword", f"/api/v2/search?q={ann.account.uri}/statuses/{hidden[0]}&resolve=true",
            "/api/v1/statuses?" + "&".join(f"id[]={number}" for number in hidden),
            f"/@ann/{hidden[0]}", "/@ann", f"/@ann/{hidden[0]}/deliveries",
        ]:  # fmt: skip
            assert b"secretword" not in (await reader.ask("GET", path)).body, path


async def test_a_quote_or_an_answer_to_what_one_may_not_see_is_refused(api, ann, eve):
    _, hidden = await everything_of(api, ann)
    for number in hidden:
        for values in ({"in_reply_to_id": number}, {"quoted_status_id": number}):
            reply = await eve.ask("POST", "/api/v1/statuses", json={"status": "x", **values})
            assert reply.status in {404, 422}, (values, reply.body)
            assert b"secretword" not in reply.body


async def test_what_was_kept_while_it_was_seen_is_not_shown_afterwards(api, ann, eve):
    await api.follow(eve.id, ann.id)
    private = await ann.post("/api/v1/statuses", status="secretword", visibility="private")
    await eve.post(f"/api/v1/statuses/{private['id']}/bookmark")
    await eve.post(f"/api/v1/statuses/{private['id']}/favourite")
    await ann.post(f"/api/v1/accounts/{eve.id}/remove_from_followers")
    for path in (
        "/api/v1/bookmarks",
        "/api/v1/favourites",
        "/api/v1/timelines/home",
        f"/api/v1/accounts/{ann.id}/statuses",
    ):
        assert b"secretword" not in (await eve.ask("GET", path)).body, path


async def test_lists_media_notifications_and_markers_of_others_are_not_there(api, ann, eve):
    await api.follow(ann.id, eve.id)
    mine = await ann.post("/api/v1/lists", title="friends")
    await ann.post(f"/api/v1/lists/{mine['id']}/accounts", account_ids=[str(eve.id)])
    file = (await ann.ask("POST", "/api/v2/media", data={"file": picture()})).json
    await eve.post("/api/v1/statuses", status="@ann hello")
    told = (await ann.get("/api/v1/notifications"))[0]["id"]
    at = f"/api/v1/lists/{mine['id']}"
    for method, path, values in [
        ("GET", at, None), ("PUT", at, {"title": "x"}), ("DELETE", at, None), ("GET", f"{at}/accounts", None),
        ("POST", f"{at}/accounts", {"account_ids": [str(ann.id)]}), ("DELETE", f"{at}/accounts", {"account_ids": [str(eve.id)]}),
        ("GET", f"/api/v1/timelines/list/{mine['id']}", None), ("GET", f"/api/v1/media/{file['id']}", None),
        ("PUT", f"/api/v1/media/{file['id']}", {"description": "x"}), ("DELETE", f"/api/v1/media/{file['id']}", None),
        ("GET", f"/api/v1/notifications/{told}", None), ("POST", f"/api/v1/notifications/{told}/dismiss", None),
    ]:  # fmt: skip
        reply = await eve.ask(method, path, json=values)
        assert reply.status == 404, (method, path, reply.status, reply.body)
    await eve.fails("POST", "/api/v1/statuses", 422, json={"status": "x", "media_ids": [file["id"]]})
    assert (await ann.get(at))["title"] == "friends"
    assert [one["id"] for one in await ann.get(f"{at}/accounts")] == [str(eve.id)]
    assert (await ann.get(f"/api/v1/media/{file['id']}"))["description"] is None


async def test_an_edit_describes_no_file_of_others(api, ann, eve):
    file = (await ann.ask("POST", "/api/v2/media", data={"file": picture()})).json
    own = await eve.post("/api/v1/statuses", status="mine")
    values = {
        "status": "mine",
        "media_ids": [file["id"]],
        "media_attributes": [{"id": file["id"], "description": "by eve"}],
    }
    await eve.fails("PUT", f"/api/v1/statuses/{own['id']}", 422, json=values)
    del values["media_ids"]
    await eve.ask("PUT", f"/api/v1/statuses/{own['id']}", json=values)
    assert (await ann.get(f"/api/v1/media/{file['id']}"))["description"] is None


async def test_a_poll_is_voted_on_once_before_its_end_and_by_nobody_else_for_others(api, ann, eve):
    status = await ann.post("/api/v1/statuses", status="?", poll={"options": ["a", "b"], "expires_in": 300})
    at = f"/api/v1/polls/{status['poll']['id']}"
    await eve.fails("POST", f"{at}/votes", 422, json={"choices": [0, 1]})
    await eve.fails("POST", f"{at}/votes", 422, json={"choices": [-1]})
    replies = await asyncio.gather(*(eve.ask("POST", f"{at}/votes", json={"choices": [n % 2]}) for n in range(6)))
    assert sorted(reply.status for reply in replies) == [200, 422, 422, 422, 422, 422]
    assert (await ann.get(at))["votes_count"] == 1
    late = await api.person("late")
    api.clock.advance(s=400)
    await late.fails("POST", f"{at}/votes", 422, json={"choices": [0]})


async def test_a_token_does_what_its_scopes_say_and_no_more(api, ann):
    own = await ann.post("/api/v1/statuses", status="mine")
    reader, writer = await api.token(ann.account, "read:accounts"), await api.token(ann.account, "write:media")
    for method, path in [
        ("POST", "/api/v1/statuses"), ("DELETE", f"/api/v1/statuses/{own['id']}"), ("GET", "/api/v1/timelines/home"),
        ("GET", "/api/v1/notifications"), ("GET", "/api/v1/lists"), ("GET", "/api/v1/bookmarks"), ("POST", "/api/v1/markers"),
        ("PATCH", "/api/v1/accounts/update_credentials"), ("POST", f"/api/v1/accounts/{ann.id}/follow"), ("GET", "/api/v1/blocks"),
        ("GET", "/api/v1/follow_requests"), ("POST", "/api/v1/reports"), ("POST", "/api/v1/notifications/clear"),
    ]:  # fmt: skip
        for token in (reader, writer):
            assert (await token.ask(method, path, json={} if method != "GET" else None)).status == 403, (method, path)


async def test_a_place_in_a_timeline_beyond_all_ids_is_refused(api, ann):
    for beyond in ("9223372036854775808", "9" * 19):
        await ann.fails("POST", "/api/v1/markers", 422, json={"notifications": {"last_read_id": beyond}})
        await ann.get("/api/v1/notifications/unread_count")


async def test_streams_take_no_number_beyond_all_ids(api, ann):
    for beyond in ("9223372036854775808", "9" * 19):
        await ann.fails("GET", f"/api/v1/streaming/list?list={beyond}", 400)


@pytest.mark.parametrize("uri", ["http://[::1", "https://[x]/", "https://\uff0f/", "https://user@[/x"])
async def test_an_address_that_cannot_be_taken_apart_is_refused_when_the_app_registers(api, uri):
    """Or the page that asks for consent could not say where the answer goes."""
    await api.anybody.fails("POST", "/api/v1/apps", 422, json={"client_name": "x", "redirect_uris": [uri]})


async def test_what_an_author_writes_is_text_wherever_a_page_shows_it(api):
    bad = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    eve = await api.person("eve", display_name=bad)
    await eve.ask(
        "PATCH",
        "/api/v1/accounts/update_credentials",
        json={
            "note": bad,
            "fields_attributes": [{"name": bad, "value": bad}, {"name": "x", "value": "javascript:alert(1)"}],
        },
    )
    status = await eve.post("/api/v1/statuses", status=f"{bad} javascript:alert(1) #x", spoiler_text=bad)
    poll = await eve.post("/api/v1/statuses", status="?", poll={"options": [bad[:40], "b"], "expires_in": 300})
    for path in ("/@eve", f"/@eve/{status['id']}", f"/@eve/{poll['id']}"):
        page = await api.anybody.ask("GET", path)
        assert page.status == 200
        assert b"<script" not in page.body, path
        assert b"<img src=x" not in page.body, path
        assert b'href="javascript:' not in page.body, path
        assert "script-src" not in page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    shown = json.dumps([await eve.get(f"/api/v1/accounts/{eve.id}"), status, poll])
    for html in (status["content"], (await eve.get(f"/api/v1/accounts/{eve.id}"))["note"]):
        assert "<script" not in html and "<img" not in html, shown
    for field in (await eve.get(f"/api/v1/accounts/{eve.id}"))["fields"]:
        assert "<script" not in field["value"] and 'href="javascript' not in field["value"]
