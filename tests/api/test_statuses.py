"""Writing, reading and deleting statuses, and what people do with them."""

import asyncio
import json

import pytest

from fedi.store import statuses
from tests.support import shapes


async def test_a_post_with_everything_comes_back_as_it_was_meant(api):
    ann = await api.person("ann")
    parent = await ann.post("/api/v1/statuses", status="Root")
    status = await ann.post(
        "/api/v1/statuses",
        status="Hello *world*",
        in_reply_to_id=parent["id"],
        sensitive="true",
        spoiler_text="cw",
        visibility="unlisted",
        language="fr",
        poll={"options": ["a", "b"], "expires_in": "600", "multiple": "1"},
    )
    shapes.status(status, viewer=True)
    assert status["in_reply_to_id"] == parent["id"]
    assert status["in_reply_to_account_id"] == str(ann.id)
    assert (status["visibility"], status["sensitive"], status["language"]) == ("unlisted", True, "fr")
    assert status["poll"]["multiple"] is True
    assert (await ann.get(f"/api/v1/statuses/{parent['id']}"))["replies_count"] == 1


@pytest.mark.parametrize("how", ["json", "form", "query", "multipart"])
async def test_parameters_are_read_however_they_are_sent(api, how):
    ann = await api.person("ann")
    pairs = [("status", "Hi"), ("poll[options][]", "a"), ("poll[options][]", "b"), ("poll[expires_in]", "600")]
    match how:
        case "json":
            sent = {"json": {"status": "Hi", "poll": {"options": ["a", "b"], "expires_in": 600}}}
        case "form":
            sent = {"data": pairs}
        case "query":
            sent = {"params": pairs}
        case _:
            import aiohttp

            form = aiohttp.FormData()
            for name, value in pairs:
                form.add_field(name, value, content_type="text/plain")
            sent = {"data": form}
    reply = await ann.ask("POST", "/api/v1/statuses", **sent)
    assert reply.status == 200, reply.body
    assert [option["title"] for option in reply.json["poll"]["options"]] == ["a", "b"]


async def test_what_is_left_out_is_as_the_author_set_it(api):
    from fedi.model.users import UserSettings
    from fedi.store import users

    ann = await api.person("ann")
    settings = UserSettings(visibility="private", sensitive=True, language="ar", quote_policy="nobody")
    await api.db.write("settings", lambda tx: users.set_settings(tx, ann.id, settings))
    status = await ann.post("/api/v1/statuses", status="Hello")
    assert (status["visibility"], status["sensitive"], status["language"]) == ("private", True, "ar")
    assert status["quote_approval"]["automatic"] == []


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"status": ""}, "picture"),
        ({"status": "x" * 5001}, "too long"),
        ({"status": "x", "visibility": "everybody"}, "visibility"),
        ({"status": "x", "media_ids": ["12345"]}, "attached"),
        ({"status": "x", "poll": {"options": ["only one"], "expires_in": 600}}, "options"),
        ({"status": "x", "poll": {"options": ["a", "b"], "expires_in": 1}}, "poll"),
        ({"status": "x", "in_reply_to_id": "me"}, "in_reply_to_id"),
        ({"status": "x", "sensitive": "perhaps"}, "sensitive"),
    ],
)
async def test_a_refused_post_says_what_to_change(api, values, word):
    ann = await api.person("ann")
    assert word in await ann.fails("POST", "/api/v1/statuses", 422, json=values)
    assert await ann.get("/api/v1/timelines/home") == []


async def test_trap_21_a_plain_post_is_a_status_and_a_time_is_refused_rather_than_ignored(api):
    ann = await api.person("ann")
    shapes.status(await ann.post("/api/v1/statuses", status="now"), viewer=True)
    later = {"status": "later", "scheduled_at": "2030-01-01T00:00:00Z"}
    assert "scheduled" in await ann.fails("POST", "/api/v1/statuses", 422, json=later)
    assert [status["content"] for status in await ann.get("/api/v1/timelines/home")] == ["<p>now</p>"]


