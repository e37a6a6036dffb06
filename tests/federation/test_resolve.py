"""Fetching what others say: only their own origin speaks for it, and handles hold in both directions."""

import json

import pytest

from fedi.activitypub.vocab import Post
from fedi.activitypub.webfinger import Handle, find_handle, find_lrdd_template
from fedi.errors import PeerFault, Unreachable
from tests.support.peers import ACTIVITY_JSON, CONTEXT, PUBLIC, FakePeer

AP = {"Content-Type": ACTIVITY_JSON}


@pytest.fixture
def resolver(node):
    return node.instance.resolver


@pytest.fixture
async def evil():
    running = await FakePeer.start("evil")
    yield running
    await running.stop()


def a_note(uri, author, **more):
    return {
        "@context": CONTEXT,
        "id": uri,
        "type": "Note",
        "attributedTo": author,
        "content": "x",
        "to": [PUBLIC],
        **more,
    }


async def fault_of(call):
    with pytest.raises(PeerFault) as caught:
        await call
    return caught.value.code


async def test_every_fetch_is_signed_by_the_server_itself(node, resolver, peer):
    alice = peer.add_actor("alice")
    found = await resolver.fetch_object(peer.note(alice)["id"])
    assert isinstance(found, Post)
    claim = peer.fetched[-1].claim
    assert claim.key_id == f"{node.origin}/actor#main-key"
    key = await node.instance.keyring.own_key(node.instance.actor.id)
    peer.fetched[-1].check_signature(key.public(f"{node.origin}/actor"))


async def test_a_document_that_claims_another_id_is_asked_for_there(resolver, peer, evil):
    alice = peer.add_actor("alice")
    true = peer.note(alice, "true")
    evil.put("/copy", {**true, "content": "<p>forged</p>"})
    found = await resolver.fetch_object(f"{evil.origin}/copy")
    assert (found.id, found.content) == (true["id"], "<p>true</p>")


async def test_an_id_that_leads_on_to_a_third_is_refused(resolver, peer, evil):
    evil.put("/a", a_note(f"{peer.origin}/b", f"{peer.origin}/users/x"))
    peer.put("/b", a_note(f"{peer.origin}/c", f"{peer.origin}/users/x"))
    assert await fault_of(resolver.fetch_object(f"{evil.origin}/a")) == "id-mismatch"


async def test_an_open_redirect_lends_no_authority(resolver, peer, evil):
    uri = f"{peer.origin}/redirecting"
    evil.put("/forged", a_note(uri, f"{peer.origin}/users/alice"))
    peer.answer("/redirecting", status=302, headers={"Location": f"{evil.origin}/forged"})
    assert await fault_of(resolver.fetch_object(uri)) == "id-mismatch"


@pytest.mark.parametrize("kind", ["text/html", "application/json", "application/ld+json", "text/plain"])
async def test_other_types_are_no_activitypub(resolver, peer, kind):
    uri = f"{peer.origin}/upload.json"
    body = json.dumps(a_note(uri, f"{peer.origin}/users/alice")).encode()
    peer.answer("/upload.json", body=body, headers={"Content-Type": kind})
    assert await fault_of(resolver.fetch_object(uri)) == "not-activitypub"


async def test_no_id_no_trust(resolver, peer):
    body = json.dumps({"@context": CONTEXT, "type": "Note", "attributedTo": f"{peer.origin}/users/a"}).encode()
    peer.answer("/none", body=body, headers=AP)
    assert await fault_of(resolver.fetch_object(f"{peer.origin}/none")) == "id-mismatch"


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "remote-missing"), (410, "remote-gone"), (403, "remote-forbidden"), (400, "remote-refused")],
)
async def test_answers_that_stay(resolver, peer, status, code):
    peer.answer("/x", status=status)
    assert await fault_of(resolver.fetch_object(f"{peer.origin}/x")) == code


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_answers_that_may_change_say_when_to_ask_again(resolver, peer, status):
    peer.answer("/x", status=status, headers={"Retry-After": "120"})
    with pytest.raises(Unreachable) as caught:
        await resolver.fetch_object(f"{peer.origin}/x")
    assert caught.value.retry_after_s == 120


