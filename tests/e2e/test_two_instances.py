"""Two instances of ours, in processes of their own: what is done on one is seen on the other through its client API."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from tests.support.databases import Postgres
from tests.support.instances import Instance, Person, eventually
from tests.support.peers import FakePeer

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """alice and anna live on one instance; bob and carol on the other."""

    one: Instance
    two: Instance
    alice: Person
    anna: Person
    bob: Person
    carol: Person


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> AsyncIterator[World]:
    """One on SQLite, the other on PostgreSQL."""
    place: Path = tmp_path_factory.mktemp("two")
    url = postgres.fresh(migrated=False)
    one, two = await asyncio.gather(
        Instance.create(place / "one", "one.localhost"),
        Instance.create(place / "two", "two.localhost", FEDI_DATABASE__URL=url),
    )
    alice, bob = await asyncio.gather(one.add_person("alice", "owner"), two.add_person("bob", "owner"))
    anna, carol = await asyncio.gather(one.add_person("anna"), two.add_person("carol"))
    yield World(one=one, two=two, alice=alice, anna=anna, bob=bob, carol=carol)
    await one.close()
    await two.close()
    postgres.drop(url)


def picture(colour: str = "teal") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (120, 80), colour).save(out, "PNG")
    return out.getvalue()


async def befriend(follower: Person, followed: Person) -> dict[str, Any]:
    """Follows and waits until it is accepted; the account as the follower's instance shows it."""
    account = await follower.follow(followed.handle)

    async def is_following() -> bool:
        return (await follower.relationship(account["id"]))["following"]

    await eventually(is_following)
    return account


async def arrived(reader: Person, status: dict[str, Any]) -> dict[str, Any]:
    """The status as the home timeline of ``reader`` shows it."""
    return await eventually(lambda: reader.find_home(status["uri"]), what=f"{status['uri']} in {reader.handle}'s home")


async def again(reader: Person, status: dict[str, Any]) -> dict[str, Any]:
    return await reader.get(f"/api/v1/statuses/{status['id']}")


async def test_a_follow_by_handle_is_accepted_and_seen_on_both_sides(world):
    account = await befriend(world.bob, world.alice)

    assert account["acct"] == world.alice.handle
    assert account["uri"] == world.alice.uri
    told = await eventually(lambda: world.alice.find_notification("follow"))
    assert told["account"]["acct"] == world.bob.handle
    me = await world.alice.get("/api/v1/accounts/verify_credentials")
    followers = await world.alice.get(f"/api/v1/accounts/{me['id']}/followers")
    assert [one["acct"] for one in followers] == [world.bob.handle]
    assert me["followers_count"] == 1


async def test_a_locked_account_is_asked_and_its_answer_seen(world):
    await world.anna.patch("/api/v1/accounts/update_credentials", locked=True)
    account = await world.carol.follow(world.anna.handle)
    request = await eventually(lambda: world.anna.find_notification("follow_request"))
    assert request["account"]["acct"] == world.carol.handle
    assert (await world.carol.relationship(account["id"]))["requested"]
    waiting = await world.anna.get("/api/v1/follow_requests")
    assert [one["acct"] for one in waiting] == [world.carol.handle]

    await world.anna.post(f"/api/v1/follow_requests/{waiting[0]['id']}/authorize")

    async def accepted() -> bool:
        seen = await world.carol.relationship(account["id"])
        return seen["following"] and not seen["requested"]

    await eventually(accepted)
    assert await world.anna.get("/api/v1/follow_requests") == []

    bob_sees = await world.bob.follow(world.anna.handle)
    waiting = await eventually(lambda: world.anna.get("/api/v1/follow_requests"))
    await world.anna.post(f"/api/v1/follow_requests/{waiting[0]['id']}/reject")

    async def refused() -> bool:
        seen = await world.bob.relationship(bob_sees["id"])
        return not seen["following"] and not seen["requested"]

    await eventually(refused)


async def test_a_post_with_a_picture_arrives_with_its_description(world):
    await befriend(world.bob, world.alice)
    media = await world.alice.upload(picture(), "A field of teal")

    posted = await world.alice.post(
        "/api/v1/statuses",
        status="Look at this #teal",
        media_ids=[media],
        spoiler_text="colour",
        sensitive=True,
        language="en",
    )

    seen = await arrived(world.bob, posted)
    assert "Look at this" in seen["content"]
    assert (seen["spoiler_text"], seen["sensitive"], seen["language"], seen["visibility"]) == (
        "colour", True, "en", "public",
    )  # fmt: skip
    assert [tag["name"] for tag in seen["tags"]] == ["teal"]
    (attached,) = seen["media_attachments"]
    assert (attached["type"], attached["description"]) == ("image", "A field of teal")
    assert attached["blurhash"]
    assert attached["meta"]["original"]["width"] == 120
    assert attached["url"].startswith(world.two.origin), "remote pictures come through our own door"
    shown = await world.two.request("GET", attached["url"])
    assert (shown.status, shown.headers["Content-Type"]) == (200, "image/png"), shown.body[:200]
    tagged = await world.bob.get("/api/v1/timelines/tag/teal")
    assert [one["uri"] for one in tagged] == [posted["uri"]]


