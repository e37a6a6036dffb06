"""Deliveries to real servers on loopback: signatures, schedule, breaker, dead hosts, order, crash, report."""

import asyncio
import json
import time

import pytest

from fedi.activitypub.followers_sync import followers_digest, parse_followers_claim
from fedi.activitypub.keys import load_signing_key, parse_public_multikey
from fedi.activitypub.ld_signatures import find_ld_signature, open_ld_signature
from fedi.activitypub.proofs import check_proof, read_proofs
from fedi.activitypub.rdf_worker import RdfWorker
from fedi.jobs.runner import JobRunner
from fedi.outbox.deliver import Deliverer
from fedi.outbox.draft import Draft, EditDraft
from fedi.outbox.seal import Sealer
from fedi.outbox.slots import SendingSlots
from fedi.remote.client import RemoteClient
from fedi.store import deliveries, hosts, jobs, keys, relations
from tests.support.clocks import FakeClock
from tests.support.offices import Office
from tests.support.peers import FakePeer

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS


class Keys:
    def __init__(self, db):
        self.db = db

    async def own_key(self, account, kind="rsa"):
        own = await self.db.read(lambda tx: keys.own_keys(tx, account))
        found = next(key for key in own if key.kind == kind)
        return load_signing_key(found.private_key, id=found.id)


class Desk(Office):
    """An office whose deliveries are really sent, one step at a time."""

    def __init__(self, db, clock):
        super().__init__(db, clock, origin="http://here.localhost")
        self.client = RemoteClient(public_host="here.localhost", version="0", allow_loopback=True)
        self.worker = RdfWorker(cpu_limit_ms=5000)
        self.observed = []
        self.restart()

    def restart(self):
        """As a new process would find things."""
        own = Keys(self.db)
        self.sealer = Sealer(db=self.db, clock=self.clock, keys=own, worker=self.worker)
        self.deliverer = Deliverer(
            db=self.db,
            clock=self.clock,
            client=self.client,
            keys=own,
            sealer=self.sealer,
            uris=self.uris,
            observe=self.observed.append,
        )
        handlers = {"deliver": self.deliverer.handle, "fan_out": self.deliverer.fan_out}
        self.runner = JobRunner(db=self.db, clock=self.clock, handlers=handlers)

    async def close(self):
        await self.deliverer.close()
        await self.client.close()
        self.worker.close()

    async def run(self):
        return await self.runner.run_to_rest()

    async def report(self, author, number):
        return await self.db.read(lambda tx: deliveries.report(tx, number, author.id))

    async def host(self, name):
        return await self.db.read(lambda tx: hosts.find_host(tx, name))


@pytest.fixture
async def peer():
    peer = await FakePeer.start("peer")
    yield peer
    await peer.stop()