async def test_ids_with_a_fragment_are_never_asked(resolver, peer):
    assert await fault_of(resolver.fetch_object(f"{peer.origin}/users/a#likes/1")) == "not-dereferenceable"
    assert peer.fetched == []


async def test_one_activity_causes_a_bounded_number_of_requests(resolver, peer):
    alice = peer.add_actor("alice")
    uri, limited = peer.note(alice)["id"], resolver.with_budget(3)
    for _ in range(3):
        await limited.fetch_object(uri)
    assert await fault_of(limited.fetch_object(uri)) == "too-many-fetches"
    assert len(peer.fetched) == 3


async def test_a_401_is_tried_with_the_other_scheme_once_an_hour(node, resolver, peer):
    alice = peer.add_actor("alice")
    uri = peer.note(alice)["id"]
    path = uri.removeprefix(peer.origin)
    peer.answer(path, status=401, times=1)
    await resolver.fetch_object(uri)
    assert [got.claim.scheme for got in peer.fetched] == ["cavage", "rfc9421"]
    await resolver.fetch_object(uri)
    assert peer.fetched[-1].claim.scheme == "rfc9421"  # remembered
    peer.answer(path, status=401)
    assert await fault_of(resolver.fetch_object(uri)) == "remote-forbidden"
    assert len(peer.fetched) == 4


async def test_a_local_addressee_asks_where_the_server_may_not(node, resolver, peer):
    lena = await node.add_person("lena")
    alice = peer.add_actor("alice")
    uri = peer.note(alice)["id"]
    peer.answer(uri.removeprefix(peer.origin), status=403, times=1)
    key = await node.instance.keyring.own_key(lena.id)
    found = await resolver.fetch_object(uri, signer=key)
    assert found.id == uri
    assert peer.fetched[-1].claim.key_id == f"{lena.uri}#main-key"


async def test_a_refused_host_is_not_asked(node, resolver, peer):
    decisions, now = node.instance.decisions, node.clock.ms()
    await node.instance.database.write(
        "test",
        lambda tx: decisions.decide(tx, effect="refuse", subject="remote.localhost", rule="r", reason="x",
                                    until_ms=now + 86_400_000, by_role="m", now_ms=now),
    )  # fmt: skip
    assert await fault_of(resolver.fetch_object(f"{peer.origin}/x")) == "host-refused"
    assert peer.fetched == []


async def test_a_handle_holds_in_both_directions(resolver, peer):
    alice = peer.add_actor("alice")
    found = await resolver.fetch_actor(alice.id)
    assert (found.domain, found.verified) == (peer.host, True)
    again = await resolver.resolve_handle(Handle(user="alice", domain=peer.host))
    assert again.document.id == alice.id


async def test_a_handle_of_somebody_else_is_refused(resolver, peer):
    peer.add_actor("alice")
    mallory = peer.add_actor("mallory", preferredUsername="alice")
    assert await fault_of(resolver.fetch_actor(mallory.id)) == "handle-mismatch"


async def test_another_domain_is_believed_only_when_it_agrees(resolver, peer, evil):
    alice = peer.add_actor("alice", webfinger=f"alice@{evil.host}")
    assert (await resolver.fetch_actor(alice.id)).domain == peer.host
    jrd = {"subject": f"acct:alice@{evil.host}", "links": [{"rel": "self", "type": ACTIVITY_JSON, "href": alice.id}]}
    evil.answer(
        "/.well-known/webfinger", body=json.dumps(jrd).encode(), headers={"Content-Type": "application/jrd+json"}
    )
    found = await resolver.fetch_actor(alice.id)
    assert (found.domain, found.verified) == (evil.host, True)