async def test_votes_in_a_poll_are_counted_where_it_was_asked(world):
    await befriend(world.bob, world.alice)
    posted = await world.alice.post(
        "/api/v1/statuses", status="Tea?", poll={"options": ["Black", "Green"], "expires_in": 3600, "multiple": False}
    )
    seen = await arrived(world.bob, posted)
    assert [option["title"] for option in seen["poll"]["options"]] == ["Black", "Green"]

    voted = await world.bob.post(f"/api/v1/polls/{seen['poll']['id']}/votes", choices=[1])

    assert (voted["voted"], voted["own_votes"]) == (True, [1])

    async def counted() -> bool:
        poll = await world.alice.get(f"/api/v1/polls/{posted['poll']['id']}")
        return [option["votes_count"] for option in poll["options"]] == [0, 1] and poll["voters_count"] == 1

    await eventually(counted)

    async def told_back() -> bool:
        poll = await world.bob.get(f"/api/v1/polls/{seen['poll']['id']}")
        return [option["votes_count"] for option in poll["options"]] == [0, 1]

    await eventually(told_back)
    second = await world.bob.call("POST", f"/api/v1/polls/{seen['poll']['id']}/votes", json={"choices": [0]})
    assert second.status == 422


async def test_a_reply_notifies_and_both_see_one_thread(world):
    await befriend(world.bob, world.alice)
    posted = await world.alice.post("/api/v1/statuses", status="A question")
    seen = await arrived(world.bob, posted)

    reply = await world.bob.post(
        "/api/v1/statuses", status=f"@{world.alice.handle} an answer", in_reply_to_id=seen["id"]
    )

    told = await eventually(lambda: world.alice.find_notification("mention"))
    assert told["status"]["uri"] == reply["uri"]
    assert told["status"]["in_reply_to_id"] == posted["id"]
    assert 'class="u-url mention"' in told["status"]["content"]
    context = await world.alice.get(f"/api/v1/statuses/{posted['id']}/context")
    assert [one["uri"] for one in context["descendants"]] == [reply["uri"]]
    context = await world.bob.get(f"/api/v1/statuses/{reply['id']}/context")
    assert [one["uri"] for one in context["ancestors"]] == [posted["uri"]]
    assert (await again(world.alice, posted))["replies_count"] == 1


async def test_boosts_and_favourites_are_counted_and_taken_back(world):
    await befriend(world.bob, world.alice)
    posted = await world.alice.post("/api/v1/statuses", status="Good news")
    seen = await arrived(world.bob, posted)

    boost = await world.bob.post(f"/api/v1/statuses/{seen['id']}/reblog")
    await world.bob.post(f"/api/v1/statuses/{seen['id']}/favourite")

    assert boost["reblog"]["uri"] == posted["uri"]
    for kind in ("reblog", "favourite"):
        told = await eventually(lambda kind=kind: world.alice.find_notification(kind))
        assert (told["account"]["acct"], told["status"]["id"]) == (world.bob.handle, posted["id"])
    now = await again(world.alice, posted)
    assert (now["reblogs_count"], now["favourites_count"]) == (1, 1)
    by = await world.alice.get(f"/api/v1/statuses/{posted['id']}/reblogged_by")
    assert [one["acct"] for one in by] == [world.bob.handle]

    await world.bob.post(f"/api/v1/statuses/{seen['id']}/unreblog")
    await world.bob.post(f"/api/v1/statuses/{seen['id']}/unfavourite")

    async def taken_back() -> bool:
        now = await again(world.alice, posted)
        return (now["reblogs_count"], now["favourites_count"]) == (0, 0)

    await eventually(taken_back)


async def test_a_boost_brings_a_post_to_followers_who_did_not_have_it(world):
    await befriend(world.alice, world.bob)
    posted = await world.carol.post("/api/v1/statuses", status="Carol alone")
    boost = await world.bob.post(f"/api/v1/statuses/{posted['id']}/reblog")

    seen = await arrived(world.alice, boost)

    assert seen["reblog"]["uri"] == posted["uri"]
    assert seen["reblog"]["account"]["acct"] == world.carol.handle
    assert "Carol alone" in seen["reblog"]["content"]


