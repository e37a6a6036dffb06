"""Attacks by servers that sign with good keys of their own: on what others wrote, follow, like and keep private."""

import json
import time
from dataclasses import replace

import pytest

from fedi.activitypub import httpsig
from fedi.activitypub.followers_sync import followers_digest
from fedi.activitypub.keys import generate_rsa, load_signing_key
from fedi.activitypub.signed_request import SignedRequest
from fedi.errors import PeerFault
from fedi.inbox.rates import Rates
from fedi.outbox.draft import Draft
from fedi.store import relations
from tests.support.peers import CONTEXT, PUBLIC, FakePeer


@pytest.fixture
async def lena(node):
    return await node.add_person("lena")


@pytest.fixture
async def evil():
    running = await FakePeer.start("evil")
    yield running
    await running.stop()


async def send(node, peer, activity, actor, **more):
    """The status of the answer, after all work it made is done."""
    status, _, _ = await peer.post(node.inbox, activity, actor, **more)
    await node.settle()
    return status


async def known(node, peer, actor):
    """The account, stored."""
    await send(node, peer, peer.activity("Create", actor, peer.note(actor)), actor)
    return await node.value("SELECT id FROM account WHERE uri = :uri", uri=actor.id)


async def follow(node, follower, target):
    await node.instance.database.write(
        "test",
        lambda tx: relations.put_follow(tx, follower=follower, target=target, state="accepted", uri=None, now_ms=1),
    )


async def test_who_follows_an_actor_is_said_by_nobody_else(node, peer, evil, lena):
    alice, mallory = peer.add_actor("alice"), evil.add_actor("mallory")
    await follow(node, lena.id, await known(node, peer, alice))
    await known(node, evil, mallory)
    empty = peer.put(
        "/users/alice/empty", {"@context": CONTEXT, "id": f"{alice.id}/empty", "type": "Collection", "items": []}
    )
    claim = f'collectionId="{alice.followers}", url="{empty}", digest="{followers_digest([])}"'
    body = json.dumps(peer.activity("Create", alice, peer.note(alice))).encode()
    headers = httpsig.sign_request(
        "cavage",
        "POST",
        node.inbox,
        body=body,
        key=mallory.rsa,
        now_s=int(time.time()),
        headers={"Collection-Synchronization": claim},
    )
    status, _, _ = await evil.post(node.inbox, body, None, headers=headers)
    assert status == 202
    await node.settle()
    assert await node.value("SELECT COUNT(*) FROM follow WHERE follower = :lena", lena=lena.id) == 1


async def test_a_private_post_that_looks_missing_to_us_is_not_deleted_on_the_word_of_others(node, peer, evil, lena):
    alice, mallory = peer.add_actor("alice"), evil.add_actor("mallory")
    await follow(node, lena.id, await known(node, peer, alice))
    private = peer.note(alice, "for friends", to=[alice.followers], cc=[])
    await send(node, peer, peer.activity("Create", alice, private), alice)
    del peer.documents[private["id"].removeprefix(peer.origin)]  # private and missing look alike: 404
    delete = {
        "@context": "https://www.w3.org/ns/activitystreams",
        "id": f"{alice.id}/activities/no",
        "type": "Delete",
        "actor": alice.id,
        "object": private["id"],
    }
    assert await send(node, evil, delete, mallory) == 202
    assert await node.value("SELECT deleted_at FROM status WHERE uri = :uri", uri=private["id"]) is None
    wrapped = {**evil.activity("Announce", mallory, delete), "to": [PUBLIC]}
    assert await send(node, evil, wrapped, mallory) == 202
    assert await node.value("SELECT deleted_at FROM status WHERE uri = :uri", uri=private["id"]) is None


async def test_a_group_cannot_pass_on_a_like_that_its_own_server_wrote(node, peer, evil, lena):
    alice, mallory = peer.add_actor("alice"), evil.add_actor("mallory", type="Group")
    alices = await known(node, peer, alice)
    number = await node.instance.outbox.post(lena.id, Draft(text="Hello"))
    forged = {
        "@context": "https://www.w3.org/ns/activitystreams",
        "id": f"{evil.origin}/likes/1",
        "type": "Like",
        "actor": alice.id,
        "object": f"{lena.uri}/statuses/{number}",
    }
    evil.put("/likes/1", forged)
    assert await send(node, evil, {**evil.activity("Announce", mallory, forged), "to": [PUBLIC]}, mallory) == 202
    assert await node.rows("SELECT account FROM favourite WHERE account = :alice", alice=alices) == []