async def test_a_host_without_webfinger_speaks_for_its_own_name(resolver, peer):
    alice = peer.add_actor("alice")
    peer.answer("/.well-known/webfinger", status=404)
    found = await resolver.fetch_actor(alice.id)
    assert (found.domain, found.verified) == (peer.host, False)


async def test_host_meta_leads_to_webfinger_of_old_software(resolver, peer):
    alice = peer.add_actor("alice")
    jrd = {"subject": f"acct:alice@{peer.host}", "links": [{"rel": "self", "type": ACTIVITY_JSON, "href": alice.id}]}
    xrd = f'<XRD><Link rel="lrdd" template="{peer.origin}/finger?uri={{uri}}"/></XRD>'
    peer.answer("/.well-known/webfinger", status=404)
    peer.answer("/.well-known/host-meta", body=xrd.encode(), headers={"Content-Type": "application/xrd+xml"})
    peer.answer("/finger", body=json.dumps(jrd).encode(), headers={"Content-Type": "application/jrd+json"})
    assert (await resolver.fetch_actor(alice.id)).verified


async def test_pages_of_a_collection_end_at_the_host_and_at_a_ring(resolver, peer, evil):
    base = f"{peer.origin}/c"
    peer.put("/c", {"@context": CONTEXT, "id": base, "type": "Collection", "totalItems": 9, "first": f"{base}?page=1"})
    page = {"@context": CONTEXT, "type": "CollectionPage", "partOf": base}
    peer.put("/c?page=1", {**page, "id": f"{base}?page=1", "items": [f"{peer.origin}/1"], "next": f"{base}?page=2"})
    peer.put("/c?page=2", {**page, "id": f"{base}?page=2", "items": [f"{peer.origin}/2"], "next": f"{base}?page=1"})
    pages = [items async for items, _ in resolver.list_pages(base, max_pages=10)]
    assert pages == [(), (f"{peer.origin}/1",), (f"{peer.origin}/2",)]
    peer.put("/c?page=2", {**page, "id": f"{base}?page=2", "items": [], "next": f"{evil.origin}/page"})
    assert len([items async for items, _ in resolver.list_pages(base, max_pages=10)]) == 3
    assert evil.fetched == []


async def test_gotosocials_key_stub_leads_to_its_owner(node, resolver, peer):
    alice = peer.add_actor("alice")
    key_id = f"{alice.id}/main-key"
    key = {"id": key_id, "owner": alice.id, "publicKeyPem": alice.document["publicKey"]["publicKeyPem"]}
    alice.document["publicKey"] = key
    stub = {"@context": CONTEXT, "id": alice.id, "type": "Person", "preferredUsername": "alice", "publicKey": key}
    peer.answer("/users/alice/main-key", body=json.dumps(stub).encode(), headers=AP)
    found = await node.instance.keyring.fetch(key_id)
    assert (found.key.owner, found.actor.document.id) == (alice.id, alice.id)


async def test_a_key_document_under_another_address_is_refused(node, peer, evil):
    alice = peer.add_actor("alice")
    pem = evil.add_actor("m").document["publicKey"]["publicKeyPem"]
    key_id = f"{evil.origin}/k"
    evil.put(
        "/k", {"@context": CONTEXT, "id": f"{alice.id}#main-key", "type": "Key", "owner": alice.id, "publicKeyPem": pem}
    )
    assert await fault_of(node.instance.keyring.fetch(key_id)) == "key-mismatch"


@pytest.mark.parametrize(
    ("text", "handle"),
    [
        ("acct:a@b.example", ("a", "b.example")),
        ("@a@B.example", ("a", "b.example")),
        ("a@b.example:3000", ("a", "b.example:3000")),
        ("a", None),
        ("a@b@c", None),
        ("a@b/c", None),
        ("", None),
    ],
)
def test_handles_are_read_strictly(text, handle):
    found = find_handle(text)
    assert (found and (found.user, found.domain)) == handle


def test_host_meta_is_read_in_linear_time():
    assert find_lrdd_template("<Link " * 20_000) is None
    assert find_lrdd_template("<Link rel='lrdd' template='x'/>") is None