async def test_a_quote_is_stamped_by_the_quoted_and_shown_on_both_sides(world):
    await befriend(world.bob, world.alice)
    await befriend(world.alice, world.bob)
    posted = await world.alice.post("/api/v1/statuses", status="Quote me", quote_approval_policy="public")
    seen = await arrived(world.bob, posted)

    quoting = await world.bob.post("/api/v1/statuses", status="As Alice says", quoted_status_id=seen["id"])

    async def accepted() -> bool:
        return (await again(world.bob, quoting))["quote"]["state"] == "accepted"

    await eventually(accepted)

    async def told() -> Any:  # apps that know no quotes are told of a mention
        found = await world.alice.find_notification("mention")
        return found if found and found["status"]["uri"] == quoting["uri"] else None

    quote_there = (await eventually(told))["status"]

    async def shown() -> bool:
        here = await world.alice.find_home(quoting["uri"])
        return here and here["quote"]["state"] == "accepted" and here["quote"]["quoted_status"]["id"] == posted["id"]

    await eventually(shown)

    await world.alice.post(f"/api/v1/statuses/{posted['id']}/quotes/{quote_there['id']}/revoke")

    async def revoked() -> bool:
        return (await again(world.bob, quoting))["quote"]["state"] == "revoked"

    await eventually(revoked)


async def test_an_edit_arrives_with_its_history(world):
    await befriend(world.bob, world.alice)
    posted = await world.alice.post("/api/v1/statuses", status="Frist")
    seen = await arrived(world.bob, posted)

    await world.alice.put(f"/api/v1/statuses/{posted['id']}", status="First", spoiler_text="corrected")

    async def edited() -> bool:
        now = await again(world.bob, seen)
        return "First" in now["content"] and now["spoiler_text"] == "corrected" and now["edited_at"]

    await eventually(edited)
    history = await world.bob.get(f"/api/v1/statuses/{seen['id']}/history")
    assert ["Frist" in history[0]["content"], "First" in history[1]["content"]] == [True, True]


async def test_a_deleted_post_goes_everywhere(world):
    await befriend(world.bob, world.alice)
    posted = await world.alice.post("/api/v1/statuses", status="Not for long")
    seen = await arrived(world.bob, posted)

    await world.alice.delete(f"/api/v1/statuses/{posted['id']}")

    async def gone() -> bool:
        return (await world.bob.call("GET", f"/api/v1/statuses/{seen['id']}")).status == 404

    await eventually(gone)
    assert await world.bob.find_home(posted["uri"]) is None
    assert (await world.one.document(posted["uri"], status=410))["type"] == "Tombstone"


async def test_private_and_direct_posts_reach_their_readers_and_nobody_else(world):
    account = await befriend(world.bob, world.alice)
    private = await world.alice.post("/api/v1/statuses", status="For followers", visibility="private")
    direct = await world.alice.post(
        "/api/v1/statuses", status=f"@{world.bob.handle} for you alone", visibility="direct"
    )

    seen = await arrived(world.bob, private)
    assert seen["visibility"] == "private"
    told = await eventually(lambda: world.bob.find_notification("mention"))
    assert (told["status"]["uri"], told["status"]["visibility"]) == (direct["uri"], "direct")
    assert await world.bob.find_home(direct["uri"]) is None, "direct messages do not stand in home"

    for status in (seen, told["status"]):
        for asker in (world.carol.call("GET", f"/api/v1/statuses/{status['id']}"),
                      world.two.request("GET", f"/api/v1/statuses/{status['id']}")):  # fmt: skip
            assert (await asker).status == 404
    for status in (private, direct):
        for origin_asker in (world.anna.call("GET", f"/api/v1/statuses/{status['id']}"),
                             world.one.request("GET", status["uri"], headers={"Accept": "application/activity+json"})):  # fmt: skip
            assert (await origin_asker).status == 404
    for path in ("/api/v1/timelines/public", f"/api/v1/accounts/{account['id']}/statuses"):
        listed = {status["uri"] for status in await world.carol.get(path, limit=40)}
        assert not listed & {private["uri"], direct["uri"]}
    found = await world.carol.get("/api/v2/search", q=private["uri"], resolve="true")
    assert found["statuses"] == []


async def test_a_changed_profile_is_seen_on_the_other_side(world):
    account = await befriend(world.bob, world.alice)
    await world.alice.patch(
        "/api/v1/accounts/update_credentials",
        display_name="Alice Meadows",
        note="Gardener",
        fields_attributes=[{"name": "Site", "value": "https://alice.example"}],
    )

    async def changed() -> bool:
        now = await world.bob.get(f"/api/v1/accounts/{account['id']}")
        return now["display_name"] == "Alice Meadows" and "Gardener" in now["note"] and len(now["fields"]) == 1

    await eventually(changed)