async def test_a_key_of_somebody_else_is_not_taken_over_by_listing_it(node, peer, evil, lena):
    alice, mallory = peer.add_actor("alice"), evil.add_actor("mallory")
    alices = await known(node, peer, alice)
    stolen = {"id": alice.rsa.id, "owner": mallory.id, "publicKeyPem": mallory.document["publicKey"]["publicKeyPem"]}
    mallory.document["publicKey"] = [mallory.document["publicKey"], stolen]
    await known(node, evil, mallory)
    update = {**evil.activity("Update", mallory, mallory.document), "to": [PUBLIC]}
    assert await send(node, evil, update, mallory) == 202
    assert await node.value("SELECT account FROM actor_key WHERE id = :key", key=alice.rsa.id) == alices
    node.instance.keyring.forget([alice.rsa.id])
    peer.fetched.clear()
    assert await send(node, peer, peer.activity("Create", alice, peer.note(alice)), alice) == 202
    assert peer.fetched == []  # her key is where it was


async def test_a_move_leads_nobody_to_somebody_they_blocked(node, peer, evil, lena):
    alice, mallory = peer.add_actor("alice"), evil.add_actor("mallory")
    alices, mallorys = await known(node, peer, alice), await known(node, evil, mallory)
    await follow(node, lena.id, alices)
    await node.instance.outbox.block(lena.id, mallorys)
    mallory.document["alsoKnownAs"] = [alice.id]
    move = {**peer.activity("Move", alice, alice.id, target=mallory.id), "to": [alice.followers]}
    assert await send(node, peer, move, alice) == 202
    assert await node.rows("SELECT target FROM follow WHERE follower = :lena", lena=lena.id) == []


async def test_an_activity_that_is_its_own_object_ends(node, peer, lena):
    alice = peer.add_actor("alice")
    ring = f"{peer.origin}/rings/1"
    peer.put(
        "/rings/1",
        {
            "@context": "https://www.w3.org/ns/activitystreams",
            "id": ring,
            "type": "Create",
            "actor": alice.id,
            "object": ring,
        },
    )
    announce = {**peer.activity("Announce", alice, ring), "to": [PUBLIC]}
    assert await send(node, peer, announce, alice) == 202
    assert await node.value("SELECT outcome FROM intake WHERE activity = :id", id=announce["id"]) is not None
    assert await node.rows("SELECT id FROM job WHERE kind = 'inbox'") == []
    assert (await node.instance.lookups.find_by_url(ring)).status is None


async def test_who_answers_a_post_they_may_not_read_learns_nothing(node, peer, lena):
    alice = peer.add_actor("alice")
    private = await node.instance.outbox.post(lena.id, Draft(text="Hello", visibility="private"))
    note = peer.note(alice, "hm?", inReplyTo=f"{lena.uri}/statuses/{private}")
    assert await send(node, peer, peer.activity("Create", alice, note), alice) == 202
    assert await node.rows("SELECT in_reply_to, in_reply_to_account FROM status WHERE uri = :uri", uri=note["id"]) == [
        (None, None)
    ]
    assert await node.rows("SELECT replies FROM status_stats WHERE status = :id AND replies > 0", id=private) == []


async def test_a_hint_takes_the_body_of_nobody_else(node, peer, evil, lena):
    alice, mallory = peer.add_actor("alice"), evil.add_actor("mallory")
    await known(node, peer, alice)
    await known(node, evil, mallory)
    create = json.dumps(peer.activity("Create", alice, peer.note(alice))).encode()
    assert (await peer.post(node.inbox, create, alice))[0] == 202
    assert (await evil.post(node.inbox, create, mallory))[0] == 202
    await node.settle()
    assert await node.rows("SELECT 1 FROM body WHERE data = :data", data=create) == [(1,)]


