"""What others read of us: documents of actors, posts and collections, WebFinger, NodeInfo; and what they may not."""

import json
from urllib.parse import quote

import pytest

from fedi.inbox.actors import put_actor
from fedi.outbox.draft import Draft
from fedi.outbox.profile import ProfileDraft
from fedi.store import relations, statuses
from tests.support.node import open_node
from tests.support.peers import PUBLIC

AP = "application/activity+json"


@pytest.fixture
async def lena(node):
    return await node.add_person("lena")


async def read(node, path, **more):
    status, headers, body = await node.get(path, **more)
    return status, headers, json.loads(body) if body else None


async def follow(node, peer, actor, target):
    resolved = await node.instance.resolver.fetch_actor(actor.id)
    now, ids = node.clock.ms(), node.instance.ids

    async def unit(tx):
        stored = await put_actor(tx, resolved, ids=ids, now_ms=now)
        await relations.put_follow(tx, follower=stored.id, target=target.id, state="accepted", uri=None, now_ms=now)
        return stored

    return await node.instance.database.write("test", unit)


async def test_an_actor_has_all_that_others_ask_of_it(node, lena):
    status, headers, actor = await read(node, "/users/lena")
    assert status == 200
    assert (headers["Content-Type"], headers["Vary"]) == (f"{AP}; charset=utf-8", "Accept, Signature")
    assert actor["id"] == lena.uri and actor["type"] == "Person"
    assert actor["publicKey"]["owner"] == lena.uri
    assert actor["assertionMethod"][0]["type"] == "Multikey"
    assert actor["endpoints"]["sharedInbox"] == node.inbox
    assert actor["manuallyApprovesFollowers"] is False


async def test_a_browser_is_led_to_the_page(node, lena):
    for accept in ("text/html", "*/*"):
        status, headers, _ = await node.get("/users/lena", accept=accept)
        assert (status, headers["Location"]) == (303, f"{node.origin}/@lena")


async def test_webfinger_answers_for_handle_actor_and_page(node, lena):
    domain = node.origin.removeprefix("http://")
    for resource in (f"acct:lena@{domain}", lena.uri, f"{node.origin}/@lena", f"acct:LENA@{domain}"):
        status, headers, jrd = await read(node, f"/.well-known/webfinger?resource={quote(resource)}")
        assert status == 200, resource
        assert headers["Content-Type"] == "application/jrd+json"
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert jrd["subject"] == f"acct:lena@{domain}"
        selves = [link for link in jrd["links"] if link["rel"] == "self"]
        assert [link["type"] for link in selves] == [
            AP,
            'application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
        ]
        assert {link["href"] for link in selves} == {lena.uri}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?resource=", 400),
        ("?resource=acct:nobody@local", 404),
        ("?resource=acct:lena@elsewhere.example", 404),
        ("?resource=https://elsewhere.example/users/lena", 404),
        ("?resource=%00", 400),
    ],
)
async def test_webfinger_says_what_it_does_not_know(node, lena, query, status):
    found, headers, _ = await read(node, f"/.well-known/webfinger{query}")
    assert (found, headers["Content-Type"]) == (status, "application/problem+json; charset=utf-8")


async def test_the_server_itself_is_found(node, lena):
    domain = node.origin.removeprefix("http://")
    _, _, jrd = await read(node, f"/.well-known/webfinger?resource={node.origin}/")
    assert jrd["links"][0]["href"] == f"{node.origin}/actor"
    _, _, jrd = await read(node, f"/.well-known/webfinger?resource=acct:{domain}@{domain}")
    assert {link["href"] for link in jrd["links"]} == {f"{node.origin}/actor"}
    _, _, actor = await read(node, "/actor")
    assert (actor["type"], actor["publicKey"]["id"]) == ("Application", f"{node.origin}/actor#main-key")
    status, _, body = await node.get("/.well-known/host-meta")
    assert status == 200 and b'rel="lrdd"' in body


