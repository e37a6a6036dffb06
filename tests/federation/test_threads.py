"""Conversations are completed from their origins, and what stays missing is counted."""

import json

import pytest

from fedi.inbox.threads import NOT_AGAIN_MS, NOT_BEFORE_MS
from fedi.outbox.draft import Draft
from tests.support.peers import ACTIVITY_JSON, CONTEXT

AP = {"Content-Type": ACTIVITY_JSON}


def collection(peer, path, items, **more):
    uri = peer.origin + path
    peer.put(
        path, {"@context": CONTEXT, "id": uri, "type": "Collection", "totalItems": len(items), "items": items, **more}
    )
    return uri


async def receive(node, peer, actor, note):
    assert (await peer.post(node.inbox, peer.activity("Create", actor, note), actor))[0] == 202
    await node.settle("inbox")
    return await node.status(note["id"])


async def ask(node, status):
    node.clock.advance(s=NOT_BEFORE_MS / 1000 + 1)
    asked = await node.instance.threads.ask(status.id)
    await node.settle()
    return asked


async def completeness(node, status):
    fresh = await node.status(status.uri)
    return await node.instance.database.read(lambda tx: node.instance.threads.completeness(tx, fresh))


async def test_ancestors_come_first_and_join_the_thread(node, peer):
    alice, bob = peer.add_actor("alice"), peer.add_actor("bob")
    root = peer.note(alice, "root", number=1)
    middle = peer.note(bob, "middle", number=2, inReplyTo=root["id"])
    leaf = await receive(node, peer, alice, peer.note(alice, "leaf", number=3, inReplyTo=middle["id"]))
    assert leaf.in_reply_to is None
    assert await ask(node, leaf)
    stored = [await node.status(note["id"]) for note in (root, middle)]
    fresh = await node.status(leaf.uri)
    assert fresh.in_reply_to == stored[1].id and stored[1].in_reply_to == stored[0].id
    assert {one.thread for one in (*stored, fresh)} == {stored[0].id}


async def test_replies_are_followed_down_and_the_rest_is_counted(node, peer):
    alice = peer.add_actor("alice")
    deep = peer.note(alice, "deep", number=12)
    first = peer.note(alice, "first", number=11, replies=collection(peer, "/r/11", [deep["id"]]))
    gone = f"{peer.origin}/users/alice/statuses/404"
    broken = f"{peer.origin}/users/alice/statuses/500"
    peer.answer("/users/alice/statuses/500", status=500)
    replies = collection(peer, "/r/10", [first["id"], gone, broken])
    for note in (first, deep):
        note["inReplyTo"] = f"{peer.origin}/users/alice/statuses/10"
        peer.put(note["id"].removeprefix(peer.origin), note)
    root = await receive(node, peer, alice, peer.note(alice, "root", number=10, replies=replies))
    assert await ask(node, root)
    assert await node.status(first["id"]) is not None
    assert await node.status(deep["id"]) is not None
    found = await completeness(node, root)
    assert (found.known, found.estimate, found.complete) == (3, 5, False)
    assert found.missing == {"deleted": 1, "unreachable": 1}


async def test_the_owners_collection_says_when_it_is_all(node, peer):
    alice = peer.add_actor("alice")
    reply = peer.note(alice, "reply", number=21, inReplyTo=f"{peer.origin}/users/alice/statuses/20")
    uri = f"{peer.origin}/users/alice/statuses/20"
    context = collection(peer, "/contexts/20", [uri, reply["id"]], attributedTo=alice.id)
    root = await receive(node, peer, alice, peer.note(alice, "root", number=20, context=context))
    assert await ask(node, root)
    found = await completeness(node, root)
    assert (found.known, found.estimate, found.complete, found.missing) == (2, 2, True, {})


async def test_a_collection_only_suggests_ids(node, peer):
    alice = peer.add_actor("alice")
    forged = {"id": f"{peer.origin}/elsewhere", "type": "Note", "attributedTo": alice.id, "content": "forged"}
    replies = collection(peer, "/r/30", [forged, f"{node.origin}/users/nobody/statuses/1"])
    root = await receive(node, peer, alice, peer.note(alice, "root", number=30, replies=replies))
    await ask(node, root)
    assert await node.value("SELECT count(*) FROM status") == 1


async def test_it_is_not_asked_too_early_nor_too_often(node, peer):
    alice = peer.add_actor("alice")
    note = peer.note(alice, "root", number=40, published="2099-01-01T00:00:00Z")
    root = await receive(node, peer, alice, note)
    assert not await node.instance.threads.ask(root.id)
    assert await ask(node, root)
    assert not await ask(node, root)
    node.clock.advance(s=NOT_AGAIN_MS / 1000)
    assert await ask(node, root)


async def test_a_conversation_of_our_own_needs_no_fetch(node):
    lena = await node.add_person("lena")
    number = await node.instance.outbox.post(lena.id, Draft(text="alone"))
    node.clock.advance(s=3600)
    assert not await node.instance.threads.ask(number)


async def test_a_server_that_asks_for_patience_gets_it(node, peer):
    alice = peer.add_actor("alice")
    peer.answer("/r/50", status=429, headers={"Retry-After": "600"})
    root = await receive(node, peer, alice, peer.note(alice, "root", number=50, replies=f"{peer.origin}/r/50"))
    await ask(node, root)
    asked = len([got for got in peer.fetched if got.path == "/r/50"])
    assert asked == 1
    assert await node.rows("SELECT kind, state FROM job WHERE kind = 'fetch_thread'") == [("fetch_thread", "waiting")]
    await node.settle()
    assert len([got for got in peer.fetched if got.path == "/r/50"]) == asked