async def test_who_only_names_the_key_of_a_host_does_not_use_up_what_that_host_may_send(node, peer, lena):
    alice = peer.add_actor("alice")
    await known(node, peer, alice)
    inbox, clock = node.instance.inbox, node.clock
    inbox._requests = Rates(clock=clock, count=3, per_s=3600, burst=3)
    inbox._new_actors = Rates(clock=clock, count=3, per_s=3600, burst=3)

    def request(body: bytes, *, name: str, key=None) -> SignedRequest:
        signing = alice.rsa if key is None else key
        headers = httpsig.sign_request(
            "cavage", "POST", node.inbox, body=body, key=replace(signing, id=name), now_s=int(time.time())
        )
        return SignedRequest(method="POST", raw_path="/inbox", headers=headers.items(), body=body, origin=node.origin)

    forger = load_signing_key(generate_rsa().private_pem, id="")
    for number in range(6):
        body = json.dumps(peer.activity("Create", alice, peer.note(alice, str(number)))).encode()
        for name in (alice.rsa.id, f"{peer.origin}/users/nobody{number}#main-key"):
            with pytest.raises(PeerFault) as refused:
                await inbox.receive(request(body, name=name, key=forger), peer=lambda: "192.0.2.66")
    assert refused.value.status == 429  # the forger is stopped
    body = json.dumps(peer.activity("Create", alice, peer.note(alice, "mine"))).encode()
    await inbox.receive(request(body, name=alice.rsa.id), peer=lambda: "192.0.2.1")  # and she is not


async def test_nothing_of_a_stranger_is_markup_on_our_pages(node, peer, lena):
    bad = "\"'></bdi></title><script>alert(1)</script><img src=x onerror=alert(1)>"
    url = "http://remote.localhost/%22%3E%3Cscript%3E?\"onload='x'"
    shown = {"name": bad, "summary": bad, "url": url, "icon": {"type": "Image", "url": url, "name": bad}}
    fields = [{"type": "PropertyValue", "name": bad, "value": bad}]
    mallory = peer.add_actor("mallory", attachment=fields)
    mallory.document.update(shown)
    number = await node.instance.outbox.post(lena.id, Draft(text="Hello"))
    tags = [
        {"type": "Hashtag", "name": "#" + bad, "href": "javascript:alert(1)"},
        {"type": "Emoji", "name": ":x:", "icon": {"type": "Image", "url": "javascript:alert(1)"}},
        {"type": "Emoji", "name": ":" + bad + ":", "icon": {"type": "Image", "url": peer.origin + "/x.png"}},
        {"type": "Mention", "name": bad, "href": lena.uri},
    ]
    pictures = [
        {"type": "Image", "url": peer.origin + '/a"b.png', "name": bad},
        {"type": "Link", "href": "javascript:x"},
    ]
    changes = {"tag": tags, "attachment": pictures, "inReplyTo": f"{lena.uri}/statuses/{number}", "url": "javascript:x"}
    polls = {"type": "Question", "oneOf": [{"type": "Note", "name": bad}, {"type": "Note", "name": "b"}]}
    for more in ({"content": bad, "summary": bad}, {"content": bad, "mediaType": "text/markdown"}, polls):
        note = {**peer.note(mallory, **changes), **more}
        assert await send(node, peer, peer.activity("Create", mallory, note), mallory) == 202
    assert await node.value("SELECT COUNT(*) FROM status WHERE in_reply_to = :id", id=number) == 3
    status, headers, page = await node.get(f"/@lena/{number}", accept="text/html")
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for forbidden in (b"<script", b"<img src=x", b'href="javascript:', b"</bdi></title>"):
        assert forbidden not in page
    _, _, context = await node.get(f"/api/v1/statuses/{number}/context", accept="application/json")
    for reply in json.loads(context)["descendants"]:
        assert "<script" not in reply["content"]
        assert "<img" not in reply["content"]
        assert all(one["url"].startswith(node.origin) for one in (*reply["emojis"], *reply["media_attachments"]))
        assert reply["url"].startswith("http")
        assert "<script" not in reply["account"]["note"] + "".join(f["value"] for f in reply["account"]["fields"])