@pytest.fixture
def clock():
    return FakeClock(time.time_ns() // 1_000_000)


@pytest.fixture
async def desk(sqlite_db, clock):
    desk = Desk(sqlite_db, clock)
    yield desk
    await desk.close()


@pytest.fixture
async def ann(desk):
    return await desk.person("ann")


async def follower(desk, peer, ann, name="bob"):
    known = await desk.known(peer.add_actor(name))
    await desk.follows(known, ann)
    return known


async def public_keys(desk, ann):
    stored = await desk.db.read(lambda tx: keys.list_keys(tx, ann.id))
    rsa = await Keys(desk.db).own_key(ann.id)
    (ed,) = [key for key in stored if key.kind == "ed25519"]
    return rsa.public(ann.uri), parse_public_multikey(ed.public_key, id=ed.id, owner=ann.uri)


async def test_a_delivery_is_signed_by_its_author_proven_and_reported(desk, peer, ann):
    await follower(desk, peer, ann)
    number = await desk.outbox.post(ann.id, Draft(text="Hello"))
    assert await desk.run() == 1

    (got,) = peer.received
    rsa, ed = await public_keys(desk, ann)
    got.check_signature(rsa)
    assert (got.path, got.claim.scheme, got.header("Content-Type")) == ("/inbox", "cavage", "application/activity+json")
    assert set(got.claim.covered) == {"(request-target)", "host", "date", "digest", "content-type"}
    assert got.header("User-Agent") == "fedi/0; +https://here.localhost/"
    (proof,) = read_proofs(got.activity)
    check_proof(got.activity, proof, ed, ann.uri, desk.clock.ms() // 1000)
    assert "signature" not in got.activity
    (of,) = await desk.report(ann, number)
    (host,) = of.hosts
    assert (host.host, host.state, host.code, host.recipients) == (peer.host, "sent", 202, 1)
    assert await desk.waiting("deliver") == []
    assert desk.observed == ["sent"]


async def test_a_public_reply_carries_a_signature_that_survives_forwarding(desk, peer, ann):
    bob = await follower(desk, peer, ann)
    parent = await desk.remote_status(bob)
    await desk.outbox.post(ann.id, Draft(text="Yes #cats", in_reply_to=parent.id, spoiler="cw"))
    await desk.run()
    (got,) = peer.received
    rsa, _ = await public_keys(desk, ann)
    assert "proof" not in got.activity
    signature = find_ld_signature(got.activity)
    read = await open_ld_signature(signature, rsa, desk.clock.ms() // 1000, desk.worker)
    assert (read["id"], read["type"]) == (got.activity["id"], "Create")
    outgoing = await desk.db.read(lambda tx: deliveries.find_outgoing(tx, read["id"]))
    assert (outgoing.unsealed, outgoing.body) == ("", got.body), "signed once, and kept so"


async def test_one_body_is_sealed_once_for_many_inboxes(desk, ann):
    peers = [await FakePeer.start(f"p{n}") for n in range(4)]
    for peer in peers:
        await follower(desk, peer, ann)
    await desk.outbox.post(ann.id, Draft(text="Hello"))
    assert await desk.run() == 4
    assert len({peer.received[0].body for peer in peers}) == 1
    assert len({peer.received[0].header("Signature") for peer in peers}) == 4
    for peer in peers:
        await peer.stop()


async def test_a_host_that_wants_the_other_scheme_is_knocked_twice_and_remembered(desk, peer, ann):
    await follower(desk, peer, ann)
    peer.accepts = {"rfc9421"}
    await desk.outbox.post(ann.id, Draft(text="one"))
    await desk.run()
    assert [got.claim.scheme for got in peer.received] == ["cavage", "rfc9421"]
    rsa, _ = await public_keys(desk, ann)
    peer.received[1].check_signature(rsa)
    await desk.outbox.post(ann.id, Draft(text="two"))
    await desk.run()
    assert [got.claim.scheme for got in peer.received[2:]] == ["rfc9421"]
    assert (await desk.host(peer.host)).scheme == "rfc9421"

    desk.restart()
    await desk.outbox.post(ann.id, Draft(text="three"))
    await desk.run()
    assert [got.claim.scheme for got in peer.received[3:]] == ["rfc9421"]
    desk.clock.advance(days=8)
    peer.accepts = {"cavage", "rfc9421"}
    await desk.outbox.post(ann.id, Draft(text="four"))
    await desk.run()
    assert peer.received[4].claim.scheme == "cavage", "what was learnt is forgotten after a week"


async def test_a_host_is_probed_once_an_hour_and_a_401_is_tried_again_later(desk, peer, ann):
    await follower(desk, peer, ann)
    peer.accepts = set()
    number = await desk.outbox.post(ann.id, Draft(text="one"))
    await desk.run()
    assert [got.claim.scheme for got in peer.received] == ["cavage", "rfc9421"]
    desk.clock.advance(ms=2 * MINUTE_MS)
    await desk.run()
    assert [got.claim.scheme for got in peer.received[2:]] == ["cavage"], "no probe within the hour"
    (of,) = await desk.report(ann, number)
    (host,) = of.hosts
    assert (host.state, host.code, host.attempts) == ("retrying", 401, 2)
    assert (await desk.host(peer.host)).failures == 0, "a refusal is no failure of the network"


async def test_an_answer_that_asks_for_message_signatures_gets_them_next_time(desk, peer, ann):
    await follower(desk, peer, ann)
    peer.answer("/inbox", status=202, headers={"Accept-Signature": 'sig1=("@method")'}, times=1)
    for text in ("one", "two"):
        await desk.outbox.post(ann.id, Draft(text=text))
        await desk.run()
    assert [got.claim.scheme for got in peer.received] == ["cavage", "rfc9421"]


@pytest.mark.parametrize("status", [400, 403, 405, 406, 422, 501, 301, 302])
async def test_a_final_answer_is_not_asked_again_and_its_reason_is_kept(desk, peer, ann, status):
    await follower(desk, peer, ann)
    problem = {"title": "Blocked", "detail": "We take nothing\nfrom here."}
    body, kind = json.dumps(problem).encode(), {"Content-Type": "application/problem+json"}
    peer.answer("/inbox", status=status, body=body, headers=kind)
    number = await desk.outbox.post(ann.id, Draft(text="Hello"))
    await desk.run()
    desk.clock.advance(days=8)
    await desk.run()
    assert len(peer.received) == (2 if status == 400 else 1)  # a 400 may be about the scheme
    (of,) = await desk.report(ann, number)
    (host,) = of.hosts
    assert (host.state, host.code, host.error) == ("refused", status, "Blocked · We take nothing from here.")
    assert await desk.waiting("deliver") == []


async def test_the_schedule_is_kept_with_jitter_and_ends_within_a_week(desk, peer, ann):
    await follower(desk, peer, ann)
    peer.answer("/inbox", status=429)
    number = await desk.outbox.post(ann.id, Draft(text="Hello"))
    started, waits = desk.clock.ms(), []
    await desk.run()
    while rows := await desk.waiting("deliver"):
        waits.append((rows[0].run_at - desk.clock.ms()) / MINUTE_MS)
        desk.clock.now_ms = rows[0].run_at
        await desk.run()
    expected = [1, 5, 25, 120, 480, 1440, 2880, 2880][: len(waits)]
    assert len(waits) >= 7
    for wait, planned in zip(waits, expected, strict=True):
        assert 0.75 * planned <= wait <= 1.25 * planned
    assert desk.clock.ms() - started <= 7 * DAY_MS
    (of,) = await desk.report(ann, number)
    assert (of.hosts[0].state, of.hosts[0].code) == ("expired", 429)


@pytest.mark.parametrize(("value", "at_least_s"), [("600", 600), ("999999", 24 * 3600)])
async def test_retry_after_is_honoured_for_a_day_at_most(desk, peer, ann, value, at_least_s):
    await follower(desk, peer, ann)
    peer.answer("/inbox", status=503, headers={"Retry-After": value})
    await desk.outbox.post(ann.id, Draft(text="Hello"))
    await desk.run()
    (row,) = await desk.waiting("deliver")
    assert row.run_at == desk.clock.ms() + at_least_s * 1000


async def test_five_failures_open_the_breaker_the_rest_waits_and_one_probe_reopens_the_way(desk, peer, ann):
    await follower(desk, peer, ann)
    for n in range(5):
        other = await desk.known(peer.add_actor(f"gts{n}", endpoints=None))
        await desk.follows(other, ann)
    peer.answer("*", status=500)
    number = await desk.outbox.post(ann.id, Draft(text="Hello"))
    await desk.run()
    state = await desk.host(peer.host)
    assert state.open_until == desk.clock.ms() + 30 * MINUTE_MS
    assert len(peer.received) in {5, 6}  # one may have been on its way when the fifth failed
    before = len(peer.received)
    await desk.outbox.post(ann.id, Draft(text="Later"))
    desk.clock.advance(ms=29 * MINUTE_MS)
    await desk.run()
    assert len(peer.received) == before, "nothing is sent while the breaker is open"
    attempts = {row.attempts for row in await desk.waiting("deliver")}
    assert attempts <= {0, 1}, "waiting uses up no attempts"

    peer.answer("*", status=500, times=1)
    desk.clock.advance(ms=2 * MINUTE_MS)
    await desk.run()
    assert len(peer.received) == before + 1, "one probe, and it failed"
    desk.clock.advance(ms=31 * MINUTE_MS)
    peer.answer_as_usual("*")
    await desk.run()
    assert len(peer.received) == before + 1 + 12
    state = await desk.host(peer.host)
    assert (state.failures, state.open_until, state.failed_days) == (0, None, ())
    for of in await desk.report(ann, number):
        assert {host.state for host in of.hosts} == {"sent"}


async def test_seven_days_of_failures_make_a_host_dead_and_a_request_from_it_revives_it(desk, peer, ann):
    await follower(desk, peer, ann)
    await peer.stop()
    days = 0
    while (state := await desk.host(peer.host)) is None or state.dead_since is None:
        await desk.outbox.post(ann.id, Draft(text="Hello?"))
        await desk.run()
        desk.clock.advance(days=1)
        days += 1
        assert days < 20
    assert days >= 7
    await desk.run()
    assert await desk.waiting("deliver") == [], "what waited is told that it waits in vain"
    number = await desk.outbox.post(ann.id, Draft(text="Nobody there"))
    await desk.run()
    assert await desk.waiting("deliver") == []
    (of,) = await desk.report(ann, number)
    assert (of.hosts[0].state, of.hosts[0].error) == ("expired", "host-unreachable")
    assert of.hosts[0].unreachable_since == state.dead_since

    desk.deliverer.book.seen("peer.localhost", desk.clock.ms())
    await desk.deliverer.close()
    revived = await desk.host(peer.host)
    assert (revived.dead_since, revived.seen_at) == (None, desk.clock.ms())


async def test_a_dead_host_stays_dead_for_the_next_process(desk, peer, ann):
    await follower(desk, peer, ann)
    await desk.outbox.post(ann.id, Draft(text="Hello"))
    state = hosts.HostState(name=peer.host, dead_since=1)
    await desk.db.write("test", lambda tx: hosts.put_hosts(tx, [state]))
    desk.restart()
    await desk.deliverer.load()
    await desk.run()
    assert peer.received == []
    assert await desk.waiting("deliver") == []


async def test_a_gone_inbox_ends_the_row_and_its_actor_is_asked(desk, peer, ann):
    bob = await desk.known(peer.add_actor("bob", endpoints=None))
    await desk.follows(bob, ann)
    peer.answer("/users/bob/inbox", status=410)
    number = await desk.outbox.post(ann.id, Draft(text="Hello"))
    await desk.run()
    (of,) = await desk.report(ann, number)
    assert (of.hosts[0].state, of.hosts[0].code) == ("gone", 410)
    (job,) = await desk.waiting("refresh_actor")
    assert json.loads(job.payload) == {"actor": bob.uri, "because": "inbox-gone", "code": 410}


async def test_a_gone_shared_inbox_falls_back_to_personal_ones(desk, peer, ann):
    for name in ("bob", "bea"):
        await follower(desk, peer, ann, name)
    peer.answer("/inbox", status=410)
    number = await desk.outbox.post(ann.id, Draft(text="Hello"))
    await desk.run()
    assert sorted(got.path for got in peer.received) == ["/inbox", "/users/bea/inbox", "/users/bob/inbox"]
    inboxes = await desk.db.read(lambda tx: relations.list_follower_inboxes(tx, ann.id))
    assert {one.inbox for one in inboxes} == {f"{peer.origin}/users/{name}/inbox" for name in ("bob", "bea")}
    (of,) = await desk.report(ann, number)
    assert of.hosts[0].states == {"gone": 1, "sent": 2}


async def test_a_redirect_is_followed_on_the_same_host_only_and_signed_anew(desk, peer, ann):
    await follower(desk, peer, ann)
    peer.answer("/inbox", status=308, headers={"Location": "/other?x=1"})
    await desk.outbox.post(ann.id, Draft(text="Hello"))
    await desk.run()
    rsa, _ = await public_keys(desk, ann)
    assert [got.path for got in peer.received] == ["/inbox", "/other?x=1"]
    peer.received[1].check_signature(rsa)

    thief = await FakePeer.start("thief")
    peer.answer("/inbox", status=307, headers={"Location": f"{thief.origin}/inbox"})
    number = await desk.outbox.post(ann.id, Draft(text="Again"))
    await desk.run()
    assert thief.received == []
    (of,) = await desk.report(ann, number)
    assert (of.hosts[0].state, of.hosts[0].code) == ("refused", 307)
    await thief.stop()


async def test_create_update_and_delete_never_overtake_each_other(desk, peer, ann):
    await follower(desk, peer, ann)
    peer.answer("/inbox", status=503, times=1)
    number = await desk.outbox.post(ann.id, Draft(text="one"))
    await desk.run()
    await desk.outbox.edit(ann.id, number, EditDraft(text="two"))
    await desk.outbox.delete(ann.id, number)
    await desk.run()
    assert [got.activity["type"] for got in peer.received] == ["Create"]
    desk.clock.advance(ms=2 * MINUTE_MS)
    await desk.run()
    assert [got.activity["type"] for got in peer.received[1:]] == ["Create", "Update", "Delete"]


async def test_followers_only_posts_say_which_of_the_hosts_people_follow(desk, peer, ann):
    bob = await follower(desk, peer, ann)
    bea = await follower(desk, peer, ann, "bea")
    await desk.outbox.post(ann.id, Draft(text="For you", visibility="private"))
    await desk.outbox.post(ann.id, Draft(text="For all"))
    await desk.run()
    private, public = peer.received
    assert public.header("Collection-Synchronization") is None
    claim = parse_followers_claim(private.header("Collection-Synchronization"))
    assert claim.collection_id == ann.followers_uri
    assert claim.url == f"{ann.uri}/followers_synchronization"
    assert claim.digest == followers_digest([bob.uri, bea.uri])
    assert "collection-synchronization" in private.claim.covered
    rsa, _ = await public_keys(desk, ann)
    private.check_signature(rsa)


async def test_a_crash_in_the_middle_sends_again_and_loses_nothing(desk, peer, ann):
    await follower(desk, peer, ann)
    number = await desk.outbox.post(ann.id, Draft(text="Hello"))
    wanted = [jobs.Wanted(kind="deliver", limit=9, held={})]
    await desk.db.write("test", lambda tx: jobs.claim(tx, wanted, now_ms=desk.clock.ms(), lease_ms=60_000))
    desk.restart()  # the process that had claimed it is gone
    assert await desk.run() == 0
    now_ms = desk.clock.advance(s=61)
    await desk.db.write("test", lambda tx: jobs.release_expired(tx, now_ms=now_ms))
    assert await desk.run() == 1
    assert len(peer.received) == 1
    (of,) = await desk.report(ann, number)
    assert of.hosts[0].state == "sent"


async def test_one_slow_host_does_not_delay_the_others(desk, ann):
    slow, quick = await FakePeer.start("slow"), await FakePeer.start("quick")
    for n in range(6):
        known = await desk.known(slow.add_actor(f"s{n}", endpoints=None))
        await desk.follows(known, ann)
    await follower(desk, quick, ann)
    hold = asyncio.Event()
    slow.answer("*", status=202, hold=hold)
    await desk.outbox.post(ann.id, Draft(text="Hello"))
    running = asyncio.create_task(desk.run())
    await quick.until_received(1)
    await slow.until_received(2)
    assert len(slow.received) == 2, "two at a time to one host"
    hold.set()
    assert await running == 7
    assert len(slow.received) == 6
    await slow.stop()
    await quick.stop()


async def test_whoever_waits_long_gives_their_place_to_others():
    slots = SendingSlots(total=1, per_host=2, patience_s=0.01)
    hold, entered = asyncio.Event(), []

    async def send(host):
        async with slots.slot(host):
            entered.append(host)
            if host == "slow":
                await hold.wait()

    slow = asyncio.create_task(send("slow"))
    while not entered:
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await send("quick")
    assert entered == ["slow", "quick"]
    hold.set()
    await slow
    async with asyncio.timeout(5):
        await asyncio.gather(*(send("other") for _ in range(5)))
    assert slots._free == 1
    assert slots._busy == {}


async def test_a_large_audience_is_written_page_by_page_and_again_without_harm(desk, ann):
    to = [[f"http://h{n}.localhost:9/inbox", 1, None] for n in range(1200)]
    await desk.db.write(
        "test",
        lambda tx: deliveries.send(
            tx,
            activity_uri="http://here.localhost/a",
            kind="Create",
            account=ann.id,
            status=1,
            body=b"{}",
            destinations=[deliveries.Destination(inbox=inbox) for inbox, _, _ in to],
            now_ms=desk.clock.ms(),
        ),
    )
    (job,) = await desk.db.write(
        "test",
        lambda tx: jobs.claim(
            tx, [jobs.Wanted(kind="fan_out", limit=1, held={})], now_ms=desk.clock.ms(), lease_ms=1000
        ),
    )
    for _ in range(2):
        assert await desk.deliverer.fan_out(job) == "done"
        assert await desk.db.read(lambda tx: tx.value("SELECT count(*) FROM job WHERE kind = 'deliver'")) == 1200
