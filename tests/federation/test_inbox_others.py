"""What passes through an inbox on its way elsewhere, or comes through somebody else: forwards, relays, proofs, retries."""

import json
import time

import pytest

from fedi.activitypub.ld_signatures import add_ld_signature
from fedi.activitypub.proofs import add_proof
from fedi.inbox.accept import Parsed
from fedi.jobs.kinds import KINDS
from fedi.outbox.draft import Draft
from fedi.policies.base import LANGUAGES, PolicyMeta, Proposal, Verdict
from fedi.policies.host import PolicyHost
from fedi.policies.noop import Noop
from fedi.store import relations, relays
from tests.support.peers import CONTEXT, PUBLIC, FakePeer


@pytest.fixture
async def lena(node):
    return await node.add_person("lena")


@pytest.fixture
async def friends():
    running = await FakePeer.start("friends")
    yield running
    await running.stop()


async def known(node, peer, actor):
    """The account, stored."""
    await peer.post(node.inbox, peer.activity("Create", actor, peer.note(actor)), actor)
    await node.settle("inbox")
    return await node.value("SELECT id FROM account WHERE uri = :uri", uri=actor.id)


async def add_follower(node, follower, target):
    await node.instance.database.write(
        "test",
        lambda tx: relations.put_follow(tx, follower=follower, target=target, state="accepted", uri=None, now_ms=1),
    )


async def test_a_signed_reply_goes_on_to_the_followers_byte_for_byte(node, peer, friends, lena):
    alice, carol = peer.add_actor("alice"), friends.add_actor("carol")
    await add_follower(node, await known(node, friends, carol), lena.id)
    await add_follower(node, await known(node, peer, peer.add_actor("neighbour")), lena.id)
    number = await node.instance.outbox.post(lena.id, Draft(text="Hello"))
    reply = peer.note(alice, "answer", inReplyTo=f"{lena.uri}/statuses/{number}")
    create = add_proof(peer.activity("Create", alice, reply), alice.ed25519, int(time.time()))
    body = json.dumps(create).encode()
    assert (await peer.post(node.inbox, body, alice))[0] == 202
    await node.settle()
    rows = await node.rows(
        "SELECT o.body, o.account, d.inbox FROM outgoing o JOIN delivery d ON d.activity = o.activity WHERE o.kind = 'Forward'"
    )
    assert rows == [(body, lena.id, friends.shared_inbox)]  # and not back to where it came from


@pytest.mark.parametrize("changes", [{}, {"to": ["{followers}"], "cc": []}])
async def test_what_is_unsigned_or_not_for_all_is_not_passed_on(node, peer, friends, lena, changes):
    alice, carol = peer.add_actor("alice"), friends.add_actor("carol")
    await add_follower(node, await known(node, friends, carol), lena.id)
    number = await node.instance.outbox.post(lena.id, Draft(text="Hello"))
    filled = {key: [text.replace("{followers}", alice.followers) for text in value] for key, value in changes.items()}
    reply = peer.note(alice, "answer", inReplyTo=f"{lena.uri}/statuses/{number}", **filled)
    create = peer.activity("Create", alice, reply)
    if changes:
        create = add_proof(create, alice.ed25519, int(time.time()))
    assert (await peer.post(node.inbox, create, alice))[0] == 202
    await node.settle()
    assert await node.rows("SELECT kind FROM outgoing WHERE kind = 'Forward'") == []


async def test_an_ld_signature_makes_a_forwarded_activity_its_actors_own(node, peer, lena):
    alice, relay = peer.add_actor("alice"), peer.add_actor("relay")
    note = peer.note(alice, "signed long ago", number=77)
    context = ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"]
    bare = {key: value for key, value in note.items() if key not in {"@context", "url"}}
    create = peer.activity("Create", alice, bare) | {"@context": context}
    signed = await add_ld_signature(create, alice.rsa, int(time.time()), node.instance.rdf)
    peer.answer("/users/alice/statuses/77", status=404)  # its origin is not asked
    assert (await peer.post(node.inbox, signed, relay))[0] == 202
    await node.settle()
    stored = await node.status(note["id"])
    assert stored is not None and "signed long ago" in stored.content
    lie = {**signed, "id": create["id"] + "b", "object": {**bare, "content": "forged", "id": note["id"] + "b"}}
    assert (await peer.post(node.inbox, lie, relay))[0] == 202
    await node.settle()
    assert await node.status(note["id"] + "b") is None


async def join_relay(node, peer, actor):
    await node.instance.database.write(
        "test",
        lambda tx: relays.put_relay(
            tx, inbox=actor.inbox, actor=actor.id, follow_uri=f"{node.origin}/actor#activities/1", now_ms=1
        ),
    )
    accept = peer.activity("Accept", actor, f"{node.origin}/actor#activities/1")
    assert (await peer.post(node.inbox, accept, actor))[0] == 202
    await node.settle()