async def test_what_a_reply_to_us_answers_is_fetched_through_the_queue(node, peer):
    lena = await node.add_person("lena")
    alice = peer.add_actor("alice")
    chain = [peer.note(alice, "0", number=60)]
    for number in range(1, 4):
        chain.append(peer.note(alice, str(number), number=60 + number, inReplyTo=chain[-1]["id"]))
    mention = {"type": "Mention", "href": lena.uri, "name": "@lena"}
    leaf = peer.note(alice, "leaf", number=70, inReplyTo=chain[-1]["id"], tag=[mention], cc=[lena.uri])
    await peer.post(node.inbox, peer.activity("Create", alice, leaf), alice)
    await node.settle()
    stored = [await node.status(note["id"]) for note in (*chain, leaf)]
    assert len({one.thread for one in stored}) == 1


async def test_followers_that_the_other_side_does_not_know_are_dropped(node, peer):
    """FEP-8fcf, from the signed header to the row."""
    alice, lena, mia = peer.add_actor("alice"), await node.add_person("lena"), await node.add_person("mia")
    from fedi.activitypub import httpsig
    from fedi.activitypub.followers_sync import FollowersClaim, followers_digest, render_followers_claim
    from fedi.store import relations
    from tests.support.peers import client_session

    await receive(node, peer, alice, peer.note(alice))
    account = await node.value("SELECT id FROM account WHERE uri = :uri", uri=alice.id)
    for person in (lena, mia):
        await node.instance.database.write(
            "test",
            lambda tx, p=person: relations.put_follow(
                tx, follower=p.id, target=account, state="accepted", uri=None, now_ms=1
            ),
        )
    url = f"{peer.origin}/sync"
    body = json.dumps(
        {"@context": CONTEXT, "id": url, "type": "OrderedCollection", "orderedItems": [lena.uri]}
    ).encode()
    peer.answer("/sync", body=body, headers=AP)

    async def send(digest, number):
        claim = FollowersClaim(collection_id=alice.followers, url=url, digest=digest)
        note = json.dumps(peer.activity("Create", alice, peer.note(alice, number=number))).encode()
        headers = httpsig.sign_request(
            "cavage", "POST", node.inbox, body=note, key=alice.rsa, now_s=node.clock.ms() // 1000,
            headers={"Collection-Synchronization": render_followers_claim(claim)},
        )  # fmt: skip
        async with client_session() as session, session.post(node.inbox, data=note, headers=headers) as answer:
            assert answer.status == 202
        await node.settle()
        return sorted(await node.rows("SELECT follower FROM follow"))

    assert await send("0" * 64, 501) == sorted([(lena.id,), (mia.id,)])  # the list does not give that digest
    assert await send(followers_digest([lena.uri]), 502) == [(lena.id,)]


@pytest.mark.parametrize("moved", [True, False])
async def test_local_followers_follow_an_account_that_moved(node, peer, moved):
    lena = await node.add_person("lena")
    alice = peer.add_actor("alice")
    fresh = peer.add_actor("fresh", alsoKnownAs=[alice.id] if moved else [])
    from fedi.store import relations

    await receive(node, peer, alice, peer.note(alice))
    account = await node.value("SELECT id FROM account WHERE uri = :uri", uri=alice.id)
    await node.instance.database.write(
        "test",
        lambda tx: relations.put_follow(
            tx, follower=lena.id, target=account, state="accepted", uri=f"{lena.uri}/activities/1", now_ms=1
        ),
    )
    move = peer.activity("Move", alice, alice.id, target=fresh.id)
    assert (await peer.post(node.inbox, move, alice))[0] == 202
    await node.settle()
    follows = await node.rows("SELECT a.uri, f.state FROM follow f JOIN account a ON a.id = f.target")
    sent = [json.loads(row[0]) for row in await node.rows("SELECT body FROM outgoing ORDER BY kind")]
    if not moved:
        assert (follows, sent) == ([(alice.id, "accepted")], [])
        return
    assert follows == [(fresh.id, "requested")]
    assert [(one["type"], one["actor"]) for one in sent] == [("Follow", lena.uri), ("Undo", lena.uri)]
    assert sent[0]["object"] == fresh.id and sent[1]["object"]["object"] == alice.id
    assert await node.value("SELECT moved_to FROM account WHERE uri = :uri", uri=alice.id) == fresh.id


@pytest.mark.parametrize(("locked", "state"), [(False, "accepted"), (True, "requested")])
async def test_local_followers_follow_an_account_that_moved_to_us(node, peer, locked, state):
    lena, mia = await node.add_person("lena"), await node.add_person("mia")
    alice = peer.add_actor("alice")
    from fedi.store import relations

    await receive(node, peer, alice, peer.note(alice))
    account = await node.value("SELECT id FROM account WHERE uri = :uri", uri=alice.id)

    async def prepare(tx):
        await relations.put_follow(tx, follower=lena.id, target=account, state="accepted", uri=None, now_ms=1)
        await tx.run(
            "UPDATE account SET also_known_as = :aliases, locked = :locked WHERE id = :id",
            aliases=json.dumps([alice.id]),
            locked=int(locked),
            id=mia.id,
        )

    await node.instance.database.write("test", prepare)
    move = peer.activity("Move", alice, alice.id, target=mia.uri)
    assert (await peer.post(node.inbox, move, alice))[0] == 202
    await node.settle()
    assert await node.rows("SELECT a.uri, f.state FROM follow f JOIN account a ON a.id = f.target") == [
        (mia.uri, state)
    ]
    kinds = await node.rows("SELECT kind FROM notification WHERE account = :id", id=mia.id)
    assert kinds == [("follow_request" if locked else "follow",)]
    sent = [json.loads(row[0])["type"] for row in await node.rows("SELECT body FROM outgoing")]
    assert sent == ["Undo"]
