"""Federation with a server that somebody else wrote: Fedify, in both roles.

What it received is read from Fedify itself, which had checked the signatures; what it sent is seen through our
client API. A tap before each of the two shows which signature a request carried, and refuses or changes it in passing.
"""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.test_utils import unused_port
from PIL import Image

from tests.support.fedify import CONTEXT, PUBLIC, Fedify
from tests.support.instances import Instance, Person, eventually
from tests.support.peers import ACTIVITY_JSON, FakePeer
from tests.support.taps import Tap

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """alice and bob are ours, fay is Fedify's. ``tap`` stands before us, ``fedify.tap`` before Fedify."""

    ours: Instance
    tap: Tap
    alice: Person
    bob: Person
    fedify: Fedify
    fay: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    place: Path = tmp_path_factory.mktemp("fedify")
    inner = unused_port()
    ours = Instance(place / "home", "localhost", {"FEDI_SERVER__PORT": str(inner)})
    tap = await Tap.start(ours.port, inner)
    fedify, _ = await asyncio.gather(Fedify.start(place), ours.init())
    await ours.start()
    alice, bob = await asyncio.gather(ours.add_person("alice", "owner"), ours.add_person("bob"))
    fay = await fedify.add_person("fay")
    yield World(ours=ours, tap=tap, alice=alice, bob=bob, fedify=fedify, fay=fay)
    await ours.close()
    await fedify.stop()
    await tap.stop()


@pytest.fixture
def world(house: World) -> World:
    """With both taps as usual."""
    house.tap.as_usual()
    house.fedify.tap.as_usual()
    return house


async def fedify_follows(world: World, person: Person, name: str = "fay") -> dict[str, Any]:
    """fay follows one of ours and has the Accept; the Follow."""
    follow = await world.fedify.send(name, {"type": "Follow", "object": person.uri}, [person.uri])
    await world.fedify.until_received("Accept", lambda one: _id_of(one["object"]) == follow["id"])
    return follow


async def we_follow(world: World, person: Person, name: str = "fay") -> dict[str, Any]:
    """One of ours follows, and Fedify has accepted; the account as we show it."""
    account = await person.follow(f"{name}@{world.fedify.host}")

    async def accepted() -> bool:
        return (await person.relationship(account["id"]))["following"]

    await eventually(accepted, what=lambda: f"accepted\n{world.ours.log[-2000:]}")
    return account


def _id_of(value: Any) -> str:
    return value["id"] if isinstance(value, dict) else value


async def arrived(person: Person, uri: str) -> dict[str, Any]:
    return await eventually(lambda: person.find_home(uri), what=lambda: f"{uri} arrives\n{person.instance.log[-2000:]}")


async def again(person: Person, status: dict[str, Any]) -> dict[str, Any]:
    return await person.get(f"/api/v1/statuses/{status['id']}")


def about(uri: str):
    """Activities whose object this is."""
    return lambda activity: _id_of(activity.get("object", "")) == uri


# Discovery ---------------------------------------------------------------------------------------------------


async def test_each_finds_the_other_by_webfinger_and_reads_its_actor(world):
    found = await world.alice.resolve(f"@fay@{world.fedify.host}")
    assert found["uri"] == world.fay
    assert found["acct"] == f"fay@{world.fedify.host}"
    assert found["display_name"] == "fay of Fedify"

    finger = (await world.fedify.control("POST", "webfinger", what=world.alice.uri))["found"]
    assert finger["subject"] == f"acct:alice@{world.ours.domain}"
    assert {link["href"] for link in finger["links"] if link["rel"] == "self"} == {world.alice.uri}
    actor = await world.fedify.lookup(world.alice.uri)
    assert (actor["type"], actor["preferredUsername"]) == ("Person", "alice")
    assert actor["inbox"] == f"{world.alice.uri}/inbox"
    assert actor["endpoints"]["sharedInbox"] == f"{world.ours.origin}/inbox"


# Follow, Accept, Undo ----------------------------------------------------------------------------------------


async def test_fedify_follows_us_and_is_accepted(world):
    await fedify_follows(world, world.alice)

    told = await eventually(lambda: world.alice.find_notification("follow"))
    assert told["account"]["uri"] == world.fay