async def test_a_relay_tells_of_posts_without_boosting_them(node, peer, lena):
    alice, relay = peer.add_actor("alice"), peer.add_actor("relay", type="Application")
    await join_relay(node, peer, relay)
    assert await node.rows("SELECT state FROM relay") == [("accepted",)]
    note = peer.note(alice, "public")
    announce = peer.activity("Announce", relay, note["id"], to=[PUBLIC])
    assert (await peer.post(node.inbox, announce, relay))[0] == 202
    await node.settle()
    assert await node.status(note["id"]) is not None
    assert await node.value("SELECT count(*) FROM status WHERE reblog_of IS NOT NULL") == 0
    assert await node.value("SELECT count(*) FROM notification") == 0


async def test_nobody_else_answers_for_a_relay(node, peer, lena):
    relay, mallory = peer.add_actor("relay"), peer.add_actor("mallory")
    await node.instance.database.write(
        "test",
        lambda tx: relays.put_relay(
            tx, inbox=relay.inbox, actor=relay.id, follow_uri=f"{node.origin}/actor#activities/1", now_ms=1
        ),
    )
    accept = peer.activity("Accept", mallory, f"{node.origin}/actor#activities/1")
    assert (await peer.post(node.inbox, accept, mallory))[0] == 202
    await node.settle()
    assert await node.rows("SELECT state FROM relay") == [("pending",)]


async def test_a_boost_waits_for_an_unreachable_origin_and_is_void_at_last(node, peer, friends):
    bob = peer.add_actor("bob")
    uri = f"{friends.origin}/users/x/statuses/1"
    friends.answer("/users/x/statuses/1", status=503)
    assert (await peer.post(node.inbox, peer.activity("Announce", bob, uri, to=[PUBLIC]), bob))[0] == 202
    tries = 0
    while await node.value("SELECT count(*) FROM job"):
        await node.settle("inbox")
        node.clock.advance(days=1)
        tries += 1
        assert tries <= KINDS["inbox"].max_attempts
    assert tries == KINDS["inbox"].max_attempts
    assert await node.rows("SELECT gone FROM object") == [("void",)]
    assert await node.rows("SELECT outcome FROM intake") == [("applied",)]


async def test_a_post_accepted_before_a_restart_is_read_again_from_its_bytes(node, peer, monkeypatch):
    monkeypatch.setattr(Parsed, "take", lambda *_: None)
    alice = peer.add_actor("alice")
    note = peer.note(alice)
    await peer.post(node.inbox, peer.activity("Create", alice, note), alice)
    await node.settle()
    assert await node.status(note["id"]) is not None


async def test_every_configured_policy_is_asked_about_every_activity(node, peer, lena):
    seen = []

    class Watching(Noop):
        meta = PolicyMeta(
            id="watching",
            version="1",
            hooks=frozenset({"incoming"}),
            capabilities=frozenset({"text", "tags"}),
            describe=dict.fromkeys(LANGUAGES, "Watches."),
        )

        def decide(self, snapshot, config):
            seen.append((snapshot.activity, dict(snapshot.capabilities)))
            line = dict.fromkeys(LANGUAGES, "Because.")
            return Proposal(verdict=Verdict.HOLD, reason="test", explain=line, ends_at=snapshot.now_ms + 1000)

    pipeline = node.instance.runner._handlers["inbox"].__self__
    pipeline._policies = PolicyHost([Watching()])
    pipeline._wanted = pipeline._policies.wanted("incoming")
    alice = peer.add_actor("alice")
    tag = {"type": "Hashtag", "name": "#cats", "href": f"{peer.origin}/tags/cats"}
    note = peer.note(alice, "Hello <b>you</b>", tag=[tag])
    await peer.post(node.inbox, peer.activity("Create", alice, note), alice)
    await peer.post(node.inbox, peer.activity("Follow", alice, lena.uri), alice)
    await node.settle()
    assert seen == [("Create", {"tags": ("cats",), "text": "Hello you"}), ("Follow", {})]
    assert await node.status(note["id"]) is not None  # a proposal alone changes nothing


async def test_a_forwarded_update_is_read_at_its_origin(node, peer):
    alice, mallory = peer.add_actor("alice"), peer.add_actor("mallory")
    note = peer.note(alice, "first", number=5)
    await peer.post(node.inbox, peer.activity("Create", alice, note), alice)
    await node.settle()
    peer.put(
        note["id"].removeprefix(peer.origin), {**note, "content": "<p>second</p>", "updated": "2026-02-01T00:00:00Z"}
    )
    forged = {**note, "content": "<p>forged</p>", "updated": "2026-03-01T00:00:00Z"}
    await peer.post(node.inbox, {"@context": CONTEXT, "id": f"{note['id']}#u", "type": "Update", "actor": alice.id, "object": forged}, mallory)  # fmt: skip
    await node.settle()
    assert (await node.status(note["id"])).content == "<p>second</p>"
