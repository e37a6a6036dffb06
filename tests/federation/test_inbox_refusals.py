"""What an inbox must refuse, and how it answers: each sent over HTTP, the database compared before and after."""

import dataclasses
import io
import json
import time

import pytest

from fedi.activitypub import httpsig
from fedi.activitypub.keys import generate_ed25519, load_signing_key
from fedi.activitypub.proofs import add_proof
from fedi.inbox.rates import Rates
from tests.support.clocks import FakeClock
from tests.support.node import EFFECT_TABLES, LEDGER_TABLES
from tests.support.peers import ACTIVITY_JSON, CONTEXT, PUBLIC, client_session

ALL = EFFECT_TABLES + LEDGER_TABLES
DAY_MS = 86_400_000


async def send(node, body, headers):
    async with client_session() as session, session.post(node.inbox, data=io.BytesIO(body), headers=headers) as answer:
        return answer.status, dict(answer.headers), await answer.read()


def signed(node, actor, body, **more):
    return httpsig.sign_request(
        "cavage", "POST", node.inbox, body=body, key=actor.rsa, now_s=more.pop("now_s", int(time.time())), **more
    )


@pytest.fixture
async def alice(node, peer):
    """Known here, with her key."""
    actor = peer.add_actor("alice")
    await peer.post(node.inbox, peer.activity("Create", actor, peer.note(actor)), actor)
    await node.settle()
    peer.fetched.clear()
    return actor


@pytest.fixture
def note(peer, alice):
    return json.dumps(peer.activity("Create", alice, peer.note(alice, number=99))).encode()


async def test_unsigned_is_401_whatever_the_body(node, alice):
    before = await node.snapshot(ALL)
    for body in (b"", b"{", b'{"type":"Delete"}', json.dumps({"a": 1}).encode()):
        status, headers, answer = await send(node, body, {"Content-Type": ACTIVITY_JSON})
        assert (status, headers["Content-Type"]) == (401, "application/problem+json; charset=utf-8")
        assert json.loads(answer)["code"] == "signature-missing"
    assert await node.snapshot(ALL) == before


async def test_one_text_for_every_signature_that_does_not_hold(node, peer, alice, note):
    before = await node.snapshot(ALL)
    now = int(time.time())
    good = signed(node, alice, note)
    stranger = dataclasses.replace(
        alice, rsa=load_signing_key(generate_ed25519().private_pem, id=f"{alice.id}#ed25519-key")
    )
    nobody = dataclasses.replace(alice, rsa=dataclasses.replace(alice.rsa, id=f"{peer.origin}/users/nobody#main-key"))
    cases = {
        "other body": (note + b" ", good),
        "too old": (note, signed(node, alice, note, now_s=now - 3 * 3600)),
        "from the future": (note, signed(node, alice, note, now_s=now + 2 * 3600)),
        "other host": (note, good | {"Host": "elsewhere.example"}),
        "other key": (note, signed(node, stranger, note)),
        "no such key": (note, signed(node, nobody, note)),
        "tampered": (note, good | {"Signature": good["Signature"].replace('signature="', 'signature="AAAA')}),
        "digest not covered": (note, good | {"Signature": good["Signature"].replace(" digest", "")}),
    }
    answers = set()
    for name, (body, headers) in cases.items():
        status, _, answer = await send(node, body, headers)
        told = json.loads(answer)
        assert (status, told.pop("instance") is not None) == (401, True), name
        answers.add(json.dumps(told, sort_keys=True))
    assert len(answers) == 1
    assert await node.snapshot(ALL) == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 415),
        ({"Content-Type": "text/html"}, 415),
        ({"Content-Type": "application/ld+json"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Encoding": "deflate"}, 415),
    ],
)
async def test_other_types_and_compressed_bodies_are_415(node, alice, note, headers, status):
    before = await node.snapshot(ALL)
    assert (await send(node, note, signed(node, alice, note) | headers))[0] == status
    assert await node.snapshot(ALL) == before