async def test_nodeinfo_in_both_versions(node, lena):
    _, _, links = await read(node, "/.well-known/nodeinfo")
    assert [link["href"].removeprefix(node.origin) for link in links["links"]] == [
        "/nodeinfo/2.0",
        "/nodeinfo/2.1",
        "/actor",
    ]
    for version in ("2.0", "2.1"):
        status, headers, info = await read(node, f"/nodeinfo/{version}")
        assert status == 200 and f"schema/{version}#" in headers["Content-Type"]
        assert info["version"] == version and info["software"]["name"] == "fedi"
        assert info["usage"]["users"]["total"] == 1
        assert info["metadata"]["fedi"]["policies"] == [{"id": "noop"}]


async def test_a_public_post_with_its_activity_and_counts(node, lena):
    number = await node.instance.outbox.post(lena.id, Draft(text="Hello"))
    path = f"/users/lena/statuses/{number}"
    status, headers, post = await read(node, path)
    assert status == 200 and headers["Vary"] == "Accept, Signature"
    assert (post["type"], post["to"], post["content"]) == ("Note", [PUBLIC], "<p>Hello</p>")
    _, _, create = await read(node, f"{path}/activity")
    assert (create["type"], create["object"]["id"], create["to"]) == ("Create", post["id"], post["to"])
    for part in ("replies", "likes", "shares"):
        status, _, collection = await read(node, f"{path}/{part}")
        assert (status, collection["totalItems"]) == (200, 0), part
    status, headers, _ = await node.get(path, accept="text/html")
    assert (status, headers["Location"]) == (303, f"{node.origin}/@lena/{number}")


async def test_private_and_missing_look_alike(node, peer, lena):
    friend, stranger = peer.add_actor("friend"), peer.add_actor("stranger")
    await follow(node, peer, friend, lena)
    private = await node.instance.outbox.post(lena.id, Draft(text="secret", visibility="private"))
    answers = []
    for number in (private, private + 1):
        path = f"{node.origin}/users/lena/statuses/{number}"
        for actor in (None, stranger):
            status, _, body = await peer.get(path, actor)
            told = json.loads(body)
            told.pop("instance")
            answers.append((status, json.dumps(told, sort_keys=True)))
    assert len(set(answers)) == 1 and answers[0][0] == 404
    status, headers, body = await peer.get(f"{node.origin}/users/lena/statuses/{private}", friend)
    assert status == 200 and "secret" in json.loads(body)["content"]
    assert "no-store" in headers["Cache-Control"]


async def test_a_deleted_post_is_gone(node, lena):
    number = await node.instance.outbox.post(lena.id, Draft(text="Hello"))
    await node.instance.outbox.delete(lena.id, number)
    status, _, tombstone = await read(node, f"/users/lena/statuses/{number}")
    assert (status, tombstone["type"]) == (410, "Tombstone")


async def test_the_outbox_is_read_page_by_page_and_tells_nothing_private(node, lena):
    for number in range(25):
        await node.instance.outbox.post(lena.id, Draft(text=f"post {number}"))
    await node.instance.outbox.post(lena.id, Draft(text="secret", visibility="private"))
    _, _, outbox = await read(node, "/users/lena/outbox")
    assert outbox["type"] == "OrderedCollection"
    texts, path = [], "/users/lena/outbox?page=true"
    while path:
        _, _, page = await read(node, path)
        texts += [item["object"]["content"] for item in page["orderedItems"]]
        path = page.get("next", "").removeprefix(node.origin)
    assert texts == [f"<p>post {number}</p>" for number in reversed(range(25))]


async def test_followers_by_page_or_only_how_many(node, peer, lena):
    friend = peer.add_actor("friend")
    await follow(node, peer, friend, lena)
    _, _, followers = await read(node, "/users/lena/followers")
    assert followers["totalItems"] == 1
    _, _, page = await read(node, "/users/lena/followers?page=true")
    assert page["orderedItems"] == [friend.id]
    _, _, following = await read(node, "/users/lena/following")
    assert following["totalItems"] == 0
    status, _, body = await peer.get(f"{node.origin}/users/lena/followers_synchronization", friend)
    assert (status, json.loads(body)["orderedItems"]) == (200, [friend.id])
    status, _, _ = await peer.get(f"{node.origin}/users/lena/followers_synchronization")
    assert status == 401


