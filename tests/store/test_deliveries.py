"""Outgoing activities, their rows and jobs, hosts and relays, on both engines."""

import json

import pytest

from fedi.store import deliveries, hosts, jobs, relays
from fedi.store.deliveries import Attempt, Destination
from fedi.store.hosts import HostState

ACTIVITY = "https://here.example/users/a/statuses/1/activity"


async def send(db, destinations, *, now_ms, activity=ACTIVITY, kind="Create", priority=jobs.NORMAL, status=1, **rest):
    await db.write(
        "test",
        lambda tx: deliveries.send(
            tx,
            activity_uri=activity,
            kind=kind,
            account=7,
            status=status,
            body=b'{"type":"Create"}',
            destinations=destinations,
            now_ms=now_ms,
            priority=priority,
            **rest,
        ),
    )


async def put_hosts(db, *states):
    await db.write("test", lambda tx: hosts.put_hosts(tx, states))


def report(db, status=1, account=7):
    return db.read(lambda tx: deliveries.report(tx, status, account))


def inbox(host, name=None):
    return f"https://{host}/users/{name}/inbox" if name else f"https://{host}/inbox"


async def test_an_activity_has_one_body_and_a_row_and_a_job_for_each_inbox(db, clock):
    now_ms = clock.ms()
    await send(
        db,
        [Destination(inbox=inbox("A.example"), recipients=3), Destination(inbox=inbox("b.example:8443"))],
        now_ms=now_ms,
    )
    await send(db, [Destination(inbox=inbox("A.example"))], now_ms=now_ms)  # again: nothing new

    outgoing = await db.read(lambda tx: deliveries.find_outgoing(tx, ACTIVITY))
    assert (outgoing.body, outgoing.account, outgoing.status, outgoing.unsealed) == (b'{"type":"Create"}', 7, 1, "")
    rows = await db.read(lambda tx: jobs.list_jobs(tx, kind="deliver"))
    assert [row.lane for row in rows] == ["a.example", "b.example:8443"]
    (of,) = await report(db)
    assert (of.kind, of.recipients) == ("Create", {"queued": 4})
    assert [(host.host, host.state, host.recipients) for host in of.hosts] == [
        ("a.example", "queued", 3),
        ("b.example:8443", "queued", 1),
    ]


async def test_the_report_is_the_authors_alone_and_shows_what_fared_worst(db, clock):
    now_ms = clock.ms()
    await send(db, [Destination(inbox=inbox("a.example", name)) for name in ("x", "y")], now_ms=now_ms)
    rows = await db.read(jobs.list_jobs)

    first, second = (json.loads(row.payload)["delivery"] for row in rows)
    attempts = [
        Attempt(delivery=first, state="sent", code=202, now_ms=now_ms + 5),
        Attempt(delivery=second, state="refused", code=403, error="They block us.", now_ms=now_ms + 6),
    ]
    await db.write("test", lambda tx: deliveries.put_attempts(tx, attempts))
    (of,) = await report(db)
    (host,) = of.hosts
    assert (host.state, host.code, host.error) == ("refused", 403, "They block us.")
    assert host.states == {"sent": 1, "refused": 1}
    assert (host.recipients, host.attempts, host.updated_at) == (2, 1, now_ms + 6)
    assert of.recipients == {"sent": 1, "refused": 1}
    assert await report(db, account=8) == []
    assert await report(db, status=2) == []


async def test_nothing_is_queued_for_a_dead_host_and_an_open_breaker_is_waited_for(db, clock):
    now_ms = clock.ms()
    await put_hosts(
        db,
        HostState(name="dead.example", dead_since=now_ms - 1),
        HostState(name="open.example", open_until=now_ms + 60_000),
        HostState(name="fine.example", open_until=now_ms - 1, failed_days=(1, 2)),
    )
    names = ("dead.example", "open.example", "fine.example")
    destinations = [Destination(inbox=inbox(name)) for name in names]
    destinations.append(Destination(inbox=inbox("evil.example"), refusal="refused-by-us"))
    await send(db, destinations, now_ms=now_ms)
    due = {row.lane: row.run_at for row in await db.read(jobs.list_jobs)}
    assert due == {"open.example": now_ms + 60_000, "fine.example": now_ms}
    (of,) = await report(db)
    assert {host.host: (host.state, host.error, host.unreachable_since) for host in of.hosts} == {
        "dead.example": ("expired", "host-unreachable", now_ms - 1),
        "evil.example": ("refused", "refused-by-us", None),
        "fine.example": ("queued", None, None),
        "open.example": ("queued", None, None),
    }