async def test_more_than_a_mebibyte_is_413(node, alice):
    body = b'{"x":"' + b"a" * (1024 * 1024) + b'"}'
    before = await node.snapshot(ALL)
    assert (await send(node, body, signed(node, alice, body)))[0] == 413
    assert await node.snapshot(ALL) == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"id":"\\ud800"}',
        b'{"id":"a\\u0000b"}',
        b"[" * 200 + b"]" * 200,
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b"\xff\xfe",
        b'{"type":"Create"}',
        b'{"@context":"https://example.com/other","type":"Create"}',
    ],
)
async def test_signed_nonsense_is_400_and_changes_nothing(node, alice, body):
    before = await node.snapshot(ALL)
    status, headers, answer = await send(node, body, signed(node, alice, body))
    assert (status, headers["Content-Type"]) == (400, "application/problem+json; charset=utf-8")
    assert json.loads(answer)["detail"]
    assert await node.snapshot(ALL) == before


async def test_a_refused_host_is_told_which_decision_reason_and_end(node, peer, alice, note):
    decisions, now = node.instance.decisions, node.clock.ms()
    made = await node.instance.database.write(
        "test",
        lambda tx: decisions.decide(
            tx, effect="refuse", subject="remote.localhost", rule="rules/3", reason="spam waves",
            until_ms=now + 30 * DAY_MS, by_role="mod:x", now_ms=now,
        ),
    )  # fmt: skip
    before = await node.snapshot(ALL)
    status, _, answer = await send(node, note, signed(node, alice, note))
    told = json.loads(answer)
    assert (status, told["reason"], told["rule"]) == (403, "spam waves", "rules/3")
    assert told["decision"].endswith(made.id) and told["until"] in told["detail"]
    assert await node.snapshot(ALL) == before
    assert peer.fetched == []
    node.clock.advance(days=31)
    assert (await send(node, note, signed(node, alice, note, now_s=node.clock.ms() // 1000)))[0] == 202


async def test_who_signs_for_another_actor_gets_nothing_from_the_body(node, peer, alice):
    mallory = peer.add_actor("mallory")
    victim = peer.note(alice, "true words", number=7)
    forged = peer.activity("Create", alice, {**victim, "content": "<p>forged</p>"})
    assert (await peer.post(node.inbox, forged, mallory))[0] == 202
    await node.settle()
    stored = await node.status(victim["id"])
    assert stored.content == "<p>true words</p>"
    assert await node.value("SELECT count(*) FROM intake WHERE activity = :id", id=forged["id"]) == 0
    # The true activity is not blocked by the hint that came before it.
    true = peer.activity("Create", alice, victim, id=forged["id"])
    assert (await peer.post(node.inbox, true, alice))[0] == 202


async def test_a_key_counts_only_if_its_owner_lists_it(node, peer, alice):
    mallory = peer.add_actor("mallory")
    stolen = dataclasses.replace(alice, rsa=dataclasses.replace(mallory.rsa, id=f"{peer.origin}/keys/m"))
    pem = mallory.document["publicKey"]["publicKeyPem"]
    peer.put("/keys/m", {"@context": CONTEXT, "id": f"{peer.origin}/keys/m", "type": "Key", "owner": alice.id, "publicKeyPem": pem})  # fmt: skip
    before = await node.snapshot(EFFECT_TABLES)
    status, _, _ = await peer.post(node.inbox, peer.activity("Follow", alice, alice.id), stolen)
    assert status == 401
    assert await node.snapshot(EFFECT_TABLES) == before


async def test_a_failing_key_asked_for_a_hundred_times_is_fetched_once(node, peer):
    ghost = peer.add_actor("ghost")
    peer.answer("/users/ghost", status=404)
    follow = peer.activity("Follow", ghost, f"{node.origin}/users/lena")
    for _ in range(100):
        assert (await peer.post(node.inbox, follow, ghost))[0] == 401
    assert len([got for got in peer.fetched if got.path == "/users/ghost"]) == 1


async def test_an_unreachable_key_is_503_with_retry_after(node, peer):
    slow = peer.add_actor("slow")
    peer.answer("/users/slow", status=503, headers={"Retry-After": "77"})
    status, headers, _ = await peer.post(node.inbox, peer.activity("Follow", slow, f"{node.origin}/users/x"), slow)
    assert (status, headers["Retry-After"]) == (503, "77")


async def test_a_key_id_that_points_inside_is_never_asked(node, peer, alice, note):
    for key_id in (
        f"{node.origin}/users/lena#main-key",
        "http://10.0.0.1/k",
        "https://10.0.0.1/k",
        "https://192.168.1.1/k",
    ):
        inside = dataclasses.replace(alice, rsa=dataclasses.replace(alice.rsa, id=key_id))
        assert (await send(node, note, signed(node, inside, note)))[0] in {400, 401}


async def test_a_rotated_key_is_read_anew_once(node, peer, alice, note):
    alice.document["publicKey"]["publicKeyPem"] = peer.add_actor("spare").document["publicKey"]["publicKeyPem"]
    rotated = dataclasses.replace(alice, rsa=dataclasses.replace(peer.actors["spare"].rsa, id=alice.rsa.id))
    assert (await send(node, note, signed(node, rotated, note)))[0] == 202
    fetched = len(peer.fetched)
    # A third key within ten minutes: no further fetch, and no trust.
    third = dataclasses.replace(alice, rsa=dataclasses.replace(peer.add_actor("third").rsa, id=alice.rsa.id))
    body = note + b" "
    assert (await send(node, body, signed(node, third, body)))[0] == 401
    assert len(peer.fetched) == fetched


async def test_an_unknown_actor_deleting_itself_is_202_without_any_request(node, peer):
    gone = peer.add_actor("gone")
    before = await node.snapshot(ALL)
    for kind in ("Delete", "Update"):
        assert (await peer.post(node.inbox, peer.activity(kind, gone, gone.id), gone))[0] == 202
    assert peer.fetched == []
    assert await node.snapshot(ALL) == before


async def test_a_key_gone_with_its_actor_confirms_the_deletion_it_signs(node, peer, alice):
    peer.answer("/users/alice", status=410)
    unknown_key = dataclasses.replace(alice, rsa=dataclasses.replace(alice.rsa, id=f"{alice.id}#second"))
    farewell = {"@context": CONTEXT, "id": f"{alice.id}#delete", "type": "Delete", "actor": alice.id, "object": alice.id, "to": [PUBLIC]}  # fmt: skip
    assert (await peer.post(node.inbox, farewell, unknown_key))[0] == 202
    await node.settle()
    assert await node.value("SELECT gone_at FROM account WHERE uri = :uri", uri=alice.id) is not None


async def test_a_forwarded_activity_with_a_proof_is_taken_as_its_actors_own(node, peer, alice):
    relay = peer.add_actor("relay")
    note = peer.note(alice, "proven", number=12)
    peer.answer("/users/alice/statuses/12", status=404)  # the origin need not be asked
    create = peer.activity("Create", alice, note)
    proven = add_proof(create, alice.ed25519, int(time.time()))
    assert (await peer.post(node.inbox, proven, relay))[0] == 202
    await node.settle()
    stored = await node.status(note["id"])
    assert stored is not None and stored.content == "<p>proven</p>"
    assert await node.value("SELECT archived FROM object WHERE n = :n", n=stored.id) == 0
    tampered = {**proven, "id": create["id"] + "x", "object": {**proven["object"], "id": note["id"] + "x"}}
    assert (await peer.post(node.inbox, tampered, relay))[0] == 202
    await node.settle()
    assert await node.status(note["id"] + "x") is None


async def test_only_what_our_own_rows_say_is_followed(node, peer, alice):
    """An Accept that nobody asked for opens nothing (CVE-2025-30741)."""
    lena = await node.add_person("lena")
    accept = peer.activity("Accept", alice, {"type": "Follow", "actor": lena.uri, "object": alice.id})
    before = await node.snapshot()
    assert (await peer.post(node.inbox, accept, alice))[0] == 202
    await node.settle()
    assert await node.snapshot() == before


async def test_too_many_requests_of_one_host_are_429():
    clock = FakeClock()
    rates = Rates(clock=clock, count=300, per_s=60, burst=600)
    waits = [rates.take("a.example") for _ in range(601)]
    assert waits[:600] == [None] * 600 and waits[600] == 1
    assert rates.take("b.example") is None
    clock.advance(s=1)
    assert [rates.take("a.example") for _ in range(6)] == [None] * 5 + [1]
    for number in range(20_000):
        rates.take(f"h{number}.example")
    assert len(rates._buckets) <= 10_000
