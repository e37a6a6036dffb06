"""Relays of both kinds (FEP-ae0c), from the line in the settings to the posts that pass."""

import time

import pytest

from fedi.activitypub.keys import parse_public_pem
from fedi.activitypub.ld_signatures import find_ld_signature, open_ld_signature
from fedi.errors import ClientFault
from fedi.inbox.rates import Rates
from fedi.outbox.draft import Draft, EditDraft
from fedi.store import accounts, deliveries, relations, relays
from tests.support.peers import PUBLIC, FakePeer

OUT = ("maintenance", "deliver")


@pytest.fixture
async def lena(node):
    return await node.add_person("lena")


@pytest.fixture
def relay(peer):
    """It delivers from, and is delivered to at, an inbox of its own."""
    return peer.add_actor("relay", type="Application", endpoints=None)


@pytest.fixture
async def elsewhere():
    running = await FakePeer.start("elsewhere")
    yield running
    await running.stop()


async def join(node, peer, relay, url):
    """Puts ``url`` on the list; the Follow that comes, and the relay's yes to it."""
    await node.instance.outbox.set_relays([url])
    await node.settle(*OUT)
    follow = peer.received.pop().activity
    assert (await peer.post(node.inbox, peer.activity("Accept", relay, follow), relay))[0] == 202
    await node.settle()
    return follow


def follow_back(node, peer, relay):
    return peer.activity("Follow", relay, f"{node.origin}/actor")


async def states(node):
    return [relay.state for relay in await node.instance.database.read(relays.list_relays)]


def taken(peer):
    """What has come since the last look."""
    found = [(got.path, got.activity) for got in peer.received]
    peer.received.clear()
    return found


async def check_ld(node, activity, by):
    """An LD signature by ``by``, as other servers read it."""
    key_id = f"{by.uri}#main-key"
    pem = await node.value("SELECT public_key FROM actor_key WHERE id = :id", id=key_id)
    key = parse_public_pem(pem, id=key_id, owner=by.uri)
    read = await open_ld_signature(find_ld_signature(activity), key, int(time.time()), node.instance.rdf)
    assert read["id"] == activity["id"]


async def test_an_inbox_url_is_a_relay_of_mastodons_kind_and_gets_signed_copies(node, peer, relay, lena):
    follow = await join(node, peer, relay, relay.inbox)
    assert (follow["object"], follow["actor"]) == (PUBLIC, f"{node.origin}/actor")
    assert await states(node) == ["accepted"]
    outbox = node.instance.outbox
    number = await outbox.post(lena.id, Draft(text="For all"))
    await node.settle(*OUT)
    await outbox.post(lena.id, Draft(text="Less so", visibility="unlisted"))
    await outbox.edit(lena.id, number, EditDraft(text="For all of you"))
    await node.settle(*OUT)
    await outbox.delete(lena.id, number)
    await node.settle(*OUT)
    came = taken(peer)
    assert [(path, activity["type"]) for path, activity in came] == [
        ("/users/relay/inbox", kind) for kind in ("Create", "Update", "Delete")
    ]
    for _, activity in came:
        assert activity["actor"] == lena.uri
        await check_ld(node, activity, lena)


async def test_an_actor_url_is_a_relay_of_litepubs_kind_and_hears_of_posts(node, peer, relay, lena):
    follow = await join(node, peer, relay, relay.id)
    assert (follow["object"], follow["actor"]) == (relay.id, f"{node.origin}/actor")
    assert await states(node) == ["accepted"]
    outbox = node.instance.outbox
    number = await outbox.post(lena.id, Draft(text="For all"))
    await outbox.post(lena.id, Draft(text="Less so", visibility="unlisted"))
    await node.settle(*OUT)
    ((path, announce),) = taken(peer)
    uri = (await node.rows("SELECT uri FROM status WHERE id = :id", id=number))[0][0]
    assert path == "/users/relay/inbox"
    assert (announce["type"], announce["object"], announce["actor"]) == ("Announce", uri, f"{node.origin}/actor")
    assert announce["to"] == [f"{node.origin}/actor/followers"]
    assert announce["cc"] == [PUBLIC] and announce["published"]
    rows = await node.instance.database.read(lambda tx: deliveries.list_inboxes_of(tx, number))
    assert rows == [relay.inbox], "its author sees that it went there"
    await outbox.edit(lena.id, number, EditDraft(text="For all of you"))
    await node.settle(*OUT)
    await outbox.delete(lena.id, number)
    await node.settle(*OUT)
    later = [activity for _, activity in taken(peer)]
    assert [activity["type"] for activity in later] == ["Update", "Delete"]
    for activity in later:
        await check_ld(node, activity, lena)


