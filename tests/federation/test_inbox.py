"""An activity's way through a running instance: from the signed POST to its effects."""

import json

from tests.support.peers import PUBLIC


async def test_a_follow_is_accepted_with_the_whole_follow_inside(node, peer):
    alice, lena = peer.add_actor("alice"), await node.add_person("lena")
    follow = peer.activity("Follow", alice, lena.uri)
    status, headers, _ = await peer.post(f"{node.origin}/users/lena/inbox", follow, alice)
    assert status == 202
    assert headers["Vary"] == "Accept, Signature"
    await node.settle()
    assert await node.rows("SELECT state, uri FROM follow") == [("accepted", follow["id"])]
    ((kind, body),) = await node.rows("SELECT kind, body FROM outgoing")
    accept = json.loads(body)
    assert kind == accept["type"] == "Accept"
    assert accept["object"] == {"id": follow["id"], "type": "Follow", "actor": alice.id, "object": lena.uri}
    assert await node.rows("SELECT inbox FROM delivery") == [(alice.inbox,)]
    assert await node.rows("SELECT kind FROM notification") == [("follow",)]


async def test_a_post_is_stored_with_its_place_and_its_mention_is_told(node, peer):
    alice, lena = peer.add_actor("alice"), await node.add_person("lena")
    mention = {"type": "Mention", "href": lena.uri, "name": "@lena"}
    note = peer.note(alice, "Hello <script>x</script>", tag=[mention], cc=[alice.followers, lena.uri])
    status, _, _ = await peer.post(node.inbox, peer.activity("Create", alice, note), alice)
    assert status == 202
    places = await node.rows("SELECT h.name, s.pos FROM slot s JOIN surface_head h ON h.surface = s.surface")
    assert (f"author:{alice.id}", 0) in places
    assert await node.value("SELECT ready_at FROM object") is None
    await node.settle()
    stored = await node.status(note["id"])
    assert (stored.visibility, "<script" in stored.content, stored.mentions[0].acct) == ("public", False, "lena")
    assert await node.value("SELECT n FROM object WHERE ready_at IS NOT NULL") == stored.id
    assert await node.rows("SELECT kind, status FROM notification") == [("mention", stored.id)]
    assert await node.rows("SELECT outcome FROM intake") == [("applied",)]
    assert await node.value("SELECT count(*) FROM job") == 0


async def test_an_identical_retry_gets_the_first_answer_and_changes_nothing(node, peer):
    alice = peer.add_actor("alice")
    create = peer.activity("Create", alice, peer.note(alice))
    for _ in range(3):
        status, _, body = await peer.post(node.inbox, create, alice, now_s=int(node.clock.ms() / 1000))
        assert (status, body) == (202, b"")
    await node.settle()
    assert await node.value("SELECT count(*) FROM status") == 1
    assert await node.value("SELECT count(*) FROM intake") == 1


async def test_the_same_activity_signed_anew_is_applied_once(node, peer):
    alice = peer.add_actor("alice")
    create = peer.activity("Create", alice, peer.note(alice))
    await peer.post(node.inbox, create, alice)
    await node.settle()
    before = await node.snapshot()
    status, _, _ = await peer.post(node.inbox, create, alice, scheme="rfc9421")
    assert status == 202
    await node.settle()
    assert await node.snapshot() == before


async def test_a_boost_is_known_by_actor_and_object_not_by_id_alone(node, peer):
    alice, bob = peer.add_actor("alice"), peer.add_actor("bob")
    note = peer.note(alice)
    for number in (1, 2):
        announce = peer.activity("Announce", bob, note["id"], id=f"{bob.id}/boosts/{number}", to=[PUBLIC])
        assert (await peer.post(node.inbox, announce, bob))[0] == 202
        await node.settle()
    assert await node.value("SELECT count(*) FROM status WHERE reblog_of IS NOT NULL") == 1
    assert await node.value("SELECT count(*) FROM slot s JOIN surface_head h ON h.surface = s.surface "
                            "WHERE h.name = :name", name=f"author:{bob.id}") == 1  # fmt: skip
    assert sorted(await node.rows("SELECT outcome FROM intake")) == [("applied",), ("duplicate",)]