async def test_who_follows_is_hidden_where_the_account_says_so_and_how_many_never(node, peer, lena):
    friend, idol = peer.add_actor("friend"), peer.add_actor("idol")
    await follow(node, peer, friend, lena)
    stored = await follow(node, peer, idol, lena)
    await node.instance.database.write(
        "test",
        lambda tx: relations.put_follow(
            tx, follower=lena.id, target=stored.id, state="accepted", uri=None, now_ms=node.clock.ms()
        ),
    )
    for part, people in (("followers", [idol.id, friend.id]), ("following", [idol.id])):
        _, _, shown = await read(node, f"/users/lena/{part}")
        assert (shown["totalItems"], shown["first"]) == (len(people), f"{lena.uri}/{part}?page=true")
        assert (await read(node, f"/users/lena/{part}?page=true"))[2]["orderedItems"] == people
    await node.instance.outbox.update_profile(lena.id, ProfileDraft(hide_collections=True))
    for part, total in (("followers", 2), ("following", 1)):
        for path in (f"/users/lena/{part}", f"/users/lena/{part}?page=true", f"/users/lena/{part}?page=true&max_id=9"):
            for reader in (None, friend):
                _, _, body = await peer.get(node.origin + path, reader)
                shown = json.loads(body)
                assert shown["totalItems"] == total
                assert not {"first", "items", "orderedItems", "next"} & shown.keys()
    _, _, body = await peer.get(f"{node.origin}/users/lena/followers_synchronization", friend)
    assert sorted(json.loads(body)["orderedItems"]) == sorted([friend.id, idol.id])
    _, _, page = await node.get("/@lena", accept="text/html")
    assert b"2 followers" in page
    assert b"follows 1" in page


async def test_replies_of_ones_own_first_then_those_of_others(node, peer, lena):
    alice = peer.add_actor("alice")
    number = await node.instance.outbox.post(lena.id, Draft(text="Hello"))
    uri = f"{lena.uri}/statuses/{number}"
    await node.instance.outbox.post(lena.id, Draft(text="more", in_reply_to=number))
    reply = peer.note(alice, "answer", inReplyTo=uri)
    await peer.post(node.inbox, peer.activity("Create", alice, reply), alice)
    await node.settle()
    _, _, replies = await read(node, f"/users/lena/statuses/{number}/replies")
    assert replies["totalItems"] == 2
    _, _, own = await read(node, replies["first"].removeprefix(node.origin))
    assert [item.startswith(lena.uri) for item in own["items"]] == [True]
    _, _, others = await read(node, own["next"].removeprefix(node.origin))
    assert others["items"] == [reply["id"]]
    _, _, post = await read(node, f"/users/lena/statuses/{number}")
    _, _, context = await read(node, post["context"].removeprefix(node.origin))
    assert context["totalItems"] == 3
    _, _, page = await read(node, context["first"].removeprefix(node.origin))
    assert page["orderedItems"][0] == uri and len(page["orderedItems"]) == 3


async def test_authorised_fetch_shows_strangers_only_enough_to_verify_us(tmp_path, peer):
    async with open_node(tmp_path / "strict", more="[federation]\nauthorized_fetch = true\n") as node:
        lena = await node.add_person("lena")
        number = await node.instance.outbox.post(lena.id, Draft(text="Hello"))
        reader = peer.add_actor("reader")
        status, _, stub = await read(node, "/users/lena")
        assert status == 200
        assert set(stub) - {"@context", "assertionMethod"} == {"id", "type", "preferredUsername", "inbox", "publicKey", "endpoints"}  # fmt: skip
        assert (await node.get(f"/users/lena/statuses/{number}"))[0] == 401
        status, _, _ = await peer.get(f"{node.origin}/users/lena/statuses/{number}", reader)
        assert status == 200
        assert (await node.get("/actor"))[0] == 200