async def test_we_follow_fedify_and_take_its_accept(world):
    await we_follow(world, world.alice)

    follow = await world.fedify.until_received("Follow")
    assert (_id_of(follow["actor"]), _id_of(follow["object"])) == (world.alice.uri, world.fay)
    assert world.alice.uri in (await world.fedify.control("GET", "followers"))["fay"]


async def test_a_locked_account_lets_fedify_wait_and_then_refuses_it(world):
    await world.fedify.add_person("stranger")
    await world.bob.patch("/api/v1/accounts/update_credentials", locked=True)
    follow = await world.fedify.send("stranger", {"type": "Follow", "object": world.bob.uri}, [world.bob.uri])
    (waiting,) = await eventually(lambda: world.bob.get("/api/v1/follow_requests"))

    await world.bob.post(f"/api/v1/follow_requests/{waiting['id']}/reject")

    await world.fedify.until_received("Reject", about(follow["id"]))
    await world.bob.patch("/api/v1/accounts/update_credentials", locked=False)


async def test_both_take_their_follows_back(world):
    await world.fedify.add_person("brief")
    follow = await fedify_follows(world, world.bob, "brief")
    me = await world.bob.get("/api/v1/accounts/verify_credentials")
    assert me["followers_count"] == 1
    await world.fedify.send("brief", {"type": "Undo", "object": {**follow, "type": "Follow"}}, [world.bob.uri])

    async def left() -> bool:
        return (await world.bob.get("/api/v1/accounts/verify_credentials"))["followers_count"] == 0

    await eventually(left)

    account = await we_follow(world, world.bob, "brief")
    await world.bob.post(f"/api/v1/accounts/{account['id']}/unfollow")

    async def gone() -> bool:
        return world.bob.uri not in (await world.fedify.control("GET", "followers"))["brief"]

    await eventually(gone)


# From Fedify to us -------------------------------------------------------------------------------------------