async def test_a_later_activity_never_overtakes_one_that_waits_for_the_same_inbox(db, clock):
    now_ms = clock.ms()
    await send(db, [Destination(inbox=inbox("a.example"))], now_ms=now_ms)
    (create,) = await db.read(jobs.list_jobs)
    wanted = [jobs.Wanted(kind="deliver", limit=9, held={})]
    await db.write("test", lambda tx: jobs.claim(tx, wanted, now_ms=now_ms, lease_ms=1000))
    await db.write("test", lambda tx: jobs.put_back(tx, create.id, run_at=now_ms + 60_000, error="503"))

    gone = [Destination(inbox=inbox("a.example")), Destination(inbox=inbox("b.example"))]
    await send(db, gone, now_ms=now_ms, activity=f"{ACTIVITY}#delete", kind="Delete", priority=jobs.HIGH)
    early = await db.write("test", lambda tx: jobs.claim(tx, wanted, now_ms=now_ms, lease_ms=1000))
    assert [job.lane for job in early] == ["b.example"]
    late = await db.write("test", lambda tx: jobs.claim(tx, wanted, now_ms=now_ms + 60_000, lease_ms=1000))
    assert [job.data["activity"] for job in late] == [ACTIVITY, f"{ACTIVITY}#delete"]


async def test_very_many_inboxes_become_one_fan_out_job(db, clock):
    destinations = [Destination(inbox=inbox(f"h{n}.example")) for n in range(1001)]
    await send(db, destinations, now_ms=clock.ms())
    (job,) = await db.read(jobs.list_jobs)
    assert job.kind == "fan_out"
    assert await report(db) == []


async def test_a_sealed_body_replaces_the_bare_one_once(db, clock):
    await send(db, [Destination(inbox=inbox("a.example"))], now_ms=clock.ms(), unsealed="proof")
    for body in (b"sealed", b"sealed again"):
        await db.write("test", lambda tx, body=body: deliveries.put_sealed(tx, ACTIVITY, body))
    outgoing = await db.read(lambda tx: deliveries.find_outgoing(tx, ACTIVITY))
    assert (outgoing.body, outgoing.unsealed) == (b"sealed", "")


async def test_old_bodies_go_first_then_rows_become_totals(db, clock):
    await send(db, [Destination(inbox=inbox("a.example"), recipients=4)], now_ms=clock.ms())
    await send(db, [Destination(inbox=inbox("b.example"))], now_ms=clock.ms(), activity=f"{ACTIVITY}2", status=2)
    attempt = Attempt(delivery=1, state="sent", code=202, now_ms=clock.ms())
    await db.write("test", lambda tx: deliveries.put_attempts(tx, [attempt]))

    async def forget():
        return await db.write("test", lambda tx: deliveries.forget_old(tx, now_ms=clock.ms()))

    assert await forget() == 0
    clock.advance(days=8)
    assert await forget() == 1
    assert await forget() == 0
    assert (await db.read(lambda tx: deliveries.find_outgoing(tx, ACTIVITY))).body == b""
    assert (await db.read(lambda tx: deliveries.find_outgoing(tx, f"{ACTIVITY}2"))).body != b""
    assert len(await report(db)) == 1
    clock.advance(days=23)
    assert await forget() == 1
    assert await report(db) == []
    assert await db.read(lambda tx: deliveries.list_totals(tx, 1)) == [("Create", "sent", 1, 4)]


async def test_a_host_is_remembered_whole(db, clock):
    state = HostState(
        name="a.example",
        scheme="rfc9421",
        scheme_at=1,
        probed_at=2,
        failures=3,
        window_at=4,
        open_until=clock.ms() + 5,
        failed_days=(19000, 19001),
    )
    await put_hosts(db, state)
    assert await db.read(lambda tx: hosts.find_host(tx, "a.example")) == state
    assert await db.read(lambda tx: hosts.list_troubled(tx, ["a.example", "b.example"], clock.ms())) == [state]
    await put_hosts(db, HostState(name="a.example"))
    assert await db.read(lambda tx: hosts.list_all_troubled(tx, clock.ms())) == []
    assert await db.write("test", lambda tx: hosts.drop_unused(tx, before_ms=clock.ms())) == 1


async def test_a_relay_is_asked_answers_and_is_left(db, clock):
    async def put(uri):
        return await db.write(
            "test",
            lambda tx: relays.put_relay(
                tx, inbox="https://relay.example/inbox", actor=None, follow_uri=uri, now_ms=clock.ms()
            ),
        )

    relay = await put("https://here.example/actor#follow/1")
    assert (relay.state, relay.actor) == ("pending", None)
    assert await db.read(relays.list_accepted) == []
    answered = await db.write(
        "test", lambda tx: relays.set_state(tx, relay.follow_uri, "accepted", actor="https://relay.example/actor")
    )
    assert answered
    (accepted,) = await db.read(relays.list_accepted)
    assert (accepted.inbox, accepted.is_actor) == ("https://relay.example/inbox", False)
    assert (await db.read(lambda tx: relays.find_by_actor(tx, "https://relay.example/actor"))).id == relay.id
    dropped = await db.write("test", lambda tx: relays.drop_relay(tx, relay.inbox))
    assert dropped.state == "accepted"
    assert await db.read(relays.list_relays) == []


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://EXAMPLE.com:443/inbox", "example.com"),
        ("http://a.localhost:3000/inbox", "a.localhost:3000"),
        ("https://bücher.example/i", "xn--bcher-kva.example"),
        ("not a url", ""),
    ],
)
def test_the_lane_of_an_inbox_is_its_folded_authority(url, host):
    assert deliveries.host_of_inbox(url) == host