@pytest.mark.parametrize("answers_first", [True, False])
async def test_an_asked_relay_may_follow_back(node, peer, relay, lena, answers_first):
    await node.instance.outbox.set_relays([relay.id])
    await node.settle(*OUT)
    ((_, follow),) = taken(peer)
    said = [peer.activity("Accept", relay, follow), follow_back(node, peer, relay)]
    for activity in said if answers_first else reversed(said):
        assert (await peer.post(node.inbox, activity, relay))[0] == 202
        await node.settle()
    assert await states(node) == ["accepted"]
    await node.settle("deliver")
    assert [activity["type"] for _, activity in taken(peer)] == ["Accept"]
    followers = await node.instance.database.read(
        lambda tx: relations.list_follower_inboxes(tx, node.instance.actor.id)
    )
    assert [one.inbox for one in followers] == [relay.inbox]
    assert await node.value("SELECT count(*) FROM notification") == 0


async def test_an_accept_without_the_id_of_the_follow_counts_if_it_names_both_ends(node, peer, relay, lena):
    await node.instance.outbox.set_relays([relay.id])
    await node.settle(*OUT)
    bare = {"type": "Follow", "actor": f"{node.origin}/actor", "object": relay.id}
    mallory = peer.add_actor("mallory")
    assert (await peer.post(node.inbox, peer.activity("Accept", mallory, bare), mallory))[0] == 202
    await node.settle()
    assert await states(node) == ["pending"]
    assert (await peer.post(node.inbox, peer.activity("Accept", relay, bare), relay))[0] == 202
    await node.settle()
    assert await states(node) == ["accepted"]


@pytest.mark.parametrize("is_asked", [False, True])
async def test_nobody_else_may_follow_the_server(node, peer, relay, lena, is_asked):
    if is_asked:
        await join(node, peer, relay, relay.id)
        assert (await peer.post(node.inbox, peer.activity("Reject", relay, f"{node.origin}/x"), relay))[0] == 202
    stranger = peer.add_actor("stranger", type="Application")
    assert (await peer.post(node.inbox, follow_back(node, peer, stranger), stranger))[0] == 202
    await node.settle()
    assert await node.rows("SELECT id FROM follow") == []
    await node.settle("deliver")
    assert [activity["type"] for _, activity in taken(peer)] == ["Reject"]


async def test_a_relay_that_said_no_is_neither_followed_nor_heard(node, peer, relay, lena):
    await node.instance.outbox.set_relays([relay.id])
    await node.settle(*OUT)
    ((_, follow),) = taken(peer)
    for activity in (peer.activity("Reject", relay, follow["id"]), follow_back(node, peer, relay)):
        assert (await peer.post(node.inbox, activity, relay))[0] == 202
        await node.settle()
    await node.instance.outbox.post(lena.id, Draft(text="For all"))
    await node.settle(*OUT)
    assert [activity["type"] for _, activity in taken(peer)] == ["Reject"]
    assert await states(node) == ["rejected"]
    assert await node.rows("SELECT id FROM follow") == []


@pytest.mark.parametrize("kind", ["inbox", "id"])
async def test_what_a_relay_announces_is_read_at_its_origin_and_is_no_boost(node, peer, elsewhere, relay, lena, kind):
    await join(node, peer, relay, getattr(relay, kind))
    note = elsewhere.note(elsewhere.add_actor("alice"), "far away")
    lie = {**note, "id": f"{relay.id}/notes/1", "content": "forged"}
    for said in (note["id"], lie):
        announce = peer.activity("Announce", relay, said, to=[PUBLIC])
        assert (await peer.post(node.inbox, announce, relay))[0] == 202
        await node.settle()
    assert await node.rows("SELECT uri, content, reblog_of FROM status") == [(note["id"], "<p>far away</p>", None)]
    assert await node.value("SELECT count(*) FROM notification") == 0