async def test_a_post_with_a_picture_comes_from_fedify_is_changed_and_deleted(world):
    await we_follow(world, world.alice)
    image = {
        "type": "Image", "mediaType": "image/png", "url": f"{world.fedify.origin}/picture.png",
        "name": "A green square", "width": 8, "height": 8,
    }  # fmt: skip
    note = world.fedify.new_note(
        "fay",
        "Look, #green!",
        attachment=image,
        tag=[{"type": "Hashtag", "name": "#green", "href": f"{world.fedify.origin}/tags/green"}],
    )
    await world.fedify.create("fay", note, [world.alice.uri])

    seen = await arrived(world.alice, note["id"])
    assert "Look, #green!" in seen["content"]
    (attached,) = seen["media_attachments"]
    assert (attached["type"], attached["description"]) == ("image", "A green square")
    assert attached["url"].startswith(world.ours.origin)
    picture = await world.ours.request("GET", attached["url"])
    assert (picture.status, picture.headers["Content-Type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(picture.body)).size == (8, 8)

    changed = {**note, "content": "<p>Look again</p>", "updated": "2026-01-02T00:00:00Z"}
    await world.fedify.put(changed)
    update = {"type": "Update", "object": changed, "to": PUBLIC, "cc": note["cc"]}
    await world.fedify.send("fay", update, [world.alice.uri])

    async def edited() -> bool:
        now = await again(world.alice, seen)
        return "Look again" in now["content"] and now["edited_at"] is not None

    await eventually(edited)

    await world.fedify.control("POST", "drop", id=note["id"])
    delete = {"type": "Delete", "object": {"type": "Tombstone", "id": note["id"]}, "to": PUBLIC}
    await world.fedify.send("fay", delete, [world.alice.uri])

    async def deleted() -> bool:
        return (await world.alice.call("GET", f"/api/v1/statuses/{seen['id']}")).status == 404

    await eventually(deleted)


async def test_fedify_replies_likes_and_boosts_and_takes_it_back(world):
    await fedify_follows(world, world.alice)
    posted = await world.alice.post("/api/v1/statuses", status="Hello Fedify")
    await world.fedify.until_received("Create", about(posted["uri"]))
    mention = {"type": "Mention", "href": world.alice.uri, "name": f"@alice@{world.ours.domain}"}
    reply = world.fedify.new_note(
        "fay", "Hello back", inReplyTo=posted["uri"], tag=[mention], cc=[world.fedify.followers("fay"), world.alice.uri]
    )

    await world.fedify.create("fay", reply, [world.alice.uri])
    like = await world.fedify.send("fay", {"type": "Like", "object": posted["uri"]}, [world.alice.uri])
    boost = await world.fedify.send(
        "fay",
        {"type": "Announce", "object": posted["uri"], "to": PUBLIC, "published": "2026-01-01T00:00:00Z"},
        [world.alice.uri],
    )

    for kind in ("mention", "favourite", "reblog"):
        told = await eventually(lambda kind=kind: world.alice.find_notification(kind))
        assert told["account"]["uri"] == world.fay
    thread = await world.alice.get(f"/api/v1/statuses/{posted['id']}/context")
    assert [one["uri"] for one in thread["descendants"]] == [reply["id"]]
    now = await again(world.alice, posted)
    assert (now["replies_count"], now["favourites_count"], now["reblogs_count"]) == (1, 1, 1)

    for activity in (like, boost):
        undo = {"type": "Undo", "object": {k: v for k, v in activity.items() if k != "@context"}}
        await world.fedify.send("fay", undo, [world.alice.uri])

    async def taken_back() -> bool:
        now = await again(world.alice, posted)
        return (now["favourites_count"], now["reblogs_count"]) == (0, 0)

    await eventually(taken_back)


async def test_a_post_that_fedify_boosts_is_fetched_from_its_origin(world):
    await we_follow(world, world.alice)
    await world.fedify.add_person("quiet")
    note = await world.fedify.put(world.fedify.new_note("quiet", "Nobody told you of this"))
    boost = await world.fedify.send(
        "fay",
        {"type": "Announce", "object": note["id"], "to": PUBLIC, "cc": world.fedify.followers("fay"),
         "published": "2026-01-01T00:00:00Z"},
        [world.alice.uri],
    )  # fmt: skip

    seen = await arrived(world.alice, boost["id"])

    assert seen["reblog"]["uri"] == note["id"]
    assert "Nobody told you" in seen["reblog"]["content"]


async def test_a_poll_of_fedify_takes_our_vote(world):
    await we_follow(world, world.alice)
    question = world.fedify.new_note(
        "fay",
        "Tea?",
        "Question",
        endTime="2030-01-01T00:00:00Z",
        oneOf=[
            {"type": "Note", "name": name, "replies": {"type": "Collection", "totalItems": count}}
            for name, count in (("Black", 2), ("Green", 3))
        ],
        votersCount=5,
    )
    await world.fedify.create(
        "fay",
        question,
        [world.alice.uri],
        context=[*CONTEXT, {"votersCount": "http://joinmastodon.org/ns#votersCount"}],
    )
    seen = await arrived(world.alice, question["id"])
    assert [(one["title"], one["votes_count"]) for one in seen["poll"]["options"]] == [("Black", 2), ("Green", 3)]

    await world.alice.post(f"/api/v1/polls/{seen['poll']['id']}/votes", choices=[0])

    vote = await world.fedify.until_received("Create", lambda one: one["object"].get("name") == "Black")
    assert vote["object"]["inReplyTo"] == question["id"]
    assert _id_of(vote["object"].get("to")) == world.fay


async def test_a_quote_by_fedify_asks_us_and_is_stamped(world):
    await fedify_follows(world, world.alice)
    posted = await world.alice.post("/api/v1/statuses", status="Quote this", quote_approval_policy="public")
    quoting = world.fedify.new_note("fay", "As she says", quote=posted["uri"])
    context = [*CONTEXT, {"quote": {"@id": "https://w3id.org/fep/044f#quote", "@type": "@id"},
                          "quoteAuthorization": {"@id": "https://w3id.org/fep/044f#quoteAuthorization", "@type": "@id"},
                          "QuoteRequest": "https://w3id.org/fep/044f#QuoteRequest"}]  # fmt: skip
    await world.fedify.put({**quoting, "@context": context})
    request = await world.fedify.send(
        "fay",
        {"type": "QuoteRequest", "object": posted["uri"], "instrument": quoting},
        [world.alice.uri],
        context=context,
    )

    accept = await world.fedify.until_received("Accept", about(request["id"]))

    stamp = await world.ours.document(_id_of(accept["result"]))
    assert (stamp["type"], stamp["attributedTo"]) == ("QuoteAuthorization", world.alice.uri)
    assert (stamp["interactingObject"], stamp["interactionTarget"]) == (quoting["id"], posted["uri"])

    async def counted() -> bool:
        return (await again(world.alice, posted))["quotes_count"] == 1

    await world.fedify.create("fay", {**quoting, "quoteAuthorization": stamp["id"]}, [world.alice.uri], context=context)
    await eventually(counted)


async def test_an_account_that_moves_within_fedify_takes_our_follower_along(world):
    await world.fedify.add_person("old")
    account = await we_follow(world, world.bob, "old")
    new = await world.fedify.add_person("new", aliases=[world.fedify.actor("old")])
    await world.fedify.control("POST", "move", name="old", to=new)

    move = {"type": "Move", "object": world.fedify.actor("old"), "target": new, "to": world.fedify.followers("old")}
    await world.fedify.send("old", move, [world.bob.uri])

    follow = await world.fedify.until_received("Follow", about(new))
    assert _id_of(follow["actor"]) == world.bob.uri
    shown = await world.bob.get(f"/api/v1/accounts/{account['id']}")
    assert shown["moved"]["acct"] == f"new@{world.fedify.host}"


async def test_a_block_by_fedify_ends_our_follow(world):
    await world.fedify.add_person("sour")
    account = await we_follow(world, world.bob, "sour")
    block = await world.fedify.send("sour", {"type": "Block", "object": world.bob.uri}, [world.bob.uri])

    async def blocked() -> bool:
        seen = await world.bob.relationship(account["id"])
        return seen["blocked_by"] and not seen["following"]

    await eventually(blocked)

    inner = {key: value for key, value in block.items() if key != "@context"}
    await world.fedify.send("sour", {"type": "Undo", "object": inner}, [world.bob.uri])

    async def free() -> bool:
        return not (await world.bob.relationship(account["id"]))["blocked_by"]

    await eventually(free)


# From us to Fedify -------------------------------------------------------------------------------------------


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "orange").save(out, "PNG")
    return out.getvalue()


async def test_our_post_with_a_picture_reaches_fedify_is_changed_and_deleted(world):
    await fedify_follows(world, world.alice)
    media = await world.alice.upload(picture(), "An orange field")
    posted = await world.alice.post("/api/v1/statuses", status="Look #orange", media_ids=[media], language="en")

    note = (await world.fedify.until_received("Create", about(posted["uri"])))["object"]

    assert (note["type"], note["attributedTo"]) == ("Note", world.alice.uri)
    assert "Look" in json.dumps(note)
    attached = note["attachment"]
    assert (attached["mediaType"], attached["name"]) == ("image/png", "An orange field")
    shown = await world.ours.request("GET", _id_of(attached["url"]))
    assert shown.status == 200
    assert Image.open(io.BytesIO(shown.body)).size == (64, 48)
    assert "#orange" in json.dumps(note["tag"])
    fetched = await world.fedify.lookup(posted["uri"])
    assert fetched["id"] == posted["uri"]

    await world.alice.put(f"/api/v1/statuses/{posted['id']}", status="Look again")
    update = await world.fedify.until_received("Update", about(posted["uri"]))
    assert "Look again" in json.dumps(update["object"])
    assert update["object"]["updated"]

    await world.alice.delete(f"/api/v1/statuses/{posted['id']}")
    await world.fedify.until_received("Delete", about(posted["uri"]))
    assert await world.fedify.lookup(posted["uri"]) is None or (await world.ours.document(posted["uri"], 410))


async def test_we_reply_like_boost_and_take_it_back(world):
    await we_follow(world, world.alice)
    await fedify_follows(world, world.alice)
    note = world.fedify.new_note("fay", "Say something")
    await world.fedify.create("fay", note, [world.alice.uri])
    seen = await arrived(world.alice, note["id"])

    await world.alice.post(f"/api/v1/statuses/{seen['id']}/favourite")
    boost = await world.alice.post(f"/api/v1/statuses/{seen['id']}/reblog")
    reply = await world.alice.post(
        "/api/v1/statuses", status=f"@fay@{world.fedify.host} something", in_reply_to_id=seen["id"]
    )

    like = await world.fedify.until_received("Like", about(note["id"]))
    assert _id_of(like["actor"]) == world.alice.uri
    announce = await world.fedify.until_received("Announce", about(note["id"]))
    assert announce["id"].startswith(boost["uri"].removesuffix("/activity"))
    said = (await world.fedify.until_received("Create", about(reply["uri"])))["object"]
    assert said["inReplyTo"] == note["id"]
    assert any(tag.get("href") == world.fay for tag in _as_list(said["tag"]))

    await world.alice.post(f"/api/v1/statuses/{seen['id']}/unfavourite")
    await world.alice.post(f"/api/v1/statuses/{seen['id']}/unreblog")
    for activity in (like, announce):
        await world.fedify.until_received("Undo", about(activity["id"]))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


async def test_our_poll_counts_the_vote_of_fedify(world):
    await fedify_follows(world, world.alice)
    posted = await world.alice.post(
        "/api/v1/statuses", status="Coffee?", poll={"options": ["Yes", "No"], "expires_in": 3600}
    )
    asked = (await world.fedify.until_received("Create", about(posted["uri"])))["object"]
    assert asked["type"] == "Question"
    assert [option["name"] for option in asked["oneOf"]] == ["Yes", "No"]

    vote = {
        "id": f"{world.fay}/notes/vote-1", "type": "Note", "name": "No", "inReplyTo": posted["uri"],
        "attributedTo": world.fay, "to": world.alice.uri, "published": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    await world.fedify.send("fay", {"type": "Create", "object": vote, "to": world.alice.uri}, [world.alice.uri])

    async def counted() -> bool:
        poll = await world.alice.get(f"/api/v1/polls/{posted['poll']['id']}")
        return [option["votes_count"] for option in poll["options"]] == [0, 1]

    await eventually(counted)


@pytest.mark.parametrize("embedded", [True, False])
async def test_our_quote_asks_fedify_and_shows_its_stamp(world, embedded):
    await we_follow(world, world.alice)
    note = world.fedify.new_note("fay", "Quote me", interactionPolicy={"canQuote": {"automaticApproval": [PUBLIC]}})
    context = [*CONTEXT, "https://gotosocial.org/ns"]
    await world.fedify.create("fay", note, [world.alice.uri], context=context)
    seen = await arrived(world.alice, note["id"])

    quoting = await world.alice.post("/api/v1/statuses", status="As fay says", quoted_status_id=seen["id"])

    request = await world.fedify.until_received("QuoteRequest", about(note["id"]))
    assert _id_of(request["instrument"]) == quoting["uri"]
    assert quoting["quote"]["state"] == "pending"
    stamp = {
        "id": f"{world.fay}/stamps/{int(embedded)}", "type": "QuoteAuthorization", "attributedTo": world.fay,
        "interactingObject": quoting["uri"], "interactionTarget": note["id"],
    }  # fmt: skip
    terms = {
        "QuoteAuthorization": "https://w3id.org/fep/044f#QuoteAuthorization",
        "gts": "https://gotosocial.org/ns#",
        "interactingObject": {"@id": "gts:interactingObject", "@type": "@id"},
        "interactionTarget": {"@id": "gts:interactionTarget", "@type": "@id"},
    }
    await world.fedify.put({**stamp, "@context": [*CONTEXT, terms]})
    named = {key: request[key] for key in ("id", "type", "actor", "object")} | {"instrument": quoting["uri"]}
    await world.fedify.send(
        "fay",
        {"type": "Accept", "object": named if embedded else request["id"], "result": stamp["id"]},
        [world.alice.uri],
        context=[*CONTEXT, {"QuoteRequest": "https://w3id.org/fep/044f#QuoteRequest"}],
    )

    async def accepted() -> bool:
        return (await again(world.alice, quoting))["quote"]["state"] == "accepted"

    await eventually(accepted)


async def test_our_block_and_its_end_reach_fedify(world):
    await world.fedify.add_person("rude")
    await fedify_follows(world, world.bob, "rude")
    account = await world.bob.resolve(f"rude@{world.fedify.host}")

    await world.bob.post(f"/api/v1/accounts/{account['id']}/block")
    block = await world.fedify.until_received("Block", about(world.fedify.actor("rude")))
    assert _id_of(block["actor"]) == world.bob.uri

    await world.bob.post(f"/api/v1/accounts/{account['id']}/unblock")
    await world.fedify.until_received("Undo", about(block["id"]))


async def test_our_changed_profile_reaches_fedify(world):
    await fedify_follows(world, world.alice)
    await world.alice.patch("/api/v1/accounts/update_credentials", display_name="Alice of fedi")

    update = await world.fedify.until_received("Update", about(world.alice.uri))

    assert update["object"]["name"] == "Alice of fedi"


# Signatures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
async def test_fedify_knocks_again_with_the_other_signature_and_is_let_in(world, scheme):
    """The tap refuses the one scheme, so that only the other reaches us."""
    world.tap.refuse = lambda got: (
        401
        if got.method == "POST"
        and bool(got.header("Signature-Input")) == (scheme == "cavage")
        and got.header("Signature")
        else None
    )
    posted = await world.alice.post("/api/v1/statuses", status=f"Like this with {scheme}", visibility="unlisted")

    await world.fedify.send("fay", {"type": "Like", "object": posted["uri"]}, [world.alice.uri])

    async def liked() -> bool:
        return (await again(world.alice, posted))["favourites_count"] == 1

    await eventually(liked)
    assert [one.scheme for one in world.tap.posts("Like") if not one.refused] == [scheme]


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
async def test_we_knock_again_with_the_other_signature_and_fedify_lets_us_in(world, scheme):
    await fedify_follows(world, world.alice)
    world.fedify.tap.as_usual()
    world.fedify.tap.refuse = lambda got: (
        401 if got.method == "POST" and bool(got.header("Signature-Input")) == (scheme == "cavage") else None
    )

    posted = await world.alice.post("/api/v1/statuses", status=f"For {scheme}")

    await world.fedify.until_received("Create", about(posted["uri"]))
    assert [one.scheme for one in world.fedify.tap.posts() if not one.refused] == [scheme]
    world.fedify.tap.passed.clear()
    second = await world.alice.post("/api/v1/statuses", status=f"For {scheme} at once")
    await world.fedify.until_received("Create", about(second["uri"]))
    assert [one.scheme for one in world.fedify.tap.posts()] == [scheme], "what a host wants is remembered"


async def test_a_body_changed_on_its_way_is_refused_by_us(world):
    posted = await world.alice.post("/api/v1/statuses", status="Not to be liked", visibility="unlisted")
    other = await world.alice.post("/api/v1/statuses", status="Never meant", visibility="unlisted")
    world.tap.change_body = lambda body: body.replace(posted["uri"].encode(), other["uri"].encode())

    with pytest.raises(AssertionError, match="401"):  # Fedify tells of the answer it got
        await world.fedify.send("fay", {"type": "Like", "object": posted["uri"]}, [world.alice.uri])

    assert {one.status for one in world.tap.posts("Like")} == {401}
    for status in (posted, other):
        assert (await again(world.alice, status))["favourites_count"] == 0


async def test_a_body_changed_on_its_way_is_refused_by_fedify(world):
    await fedify_follows(world, world.alice)
    world.fedify.tap.as_usual()
    world.fedify.tap.change_body = lambda body: body.replace(b"honest words", b"forged words")

    posted = await world.alice.post("/api/v1/statuses", status="honest words")

    await eventually(lambda: world.fedify.tap.posts("Create"))
    statuses = [one.status for one in world.fedify.tap.posts("Create")]
    assert statuses
    assert set(statuses) <= {400, 401, 403}
    assert all(_id_of(one["object"]) != posted["uri"] for one in await world.fedify.received("Create"))

    async def waiting() -> Any:
        rows = (await world.ours.cli("post", "deliveries", posted["url"], "--json")).json
        return [row for row in rows if row["state"] == "retrying" and row["code"] == 401]

    await eventually(waiting)  # perhaps it only has an old key of ours: there is a next time
    world.fedify.tap.as_usual()
    (job,) = (await world.ours.cli("jobs", "list", "--kind", "deliver", "--json")).json
    await world.ours.cli("jobs", "retry", str(job["id"]))
    create = await world.fedify.until_received("Create", about(posted["uri"]))
    assert "honest words" in json.dumps(create)


async def test_fedify_holds_the_signatures_inside_our_documents_for_good(world):
    """A public post may be forwarded, so it carries one; each kind is checked by Fedify's own functions."""
    await fedify_follows(world, world.alice)
    world.fedify.tap.as_usual()
    posted = await world.alice.post("/api/v1/statuses", status="Sealed, with umlauts: äöü and 🍎")
    await world.fedify.until_received("Create", about(posted["uri"]))
    (create,) = [one.received.activity for one in world.fedify.tap.posts("Create")]

    sealed = {key for key in ("signature", "proof") if key in create}
    assert sealed
    verdict = await world.fedify.control("POST", "verify", **create)
    assert verdict == {"ld": "signature" in sealed, "proof": "proof" in sealed}

    forged = json.loads(json.dumps(create).replace("Sealed", "Forged"))
    verdict = await world.fedify.control("POST", "verify", **forged)
    assert verdict == {"ld": False, "proof": False}

    world.fedify.tap.as_usual()
    private = await world.alice.post("/api/v1/statuses", status="Followers, sealed by a proof", visibility="private")
    await world.fedify.until_received("Create", about(private["uri"]))
    (create,) = [one.received.activity for one in world.fedify.tap.posts("Create")]
    assert "signature" not in create, "what is not public must stay deniable by third parties' servers"
    if "proof" in create:
        assert (await world.fedify.control("POST", "verify", **create))["proof"]


async def test_fedify_takes_what_carries_our_signature_from_anybody(world):
    """The bytes that we sent, brought by somebody else without an HTTP signature."""
    await fedify_follows(world, world.alice)
    world.fedify.tap.as_usual()
    world.fedify.tap.refuse = lambda got: 202 if got.method == "POST" else None
    posted = await world.alice.post("/api/v1/statuses", status="Carried by another")
    (passed,) = await eventually(lambda: world.fedify.tap.posts("Create"))
    world.fedify.tap.as_usual()
    carrier = FakePeer("carrier")

    forged = passed.received.body.replace(b"Carried by", b"Forged by")
    status, _, _ = await carrier.post(f"{world.fedify.origin}/inbox", forged, None)
    assert status == 401
    status, _, body = await carrier.post(
        f"{world.fedify.origin}/inbox", passed.received.body, None, headers={"Content-Type": ACTIVITY_JSON}
    )
    assert status == 202, body
    await world.fedify.until_received("Create", about(posted["uri"]))


@pytest.mark.parametrize("kind", ["signature", "proof"])
async def test_we_take_what_carries_fedifys_signature_from_another_server(world, kind):
    """LD signature (an actor that has RSA alone), and proof (the signature taken away)."""
    name = f"author-{kind}".replace("-", "_")
    await world.fedify.add_person(name, rsa_alone=kind == "signature")
    await we_follow(world, world.alice, name)
    carrier = await FakePeer.start("carrier")
    hands = carrier.add_actor("hands")
    world.tap.as_usual()
    world.tap.refuse = lambda got: 202 if got.method == "POST" else None  # the author's own delivery gets lost
    note = world.fedify.new_note(name, "Carried by another")
    await world.fedify.create(name, note, [world.alice.uri])
    (passed,) = world.tap.posts("Create")
    world.tap.as_usual()
    await world.fedify.control("POST", "drop", id=note["id"])  # so that it cannot be fetched instead
    create = passed.received.activity
    create.pop("signature" if kind == "proof" else "proof", None)
    assert kind in create, sorted(create)

    forged = json.loads(json.dumps(create).replace("Carried", "Forged"))
    status, _, body = await carrier.post(f"{world.ours.origin}/inbox", forged, hands)
    assert status in {202, 401, 403}, body
    assert await world.alice.find_home(note["id"]) is None

    status, _, body = await carrier.post(f"{world.ours.origin}/inbox", create, hands)
    assert status == 202, body
    seen = await arrived(world.alice, note["id"])
    assert "Carried" in seen["content"]
    await carrier.stop()


async def test_new_keys_of_fedify_are_fetched_and_trusted(world):
    await world.fedify.add_person("turner")
    first = await world.alice.post("/api/v1/statuses", status="Before", visibility="unlisted")
    second = await world.alice.post("/api/v1/statuses", status="After", visibility="unlisted")
    await world.fedify.send("turner", {"type": "Like", "object": first["uri"]}, [world.alice.uri])

    await world.fedify.control("POST", "rotate", name="turner")
    await world.fedify.send("turner", {"type": "Like", "object": second["uri"]}, [world.alice.uri])

    async def liked() -> bool:
        return (await again(world.alice, second))["favourites_count"] == 1

    await eventually(liked)
    assert [one.status for one in world.tap.posts("Like") if not one.refused] == [202, 202]


async def test_new_keys_of_ours_are_fetched_and_trusted_by_fedify(world):
    await fedify_follows(world, world.bob)
    first = await world.bob.post("/api/v1/statuses", status="Before")
    await world.fedify.until_received("Create", about(first["uri"]))
    before = (await world.fedify.lookup(world.bob.uri))["publicKey"]["publicKeyPem"]

    await world.ours.cli("key", "rotate", "bob")

    second = await world.bob.post("/api/v1/statuses", status="After")
    await world.fedify.until_received("Create", about(second["uri"]))
    assert (await world.ours.document(world.bob.uri))["publicKey"]["publicKeyPem"] != before


# Authorised fetch --------------------------------------------------------------------------------------------


async def test_we_read_a_fedify_that_asks_for_signatures(world, tmp_path):
    strict = await Fedify.start(tmp_path, authorized_fetch=True)
    try:
        shy = await strict.add_person("shy")
        note = await strict.put(strict.new_note("shy", "Only for those who say who they are"))
        assert (await world.ours.request("GET", shy, headers={"Accept": ACTIVITY_JSON})).status == 401

        found = await world.alice.resolve(note["id"], "statuses")

        assert "Only for those" in found["content"]
        assert found["account"]["uri"] == shy
        account = await world.alice.follow(f"shy@{strict.host}")
        await eventually(lambda: _is_following(world.alice, account["id"]))
    finally:
        await strict.stop()


async def _is_following(person: Person, account_id: str) -> bool:
    return (await person.relationship(account_id))["following"]


async def test_fedify_reads_us_while_we_ask_for_signatures(world):
    world.ours.variables["FEDI_FEDERATION__AUTHORIZED_FETCH"] = "true"
    await world.ours.restart()
    try:
        posted = await world.alice.post("/api/v1/statuses", status="For known readers")
        reply = await world.ours.request("GET", posted["uri"], headers={"Accept": ACTIVITY_JSON})
        assert reply.status == 401

        assert await world.fedify.lookup(posted["uri"]) is None
        found = await world.fedify.lookup(posted["uri"], as_="fay")
        assert found is not None
        assert found["id"] == posted["uri"]
        like = {"type": "Like", "object": posted["uri"]}
        await world.fedify.send("fay", like, [world.alice.uri])  # looks our actor up with fay's signature

        async def liked() -> bool:
            return (await again(world.alice, posted))["favourites_count"] == 1

        await eventually(liked)
        await fedify_follows(world, world.alice)
        await world.fedify.until_received("Create", about(posted["uri"]))
        said = await world.alice.post("/api/v1/statuses", status="Sent while strict")
        await world.fedify.until_received("Create", about(said["uri"]))
    finally:
        del world.ours.variables["FEDI_FEDERATION__AUTHORIZED_FETCH"]
        await world.ours.restart()
