"""Refusing a host or suspending an account: with rule, reason and end, or not at all."""

import pytest

from fedi.errors import ClientFault
from fedi.ledger.decisions import DAY_S, Decisions, list_decisions
from tests.support.clocks import FakeClock

NOW = FakeClock().ms()
DAY_MS = DAY_S * 1000
ANN = "https://a.example/users/ann"


@pytest.fixture
async def decisions(db):
    decisions = Decisions(db)
    await decisions.load(NOW)
    return decisions


def decide(db, decisions, **changes):
    facts = {
        "effect": "refuse",
        "subject": "Spam.Example.",
        "rule": "rules/2",
        "reason": "floods everybody",
        "until_ms": NOW + 30 * DAY_MS,
        "by_role": "mod:owner",
        "now_ms": NOW,
    } | changes
    return db.write("decide", lambda tx: decisions.decide(tx, **facts))


async def test_a_refused_host_is_refused_with_everything_below_it(db, decisions):
    made = await decide(db, decisions)
    assert made.subject == "host:spam.example"
    for uri in ("https://spam.example/u/1", "https://SPAM.example./u/1", "https://deep.sub.spam.example/u/1"):
        assert decisions.refusal_of(uri, NOW) == made
    assert decisions.refusal_of("https://notspam.example/u/1", NOW) is None


async def test_a_suspension_names_one_actor(db, decisions):
    made = await decide(db, decisions, effect="suspend", subject=ANN)
    assert decisions.refusal_of(ANN, NOW) == made
    assert decisions.refusal_of(ANN + "a", NOW) is None


async def test_a_decision_ends_by_itself(db, decisions):
    await decide(db, decisions)
    assert decisions.refusal_of("https://spam.example/", NOW + 30 * DAY_MS - 1000) is not None
    assert decisions.refusal_of("https://spam.example/", NOW + 30 * DAY_MS) is None


async def test_a_lifted_decision_stays_on_record(db, decisions):
    made = await decide(db, decisions)
    await db.write("lift", lambda tx: decisions.lift(tx, subject="spam.example", now_ms=NOW + 5000))
    assert decisions.refusal_of("https://spam.example/", NOW + 5000) is None
    (kept,) = await db.read(list_decisions)
    assert (kept.id, kept.ended_at) == (made.id, NOW // 1000 + 5)
    assert await db.read(lambda tx: tx.value("SELECT count(*) FROM restriction")) == 0
    await decide(db, decisions, now_ms=NOW + 6000)


async def test_another_process_sees_what_was_decided_once_it_loads(db, decisions):
    made = await decide(db, decisions)
    other = Decisions(db)
    await other.load(NOW)
    assert other.refusal_of("https://spam.example/", NOW) == made
    assert list(other.list_live(NOW)) == [made]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"rule": " "}, "decision-incomplete"),
        ({"reason": ""}, "decision-incomplete"),
        ({"reason": "x" * 501}, "decision-incomplete"),
        ({"until_ms": NOW}, "decision-incomplete"),
        ({"until_ms": NOW + 181 * DAY_MS}, "decision-too-long"),
        ({"effect": "suspend", "subject": ANN, "until_ms": NOW + 91 * DAY_MS}, "decision-too-long"),
    ],
)
async def test_a_decision_without_its_parts_is_not_made(db, decisions, change, code):
    with pytest.raises(ClientFault) as refused:
        await decide(db, decisions, **change)
    assert refused.value.code == code
    assert await db.read(list_decisions) == []
    assert decisions.refusal_of("https://spam.example/", NOW) is None


async def test_a_decision_rolled_back_refuses_nobody(db, decisions):
    async def unit(tx):
        await decisions.decide(
            tx,
            effect="refuse",
            subject="a.example",
            rule="r",
            reason="r",
            until_ms=NOW + DAY_MS,
            by_role="m",
            now_ms=NOW,
        )
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await db.write("decide", unit)
    assert decisions.refusal_of("https://a.example/", NOW) is None


async def test_what_is_decided_already_is_not_decided_again(db, decisions):
    await decide(db, decisions)
    with pytest.raises(ClientFault) as refused:
        await decide(db, decisions, subject="spam.example")
    assert refused.value.code == "already-decided"