async def test_a_relay_boosts_nobody_here_and_tells_nobody(node, peer, relay, lena):
    await join(node, peer, relay, relay.id)
    number = await node.instance.outbox.post(lena.id, Draft(text="Mine"))
    uri = await node.value("SELECT uri FROM status WHERE id = :id", id=number)
    assert (await peer.post(node.inbox, peer.activity("Announce", relay, uri, to=[PUBLIC]), relay))[0] == 202
    await node.settle()
    assert await node.value("SELECT count(*) FROM status") == 1
    assert await node.value("SELECT count(*) FROM notification") == 0


async def test_a_relays_server_has_the_limits_of_any_other(node, peer, relay, lena):
    await join(node, peer, relay, relay.id)
    node.instance.inbox._requests = Rates(clock=node.clock, count=1, per_s=60, burst=2)
    answers = []
    for _ in range(3):
        note = peer.note(peer.actors["relay"])
        announce = peer.activity("Announce", relay, note["id"], to=[PUBLIC])
        answers.append((await peer.post(node.inbox, announce, relay))[0])
    assert answers == [202, 202, 429]


@pytest.mark.parametrize("kind", ["inbox", "id"])
async def test_a_relay_is_left_with_the_follow_that_joined_it(node, peer, relay, lena, kind):
    follow = await join(node, peer, relay, getattr(relay, kind))
    assert (await peer.post(node.inbox, follow_back(node, peer, relay), relay))[0] == 202
    await node.settle()
    await node.settle("deliver")
    peer.received.clear()
    await node.instance.outbox.set_relays([])
    await node.settle(*OUT)
    ((path, undo),) = taken(peer)
    assert (path, undo["type"]) == ("/users/relay/inbox", "Undo")
    assert undo["object"] == {name: value for name, value in follow.items() if name not in {"@context", "proof"}}
    assert await node.rows("SELECT id FROM relay") == []
    assert await node.rows("SELECT id FROM follow") == []
    await node.instance.outbox.post(lena.id, Draft(text="For all"))
    await node.settle(*OUT)
    assert taken(peer) == []


async def test_a_start_asks_only_what_was_not_asked_before(node, peer, relay, lena):
    for _ in range(3):
        await node.instance.outbox.set_relays([relay.id, peer.shared_inbox])
        await node.settle(*OUT)
    assert sorted(activity["object"] for _, activity in taken(peer)) == sorted([relay.id, PUBLIC])


async def test_a_url_with_no_actor_behind_it_is_an_inbox(node, peer, lena):
    url = f"{peer.origin}/drop"
    await node.instance.outbox.set_relays([url])
    await node.settle(*OUT)
    ((path, follow),) = taken(peer)
    assert (path, follow["object"]) == ("/drop", PUBLIC)


async def test_a_relay_that_is_away_is_asked_later_and_not_once_it_is_off_the_list(node, peer, relay, lena):
    peer.answer("/users/relay", status=503, times=1)
    await node.instance.outbox.set_relays([relay.id])
    await node.settle(*OUT)
    assert (await states(node), taken(peer)) == (["new"], [])
    node.clock.advance(days=1)
    await node.settle(*OUT)
    assert await states(node) == ["pending"]
    assert [activity["object"] for _, activity in taken(peer)] == [relay.id]
    late = f"{peer.origin}/late"
    await node.instance.outbox.set_relays([relay.id, late])
    await node.instance.outbox.set_relays([relay.id])
    await node.settle(*OUT)
    assert (await states(node), taken(peer)) == (["pending"], [])


async def test_the_relays_own_account_is_stored_as_what_it_is(node, peer, relay, lena):
    await join(node, peer, relay, relay.id)
    account = await node.instance.database.read(lambda tx: accounts.find_by_uri(tx, relay.id))
    assert (account.kind, account.local) == ("Application", False)
    with pytest.raises(ClientFault):
        await node.instance.outbox.post(account.id, Draft(text="As the relay"))