async def test_pinned_posts_are_seen_on_the_other_side(world):
    account = await befriend(world.bob, world.alice)
    posted = await world.alice.post("/api/v1/statuses", status="Read this first")
    await arrived(world.bob, posted)
    await world.alice.post(f"/api/v1/statuses/{posted['id']}/pin")

    async def pinned() -> list[str]:
        found = await world.bob.get(f"/api/v1/accounts/{account['id']}/statuses", pinned="true")
        return [status["uri"] for status in found]

    await eventually(lambda: _equal(pinned, [posted["uri"]]))

    await world.alice.post(f"/api/v1/statuses/{posted['id']}/unpin")
    await eventually(lambda: _equal(pinned, []))


async def _equal(ask, wanted) -> bool:
    return await ask() == wanted


async def test_the_author_sees_which_server_has_a_post_and_which_does_not(world):
    await befriend(world.bob, world.alice)
    refusing, away = await FakePeer.start("refusing"), await FakePeer.start("away")
    for peer in (refusing, away):
        actor = peer.add_actor("reader")
        peer.answer("/inbox", status=202)
        follow = peer.activity("Follow", actor, world.alice.uri)
        status, _headers, body = await peer.post(f"{world.one.origin}/inbox", follow, actor)
        assert status == 202, body
        await peer.until_received(1)  # the Accept
    refusing.answer("/inbox", status=403, body=b"no")
    await away.stop()

    posted = await world.alice.post("/api/v1/statuses", status="Who has it?")

    async def report() -> dict[str, dict[str, Any]]:
        rows = (await world.one.cli("post", "deliveries", posted["url"], "--json")).json
        return {row["host"]: row for row in rows}

    async def settled() -> bool:
        rows = await report()
        return {"pending"}.isdisjoint(row["state"] for row in rows.values()) and len(rows) == 3

    await eventually(settled, 30)
    rows = await report()
    assert rows[world.two.domain]["state"] == "sent"
    assert (rows[refusing.host]["state"], rows[refusing.host]["code"]) == ("refused", 403)
    assert rows[away.host]["state"] == "retrying"
    assert rows[away.host]["error"]
    await refusing.stop()


async def test_a_follower_comes_along_when_an_account_moves(world):
    """The old account lives on a third server; its followers here follow the new one, which names the old."""
    peer = await FakePeer.start("mover")
    old = peer.add_actor("old")
    new = peer.add_actor("new", alsoKnownAs=[old.id])
    account = await world.carol.resolve(f"old@{peer.host}")
    await world.carol.post(f"/api/v1/accounts/{account['id']}/follow")
    (follow,) = await peer.until_received(1)
    accept = peer.activity("Accept", old, follow.activity)
    assert (await peer.post(f"{world.two.origin}/inbox", accept, old))[0] == 202

    async def follows_old() -> bool:
        return (await world.carol.relationship(account["id"]))["following"]

    await eventually(follows_old)
    old.document["movedTo"] = new.id
    move = peer.activity("Move", old, old.id, target=new.id, to=[old.followers])

    assert (await peer.post(f"{world.two.origin}/inbox", move, old))[0] == 202

    async def asked() -> bool:
        return any(one.activity["type"] == "Follow" and one.activity["object"] == new.id for one in peer.received)

    await eventually(asked)
    shown = await world.carol.get(f"/api/v1/accounts/{account['id']}")
    assert shown["moved"]["acct"] == f"new@{peer.host}"
    await peer.stop()


async def test_unfollowing_ends_what_arrives(world):
    account = await befriend(world.carol, world.alice)
    await world.carol.post(f"/api/v1/accounts/{account['id']}/unfollow")
    me = await world.alice.get("/api/v1/accounts/verify_credentials")

    async def left() -> bool:
        followers = await world.alice.get(f"/api/v1/accounts/{me['id']}/followers")
        return world.carol.handle not in {one["acct"] for one in followers}

    await eventually(left)
    posted = await world.alice.post("/api/v1/statuses", status="After the unfollow")
    await arrived(world.bob, posted)  # bob's instance, which is carol's, has it
    assert await world.carol.find_home(posted["uri"]) is None


async def test_a_block_severs_both_ways_and_can_be_taken_back(world):
    await befriend(world.bob, world.alice)
    await befriend(world.alice, world.bob)
    bob_there = await world.alice.resolve(world.bob.handle)
    alice_there = await world.bob.resolve(world.alice.handle)

    await world.alice.post(f"/api/v1/accounts/{bob_there['id']}/block")

    async def severed() -> bool:
        seen = await world.bob.relationship(alice_there["id"])
        return not seen["following"] and not seen["followed_by"] and seen["blocked_by"]

    await eventually(severed)
    refused = await world.bob.call("POST", f"/api/v1/accounts/{alice_there['id']}/follow")
    assert refused.status in {403, 422} or not refused.json["following"]

    await world.alice.post(f"/api/v1/accounts/{bob_there['id']}/unblock")

    async def free() -> bool:
        return not (await world.bob.relationship(alice_there["id"]))["blocked_by"]

    await eventually(free)
    await befriend(world.bob, world.alice)
