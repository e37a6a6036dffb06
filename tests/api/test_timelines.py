"""Timelines over HTTP: order, paging by Link, what readers chose not to see, and what is hidden with a reason."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from fedi.model.lists import AccountList
from fedi.store import lists, relations
from tests.support import shapes

ORIGIN = "http://localhost:8080"


def links_of(reply) -> dict[str, str]:
    """``{"next": path, "prev": path}`` as apps that split at commas read the header."""
    found = {}
    for part in reply.headers.get("Link", "").split(","):
        if match := re.fullmatch(r'\s*<([^>]+)>; rel="(next|prev)"\s*', part):
            assert match[1].startswith(ORIGIN + "/")
            found[match[2]] = match[1].removeprefix(ORIGIN)
        else:
            assert not part.strip(), part
    return found


async def walk(reader, path: str) -> list[str]:
    """The ids of a whole list, by following ``next``."""
    seen: list[str] = []
    pages = 0
    while path:
        reply = await reader.ask("GET", path)
        assert reply.status == 200
        seen += [status["id"] for status in reply.json]
        path = links_of(reply).get("next", "")
        pages += 1
        assert pages < 100, "a list without an end"
    return seen


async def posts(reader, count: int, **values) -> list[str]:
    return [(await reader.post("/api/v1/statuses", status=f"post {n}", **values))["id"] for n in range(count)]


async def test_home_holds_ones_own_posts_and_those_of_the_followed(api):
    ann, bob, eve = await api.person("ann"), await api.person("bob"), await api.person("eve")
    await api.follow(ann.id, bob.id)
    mine, theirs, _other = await posts(ann, 1), await posts(bob, 2), await posts(eve, 1)
    home = await ann.get("/api/v1/timelines/home")
    shapes.statuses(home, viewer=True)
    assert [status["id"] for status in home] == [*theirs[::-1], *mine]


async def test_home_is_for_people_with_the_scope(api):
    await api.anybody.fails("GET", "/api/v1/timelines/home", 401)
    ann = await api.person("ann")
    writing = await api.token(ann.account, "write")
    await writing.fails("GET", "/api/v1/timelines/home", 403)


async def test_trap_7_links_are_absolute_carry_on_and_end(api):
    ann = await api.person("ann")
    ids = await posts(ann, 5)
    reply = await ann.ask("GET", "/api/v1/timelines/home?limit=2&access_token=x&local=true")
    assert "Link" in reply.headers["Access-Control-Expose-Headers"]
    links = links_of(reply)
    assert parse_qs(urlsplit(links["next"]).query) == {"limit": ["2"], "local": ["true"], "max_id": [ids[3]]}
    assert parse_qs(urlsplit(links["prev"]).query)["min_id"] == [ids[4]]
    assert await walk(ann, "/api/v1/timelines/home?limit=2") == ids[::-1]
    last = await ann.ask("GET", f"/api/v1/timelines/home?max_id={ids[1]}")
    assert "next" not in links_of(last)
    empty = await ann.ask("GET", f"/api/v1/timelines/home?max_id={ids[0]}")
    assert empty.json == []
    assert "Link" not in empty.headers


async def test_trap_7_no_comma_stands_inside_a_link(api):
    ann = await api.person("ann")
    await posts(ann, 2)
    tagged = [await ann.post("/api/v1/statuses", status="#tag") for _ in range(2)]
    reply = await ann.ask("GET", "/api/v1/timelines/tag/tag", params=[("limit", "1"), ("any[]", "a,b"), ("x", "<>,")])
    assert reply.json[0]["id"] == tagged[1]["id"]
    links = links_of(reply)
    assert parse_qs(urlsplit(links["next"]).query)["any[]"] == ["a,b"]
    assert await walk(ann, "/api/v1/timelines/tag/tag?limit=1") == [tagged[1]["id"], tagged[0]["id"]]


async def test_trap_8_the_order_is_that_of_ids_whichever_way_one_pages(api):
    ann = await api.person("ann")
    ids = await posts(ann, 6)

    async def page(**cuts):
        found = await ann.get("/api/v1/timelines/home", **cuts)
        shapes.statuses(found, viewer=True)
        return [status["id"] for status in found]

    assert await page(limit=2) == [ids[5], ids[4]]
    assert await page(limit=2, max_id=ids[4]) == [ids[3], ids[2]]
    assert await page(limit=2, since_id=ids[1]) == [ids[5], ids[4]]
    assert await page(limit=2, min_id=ids[1]) == [ids[3], ids[2]]
    assert await page(limit=2, min_id=ids[1], max_id=ids[3]) == [ids[2]]
    assert await page(min_id=ids[5]) == []
    assert await page(max_id="undefined", limit=1) == [ids[5]]


async def test_a_limit_is_capped_and_not_refused(api):
    ann = await api.person("ann")
    await posts(ann, 45)
    assert len(await ann.get("/api/v1/timelines/home")) == 20
    assert len(await ann.get("/api/v1/timelines/home", limit=1000)) == 40
    assert len(await ann.get("/api/v1/timelines/home", limit=0)) == 20


async def test_public_and_local(api):
    ann = await api.person("ann")
    far = await api.stranger("far")
    (mine,) = await posts(ann, 1)
    theirs = str(await api.remote_post(far, has_media=True))
    assert [status["id"] for status in await api.anybody.get("/api/v1/timelines/public")] == [theirs, mine]
    assert [status["id"] for status in await api.anybody.get("/api/v1/timelines/public", local="true")] == [mine]
    assert [status["id"] for status in await api.anybody.get("/api/v1/timelines/public", remote="1")] == [theirs]
    assert [status["id"] for status in await ann.get("/api/v1/timelines/public", only_media="on")] == [theirs]
    shapes.statuses(await api.anybody.get("/api/v1/timelines/public"), viewer=False)
    shapes.statuses(await ann.get("/api/v1/timelines/public"), viewer=True)


async def test_a_narrowed_list_is_complete_whatever_lies_between(api):
    ann = await api.person("ann")
    far = await api.stranger("far")
    wanted = []
    for n in range(30):
        await posts(ann, 1)
        if n % 6 == 0:
            wanted.append(str(await api.remote_post(far)))
    assert await walk(ann, "/api/v1/timelines/public?remote=true&limit=2") == wanted[::-1]
    up = await ann.get("/api/v1/timelines/public", remote="true", limit=2, min_id=wanted[1])
    assert [status["id"] for status in up] == [wanted[3], wanted[2]]


async def test_hashtags_can_be_joined_required_and_excluded(api):
    ann = await api.person("ann")
    texts = ["#cats", "#cats #dogs", "#dogs", "#birds #cats #dogs", "#Cats"]
    ids = [(await ann.post("/api/v1/statuses", status=text))["id"] for text in texts]

    async def found(path, *pairs):
        reply = await api.anybody.ask("GET", f"/api/v1/timelines/tag/{path}", params=list(pairs))
        shapes.statuses(reply.json, viewer=False)
        return [ids.index(status["id"]) for status in reply.json]

    assert await found("cats") == [4, 3, 1, 0]
    assert await found("CATS") == [4, 3, 1, 0]
    assert await found("birds", ("any[]", "dogs")) == [3, 2, 1]
    assert await found("cats", ("all[]", "dogs")) == [3, 1]
    assert await found("cats", ("none[]", "Dogs")) == [4, 0]
    assert await found("nothing") == []
    assert await walk(api.anybody, "/api/v1/timelines/tag/birds?any[]=cats&any[]=dogs&limit=2") == ids[::-1]


async def test_a_list_is_its_members_and_only_its_owners_business(api):
    ann, bob, eve = await api.person("ann"), await api.person("bob"), await api.person("eve")
    await api.follow(ann.id, bob.id)
    await api.follow(ann.id, eve.id)
    (theirs,), _other = await posts(bob, 1), await posts(eve, 1)

    async def unit(tx):
        await lists.put_list(tx, AccountList(id=77, account=ann.id, title="Bobs"))
        await lists.put_members(tx, 77, [bob.id])

    await api.db.write("a list", unit)
    assert [status["id"] for status in await ann.get("/api/v1/timelines/list/77")] == [theirs]
    await bob.fails("GET", "/api/v1/timelines/list/77", 404)
    await ann.fails("GET", "/api/v1/timelines/list/78", 404)
    await ann.fails("GET", "/api/v1/timelines/list/x", 404)


@pytest.mark.parametrize("how", ["block", "mute"])
async def test_whom_one_blocks_or_mutes_is_left_out_and_so_are_boosts_of_them(api, how):
    ann, bob, eve = await api.person("ann"), await api.person("bob"), await api.person("eve")
    await api.follow(ann.id, bob.id)
    await api.follow(ann.id, eve.id)
    (theirs,) = await posts(eve, 1)
    (kept,) = await posts(bob, 1)
    await bob.post(f"/api/v1/statuses/{theirs}/reblog")
    assert len(await ann.get("/api/v1/timelines/home")) == 3

    async def unit(tx):
        if how == "block":
            await relations.put_block(tx, ann.id, eve.id, uri=None, now_ms=api.clock.ms())
        else:
            await relations.put_mute(tx, ann.id, eve.id, now_ms=api.clock.ms(), expires_at=api.clock.ms() + 5000)

    await api.db.write(how, unit)
    assert [status["id"] for status in await ann.get("/api/v1/timelines/home")] == [kept]
    assert [status["id"] for status in await ann.get("/api/v1/timelines/public")] == [kept]
    if how == "mute":
        api.clock.advance(s=6)
        assert len(await ann.get("/api/v1/timelines/home")) == 3


async def test_a_boost_of_somebody_who_blocks_the_reader_is_left_out(api):
    ann, bob, eve = await api.person("ann"), await api.person("bob"), await api.person("eve")
    await api.follow(ann.id, bob.id)
    (theirs,) = await posts(eve, 1)
    await bob.post(f"/api/v1/statuses/{theirs}/reblog")
    await api.db.write("block", lambda tx: relations.put_block(tx, eve.id, ann.id, uri=None, now_ms=api.clock.ms()))
    assert await ann.get("/api/v1/timelines/home") == []
    await ann.fails("GET", f"/api/v1/statuses/{theirs}", 404)


async def test_a_page_shows_what_changed_since_it_was_rendered(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    await api.follow(ann.id, bob.id)
    (theirs,) = await posts(bob, 1)
    await ann.get("/api/v1/timelines/home")
    await ann.post(f"/api/v1/statuses/{theirs}/favourite")
    await ann.post(f"/api/v1/statuses/{theirs}/bookmark")
    (found,) = await ann.get("/api/v1/timelines/home")
    assert (found["favourited"], found["bookmarked"], found["favourites_count"]) == (True, True, 1)
    await bob.ask("PUT", f"/api/v1/statuses/{theirs}", json={"status": "changed"})
    (found,) = await ann.get("/api/v1/timelines/home")
    assert found["content"] == "<p>changed</p>"
    assert found["favourited"] is True


async def test_what_is_hidden_is_told_once_in_the_readers_language(api):
    ann = await api.person("ann")
    far, kind = await api.stranger("far"), await api.stranger("kind")
    shown = str(await api.remote_post(kind))
    hidden = [str(await api.remote_post(far)) for _ in range(3)]
    newest = str(await api.remote_post(kind))
    decision = await api.suspend(far.uri)
    page = await ann.get("/api/v1/timelines/public")
    shapes.statuses(page, viewer=True)
    assert [status["id"] for status in page] == [newest, hidden[2], shown]
    notice = page[1]
    assert notice["account"]["acct"] == "localhost"
    assert notice["content"].startswith("<p>3 posts are hidden here until January 31, 2026.")
    assert "rules/2" in notice["content"]
    assert "It posts &lt;b&gt;spam&lt;/b&gt;" in notice["content"]
    assert f'href="{ORIGIN}/fedi/decision/{decision}"' in notice["content"]
    assert await walk(ann, "/api/v1/timelines/public?limit=1") == [newest, hidden[2], shown]
    shapes.statuses(await api.anybody.get("/api/v1/timelines/public"), viewer=False)
    api.clock.advance(days=31)
    assert len(await ann.get("/api/v1/timelines/public")) == 5


async def test_a_boost_of_somebody_hidden_is_hidden_with_them(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    await api.follow(ann.id, bob.id)
    far = await api.stranger("far")
    status = await api.remote_post(far)
    boost = await bob.post(f"/api/v1/statuses/{status}/reblog")
    await api.suspend(far.uri)
    (found,) = await ann.get("/api/v1/timelines/home")
    assert found["id"] == boost["id"]
    assert found["account"]["acct"] == "localhost"
    assert found["reblog"] is None
    assert "1 post is hidden" in found["content"]


async def test_the_same_question_is_answered_from_memory_until_anything_is_committed(api, monkeypatch):
    ann, bob = await api.person("ann"), await api.person("bob")
    await posts(ann, 2)
    read_now, reads = api.db.read_now, []

    async def counted(unit):
        reads.append(unit)
        return await read_now(unit)

    monkeypatch.setattr(api.db, "read_now", counted)
    first = await ann.ask("GET", "/api/v1/timelines/home?limit=1")
    asked = len(reads)
    again = await ann.ask("GET", "/api/v1/timelines/home?limit=1")
    assert len(reads) == asked
    assert (again.body, again.headers["Link"]) == (first.body, first.headers["Link"])
    assert (await bob.ask("GET", "/api/v1/timelines/home?limit=1")).json == []  # another reader
    assert len((await ann.ask("GET", "/api/v1/timelines/home?limit=2")).json) == 2  # another question
    new = await bob.post("/api/v1/statuses", status="x")
    await ann.post(f"/api/v1/statuses/{new['id']}/reblog")
    assert (await ann.ask("GET", "/api/v1/timelines/home?limit=1")).json[0]["reblog"]["id"] == new["id"]
    asked = len(reads)
    api.clock.advance(s=1)  # mutes and decisions end without a commit
    await ann.ask("GET", "/api/v1/timelines/home?limit=1")
    assert len(reads) == asked + 1


async def test_a_body_is_no_part_of_the_remembered_question(api):
    ann = await api.person("ann")
    await posts(ann, 2)
    assert len((await ann.ask("GET", "/api/v1/timelines/home", json={"limit": 1})).json) == 1
    assert len((await ann.ask("GET", "/api/v1/timelines/home", json={"limit": 2})).json) == 2