async def test_a_refused_host_reads_nothing(node, peer, lena):
    reader, decisions, now = peer.add_actor("reader"), node.instance.decisions, node.clock.ms()
    number = await node.instance.outbox.post(lena.id, Draft(text="Hello"))
    await node.instance.database.write(
        "test",
        lambda tx: decisions.decide(tx, effect="refuse", subject="remote.localhost", rule="r", reason="x",
                                    until_ms=now + 86_400_000, by_role="m", now_ms=now),
    )  # fmt: skip
    for path in (f"/users/lena/statuses/{number}", "/users/lena"):
        status, _, body = await peer.get(node.origin + path, reader)
        assert (status, json.loads(body)["code"]) == (403, "refused-by-decision")


async def test_a_stamp_is_served_while_it_stands(node, peer, lena):
    alice = peer.add_actor("alice")
    number = await node.instance.outbox.post(lena.id, Draft(text="Quote me"))
    uri = f"{lena.uri}/statuses/{number}"
    quote_post = peer.note(alice, "look", quote=uri)
    request = peer.activity("QuoteRequest", alice, uri, instrument=quote_post)
    assert (await peer.post(node.inbox, request, alice))[0] == 202
    await node.settle()
    answer = json.loads(await node.value("SELECT body FROM outgoing WHERE kind = 'Accept'"))
    assert answer["object"]["id"] == request["id"]
    _, _, stamp = await read(node, answer["result"].removeprefix(node.origin))
    assert (stamp["type"], stamp["interactingObject"], stamp["interactionTarget"]) == ("QuoteAuthorization", quote_post["id"], uri)  # fmt: skip
    await peer.post(
        node.inbox, peer.activity("Create", alice, {**quote_post, "quoteAuthorization": answer["result"]}), alice
    )
    await node.settle()
    stored = await node.status(quote_post["id"])
    assert (stored.quote_state, stored.quote_of) == ("accepted", number)
    assert ("quote",) in await node.rows("SELECT kind FROM notification")
    await node.instance.outbox.revoke_quote(lena.id, number, stored.id)
    assert (await node.get(answer["result"].removeprefix(node.origin)))[0] == 404


@pytest.mark.parametrize("policy", ["nobody", "followers"])
async def test_a_quote_that_the_author_does_not_want_is_rejected(node, peer, lena, policy):
    alice = peer.add_actor("alice")
    number = await node.instance.outbox.post(lena.id, Draft(text="Do not", quote_policy=policy))
    uri = f"{lena.uri}/statuses/{number}"
    request = peer.activity("QuoteRequest", alice, uri, instrument=peer.note(alice, "look", quote=uri))
    await peer.post(node.inbox, request, alice)
    await node.settle()
    assert await node.rows("SELECT kind FROM outgoing WHERE kind <> 'Create'") == [("Reject",)]
    assert await node.value("SELECT count(*) FROM quote_stamp") == 0


async def test_ids_of_others_and_nonsense_are_404(node, lena):
    other = await node.add_person("other")
    number = await node.instance.outbox.post(other.id, Draft(text="Hello"))
    for path in (
        f"/users/lena/statuses/{number}",
        "/users/nobody",
        "/users/lena/statuses/1",
        "/users/lena/statuses/999999999999999999",
        "/users/lena/activities/none",
        "/users/lena/quote_authorizations/none",
        "/contexts/none",
        "/contexts/1",
    ):
        status, headers, _ = await node.get(path)
        assert (status, headers["Content-Type"]) == (404, "application/problem+json; charset=utf-8"), path


async def test_pinned_posts_are_embedded(node, lena):
    number = await node.instance.outbox.post(lena.id, Draft(text="Pin"))
    await node.instance.outbox.pin(lena.id, number)
    _, _, featured = await read(node, "/users/lena/collections/featured")
    assert [item["id"] for item in featured["orderedItems"]] == [f"{lena.uri}/statuses/{number}"]
    assert (await read(node, "/users/lena/collections/tags"))[2]["totalItems"] == 0
    found = await node.instance.database.read(lambda tx: statuses.find_status(tx, number))
    assert found is not None