async def test_a_repeated_idempotency_key_gives_the_first_status(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    key = {"headers": {"Idempotency-Key": "k1"}, "json": {"status": "Once"}}
    first = (await ann.ask("POST", "/api/v1/statuses", **key)).json
    again = (await ann.ask("POST", "/api/v1/statuses", **key)).json
    assert again["id"] == first["id"]
    assert (await bob.ask("POST", "/api/v1/statuses", **key)).json["id"] != first["id"]
    api.clock.advance(hours=1, s=1)
    assert (await ann.ask("POST", "/api/v1/statuses", **key)).json["id"] != first["id"]


async def test_concurrent_repeats_of_a_key_are_one_status(api):
    ann = await api.person("ann")
    key = {"headers": {"Idempotency-Key": "k"}, "json": {"status": "Once"}}
    replies = await asyncio.gather(*(ann.ask("POST", "/api/v1/statuses", **key) for _ in range(8)))
    assert {reply.json["id"] for reply in replies} == {replies[0].json["id"]}
    assert len(await ann.get("/api/v1/timelines/home")) == 1


async def test_trap_19_a_refusal_is_not_kept_under_the_key(api):
    ann = await api.person("ann")
    headers = {"Idempotency-Key": "k"}
    await ann.fails("POST", "/api/v1/statuses", 422, headers=headers, json={"status": ""})
    reply = await ann.ask("POST", "/api/v1/statuses", headers=headers, json={"status": "Better"})
    assert reply.status == 200
    assert reply.json["content"] == "<p>Better</p>"


async def test_an_edit_keeps_the_versions_before_it(api):
    ann = await api.person("ann")
    status = await ann.post("/api/v1/statuses", status="One", spoiler_text="cw")
    at = f"/api/v1/statuses/{status['id']}"
    api.clock.advance(s=5)
    edited = (await ann.ask("PUT", at, json={"status": "Two", "spoiler_text": ""})).json
    shapes.status(edited, viewer=True)
    assert edited["content"] == "<p>Two</p>"
    assert edited["edited_at"] == "2026-01-01T00:00:05.010Z"
    versions = await api.anybody.get(f"{at}/history")
    assert [version["content"] for version in versions] == ["<p>One</p>", "<p>Two</p>"]
    assert versions[0]["spoiler_text"] == "cw"
    assert versions[0]["created_at"] == status["created_at"]
    for version in versions:
        shapes.account(version["account"])
        assert version["media_attachments"] == version["emojis"] == []
    source = await ann.get(f"{at}/source")
    assert source == {"id": status["id"], "text": "Two", "spoiler_text": ""}
    assert (await ann.ask("PATCH", at, json={"status": "Three"})).json["content"] == "<p>Three</p>"


async def test_the_source_of_a_post_is_its_authors_business(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    status = await ann.post("/api/v1/statuses", status="One")
    await bob.fails("GET", f"/api/v1/statuses/{status['id']}/source", 404)
    await bob.fails("PUT", f"/api/v1/statuses/{status['id']}", 404, json={"status": "Mine"})
    await bob.fails("DELETE", f"/api/v1/statuses/{status['id']}", 404)
    await bob.fails("GET", f"/api/fedi/v1/statuses/{status['id']}/delivery", 404)


async def test_deleting_answers_with_the_text_as_written(api):
    ann = await api.person("ann")
    status = await ann.post("/api/v1/statuses", status="Hello #x & y")
    gone = (await ann.ask("DELETE", f"/api/v1/statuses/{status['id']}")).json
    assert gone["text"] == "Hello #x & y"
    assert "content" not in gone
    assert gone["id"] == status["id"]
    await ann.fails("GET", f"/api/v1/statuses/{status['id']}", 404)
    await ann.fails("DELETE", f"/api/v1/statuses/{status['id']}", 404)
    assert await ann.get("/api/v1/timelines/home") == []


async def test_deleting_a_boost_takes_it_back(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    status = await ann.post("/api/v1/statuses", status="Hello")
    boost = await bob.post(f"/api/v1/statuses/{status['id']}/reblog")
    assert (await bob.ask("DELETE", f"/api/v1/statuses/{boost['id']}")).status == 200
    assert (await ann.get(f"/api/v1/statuses/{status['id']}"))["reblogs_count"] == 0


@pytest.mark.parametrize(
    ("act", "undo", "flag", "count"),
    [
        ("favourite", "unfavourite", "favourited", "favourites_count"),
        ("reblog", "unreblog", "reblogged", "reblogs_count"),
        ("bookmark", "unbookmark", "bookmarked", None),
        ("mute", "unmute", "muted", None),
    ],
)
async def test_acts_on_a_status_show_for_their_actor_and_can_be_undone(api, act, undo, flag, count):
    ann, bob = await api.person("ann"), await api.person("bob")
    at = f"/api/v1/statuses/{(await ann.post('/api/v1/statuses', status='Hello'))['id']}"
    for _ in range(2):  # twice is once
        done = await bob.post(f"{at}/{act}")
        shapes.status(done, viewer=True)
        assert done[flag] is True
    seen = await bob.get(at)
    assert seen[flag] is True
    assert (await ann.get(at))[flag] is False
    if count:
        assert seen[count] == 1
    undone = await bob.post(f"{at}/{undo}")
    assert undone[flag] is False
    if count:
        assert (await ann.get(at))[count] == 0


async def test_acting_on_a_boost_acts_on_what_it_boosts(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    status = await ann.post("/api/v1/statuses", status="Hello")
    boost = await bob.post(f"/api/v1/statuses/{status['id']}/reblog")
    liked = await ann.post(f"/api/v1/statuses/{boost['id']}/favourite")
    assert liked["id"] == status["id"]
    (listed,) = await ann.get("/api/v1/favourites")
    assert listed["id"] == status["id"]
    (who,) = await ann.get(f"/api/v1/statuses/{boost['id']}/favourited_by")
    assert who["acct"] == "ann"
    (who,) = await api.anybody.get(f"/api/v1/statuses/{status['id']}/reblogged_by")
    shapes.account(who)
    assert who["acct"] == "bob"


async def test_pins_are_for_ones_own_posts(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    status = await ann.post("/api/v1/statuses", status="Hello")
    assert status["pinned"] is False
    assert (await ann.post(f"/api/v1/statuses/{status['id']}/pin"))["pinned"] is True
    assert "pinned" not in await bob.get(f"/api/v1/statuses/{status['id']}")
    await bob.fails("POST", f"/api/v1/statuses/{status['id']}/pin", 404)
    assert (await ann.post(f"/api/v1/statuses/{status['id']}/unpin"))["pinned"] is False


async def test_bookmarks_and_favourites_page_by_their_own_order(api):
    ann = await api.person("ann")
    posts = [(await ann.post("/api/v1/statuses", status=str(n)))["id"] for n in range(5)]
    order = [posts[index] for index in (3, 0, 4, 1, 2)]
    for post in order:
        await ann.post(f"/api/v1/statuses/{post}/bookmark")
    seen, path, pages = [], "/api/v1/bookmarks?limit=2", 0
    while path:
        reply = await ann.ask("GET", path)
        seen += [status["id"] for status in reply.json]
        links = reply.headers.get("Link", "")
        path = next((part.split(">")[0].strip(" <") for part in links.split(",") if 'rel="next"' in part), "")
        path = path.removeprefix("http://localhost:8080")
        pages += 1
    assert seen == order[::-1]
    assert pages == 3
    await ann.post("/api/v1/statuses", status="x")
    assert await ann.get("/api/v1/favourites") == []


async def test_who_may_read_what(api):
    ann, bob, eve = await api.person("ann"), await api.person("bob"), await api.person("eve")
    await api.follow(bob.id, ann.id)
    ids = {}
    for visibility in ("public", "unlisted", "private", "direct"):
        status = await ann.post("/api/v1/statuses", status="For @eve", visibility=visibility)
        ids[visibility] = status["id"]
        assert status["visibility"] == visibility
    plain = (await ann.post("/api/v1/statuses", status="For followers", visibility="private"))["id"]

    async def seen_by(reader):
        replies = {name: await reader.ask("GET", f"/api/v1/statuses/{id_}") for name, id_ in ids.items()}
        return {name for name, reply in replies.items() if reply.status == 200}

    assert await seen_by(api.anybody) == {"public", "unlisted"}
    assert await seen_by(bob) == {"public", "unlisted", "private"}
    assert await seen_by(eve) == {"public", "unlisted", "private", "direct"}
    await eve.fails("GET", f"/api/v1/statuses/{plain}", 404)
    for what in ("context", "history", "favourited_by", "reblogged_by"):
        await eve.fails("GET", f"/api/v1/statuses/{plain}/{what}", 404)
    for act in ("favourite", "reblog", "bookmark", "mute"):
        await eve.fails("POST", f"/api/v1/statuses/{plain}/{act}", 404)
    several = await eve.ask("GET", "/api/v1/statuses", params=[("id[]", plain), ("id[]", ids["direct"])])
    assert [status["id"] for status in several.json] == [ids["direct"]]


async def test_a_conversation_is_read_from_its_middle(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    root = await ann.post("/api/v1/statuses", status="root")
    middle = await bob.post("/api/v1/statuses", status="middle", in_reply_to_id=root["id"])
    leaf = await ann.post("/api/v1/statuses", status="leaf", in_reply_to_id=middle["id"])
    secret = await ann.post("/api/v1/statuses", status="@bob secret", in_reply_to_id=middle["id"], visibility="direct")
    context = await bob.get(f"/api/v1/statuses/{middle['id']}/context")
    assert [status["id"] for status in context["ancestors"]] == [root["id"]]
    assert [status["id"] for status in context["descendants"]] == [leaf["id"], secret["id"]]
    for status in context["ancestors"] + context["descendants"]:
        shapes.status(status, viewer=True)
    public = await api.anybody.get(f"/api/v1/statuses/{middle['id']}/context")
    assert [status["id"] for status in public["descendants"]] == [leaf["id"]]
    assert public["fedi"]["known"] == 4
    assert public["fedi"]["estimate"] is None


async def test_opening_a_remote_thread_looks_for_the_rest_of_it_once(api):
    ann = await api.person("ann")
    far = await api.stranger("far")
    status = await api.remote_post(far)

    async def waiting(tx):
        return [json.loads(row[0]) for row in await tx.all("SELECT payload FROM job WHERE kind = 'fetch_thread'")]

    await api.anybody.get(f"/api/v1/statuses/{status}/context")
    assert await api.db.read(waiting) == []
    for _ in range(2):
        await ann.get(f"/api/v1/statuses/{status}/context")
    assert await api.db.read(waiting) == [{"status": status}]
    own = await ann.post("/api/v1/statuses", status="mine")
    await ann.get(f"/api/v1/statuses/{own['id']}/context")
    assert len(await api.db.read(waiting)) == 1


async def test_a_reply_whose_parent_is_gone_is_refused(api):
    ann = await api.person("ann")
    parent = await ann.post("/api/v1/statuses", status="root")
    await ann.ask("DELETE", f"/api/v1/statuses/{parent['id']}")
    reply = await ann.ask("POST", "/api/v1/statuses", json={"status": "x", "in_reply_to_id": parent["id"]})
    assert reply.status in {404, 422}
    assert reply.json["error"]


async def test_where_a_post_went_is_for_its_author(api):
    ann = await api.person("ann")
    far = await api.stranger("far")
    await api.follow(far.id, ann.id)
    status = await ann.post("/api/v1/statuses", status="To the world")
    report = await ann.get(f"/api/fedi/v1/statuses/{status['id']}/delivery")
    (activity,) = report["activities"]
    assert activity["type"] == "Create"
    (host,) = activity["hosts"]
    assert (host["host"], host["state"], host["recipients"]) == ("far.example", "queued", 1)
    await api.anybody.fails("GET", f"/api/fedi/v1/statuses/{status['id']}/delivery", 401)


@pytest.mark.parametrize("wrong", ["0x1", "01HXYZ", "-1", "9" * 30, "١٢"])
async def test_an_id_that_is_none_is_not_found(api, wrong):
    ann = await api.person("ann")
    await ann.fails("GET", f"/api/v1/statuses/{wrong}", 404)
    await ann.fails("POST", f"/api/v1/statuses/{wrong}/favourite", 404)


async def test_trap_9_no_answer_is_empty_and_no_error_is_html(api):
    ann = await api.person("ann")
    status = await ann.post("/api/v1/statuses", status="x")
    for method, path, code in [
        ("POST", f"/api/v1/statuses/{status['id']}/nothing", 404),
        ("DELETE", "/api/v1/timelines/home", 404),
        ("POST", "/api/v1/statuses/1/favourite", 404),
        ("POST", "/api/v1/polls/1/votes", 404),
    ]:
        await ann.fails(method, path, code)
    await api.anybody.fails("POST", "/api/v1/statuses", 401, json={"status": "x"})
    reading = await api.token(ann.account, "read")
    await reading.fails("POST", "/api/v1/statuses", 403, json={"status": "x"})
    reply = await ann.ask("POST", "/api/v1/statuses", data=b"{", headers={"Content-Type": "application/json"})
    assert reply.status == 400
    assert reply.json["error"]


async def test_trap_10_an_unknown_endpoint_or_version_is_404_as_json(api):
    for path in ("/api/v9/statuses", "/api/v3/search", "/api/v1/nothing", "/api/"):
        await api.anybody.fails("GET", path, 404)


async def test_a_vote_that_cannot_count_says_why(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    status = await ann.post("/api/v1/statuses", status="?", poll={"options": ["a", "b"], "expires_in": 600})
    at = f"/api/v1/polls/{status['poll']['id']}"
    for choices in ([], [7], [0, 1]):
        await bob.fails("POST", f"{at}/votes", 422, json={"choices": choices})
    voted = (await bob.ask("POST", f"{at}/votes", data={"choices[]": "0"})).json
    shapes.poll(voted)
    assert voted["own_votes"] == [0]
    await bob.fails("POST", f"{at}/votes", 422, json={"choices": [1]})
    assert (await api.anybody.get(at))["votes_count"] == 1


async def test_a_hidden_status_tells_why_instead_of_vanishing(api):
    ann = await api.person("ann")
    far = await api.stranger("far")
    status = await api.remote_post(far)
    decision = await api.suspend(far.uri)
    found = await ann.get(f"/api/v1/statuses/{status}")
    shapes.status(found, viewer=True)
    assert found["account"]["acct"] == "localhost"
    assert f"/fedi/decision/{decision}" in found["content"]
    assert "Far" not in found["content"]
    page = await api.anybody.ask("GET", f"/fedi/decision/{decision}")
    assert page.json["rule"] == "rules/2"
    assert page.json["in_force"] is True
    missing = await api.anybody.ask("GET", "/fedi/decision/nothing")
    assert missing.status == 404
    api.clock.advance(days=31)
    assert (await ann.get(f"/api/v1/statuses/{status}"))["account"]["acct"] == "far@far.example"


async def test_a_conversation_and_ones_bookmarks_say_what_is_hidden_in_them(api):
    ann = await api.person("ann")
    far, kind = await api.stranger("far"), await api.stranger("kind")
    root = await ann.post("/api/v1/statuses", status="root")

    async def parent(tx):
        return await statuses.find_status(tx, int(root["id"]))

    found = await api.db.read(parent)
    hidden = [await api.remote_post(far, reply_to=found) for _ in range(2)]
    shown = await api.remote_post(kind, reply_to=found)
    for status in (*hidden, shown):
        await ann.post(f"/api/v1/statuses/{status}/bookmark")
    decision = await api.suspend(far.uri)
    replies = (await ann.get(f"/api/v1/statuses/{root['id']}/context"))["descendants"]
    assert [status["id"] for status in replies] == [str(hidden[0]), str(shown)]
    bookmarks = await ann.get("/api/v1/bookmarks")
    assert [status["id"] for status in bookmarks] == [str(shown), str(hidden[1])]
    for notice in (replies[0], bookmarks[1]):
        shapes.status(notice, viewer=True)
        assert notice["content"].startswith("<p>2 posts are hidden here")
        assert decision in notice["content"]
