"""Policies propose; the host asks them all, the strictest wins, and a broken one changes nothing."""

from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest

from fedi.policies.base import (
    LANGUAGES,
    MACHINE_LONGEST_MS,
    Label,
    MalformedProposal,
    PolicyMeta,
    Proposal,
    Snapshot,
    Verdict,
)
from fedi.policies.host import PolicyHost
from fedi.policies.merge import Given, merge
from fedi.policies.noop import Noop, NoopConfig
from fedi.policies.registry import PolicyRefused, load_policies

NOW = 1_767_225_600_000
SNAPSHOT = Snapshot(hook="incoming", activity="Create", now_ms=NOW, capabilities={"text": "hello", "links": ()})
LINES = dict.fromkeys(LANGUAGES, "Because.")


def a_proposal(verdict, **more):
    return Proposal(verdict=verdict, reason="test", explain=LINES, **more)


def a_policy(name, answer, capabilities=frozenset({"text"})):
    class Policy(Noop):
        meta = PolicyMeta(
            id=name, version="1", hooks=frozenset({"incoming"}), capabilities=capabilities, describe=LINES
        )
        seen: ClassVar[list[Snapshot]] = []

        def decide(self, snapshot, config):
            type(self).seen = [*self.seen, snapshot]
            return answer(snapshot) if callable(answer) else answer

    return Policy()


HOLD = a_proposal(Verdict.HOLD, ends_at=NOW + 1000)
LABEL = a_proposal(Verdict.LABEL, labels=(Label(name="loud"),))


@pytest.mark.parametrize(
    "made",
    [
        lambda: Proposal(verdict=Verdict.HOLD, reason="x", explain={"en": "Because."}, ends_at=NOW),
        lambda: a_proposal(Verdict.HOLD),
        lambda: a_proposal(Verdict.REJECT, ends_at=NOW + 1),
        lambda: a_proposal(Verdict.LIMIT, ends_at=NOW + 1),
        lambda: a_proposal(Verdict.LABEL, labels=(Label(name="x", covering=True),), ends_at=NOW + 1),
        lambda: a_proposal(Verdict.LABEL),
        lambda: Proposal(verdict=Verdict.ALLOW, reason="", explain=LINES),
        lambda: Proposal(verdict=Verdict.ALLOW, reason="x", explain=dict.fromkeys(LANGUAGES, "x" * 161)),
    ],
)
def test_a_proposal_outside_the_contract_cannot_be_made(made):
    with pytest.raises(MalformedProposal):
        made()


def test_nothing_stricter_than_a_label_is_said_silently():
    assert [verdict.name for verdict in sorted(Verdict)] == ["ALLOW", "LABEL", "NUDGE", "LIMIT", "HOLD", "REJECT"]


def test_the_strictest_wins_ties_go_to_the_earlier_and_all_are_kept():
    given = [Given(policy=name, version="1", proposal=made) for name, made in [("a", LABEL), ("b", HOLD), ("c", HOLD)]]
    judged = merge(given)
    assert (judged.verdict, judged.strictest.policy, len(judged.proposals)) == (Verdict.HOLD, "b", 3)
    assert [label.name for label in judged.labels] == ["loud"]


def test_no_words_are_put_on_what_is_rejected():
    reject = a_proposal(Verdict.REJECT, ends_at=NOW + 1, mandate="d1")
    judged = merge([Given(policy="a", version="1", proposal=made) for made in (LABEL, reject)])
    assert judged.labels == () and judged.verdict == Verdict.REJECT


def test_all_policies_run_and_see_only_what_they_declared():
    first, second = a_policy("a", HOLD), a_policy("b", None, frozenset({"links", "unknown"}))
    judged = PolicyHost([first, second]).judge(SNAPSHOT)
    assert judged.strictest.policy == "a"
    assert dict(first.seen[0].capabilities) == {"text": "hello"}
    assert dict(second.seen[0].capabilities) == {"links": ()}


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: 1 / 0,
        a_proposal(Verdict.NUDGE),
        a_proposal(Verdict.HOLD, ends_at=NOW),
        a_proposal(Verdict.HOLD, ends_at=NOW + MACHINE_LONGEST_MS + 1),
    ],
)
def test_a_policy_that_breaks_or_asks_too_much_changes_nothing_and_is_counted(answer):
    host = PolicyHost([a_policy("broken", answer), a_policy("sound", LABEL)])
    assert host.judge(SNAPSHOT).verdict == Verdict.LABEL
    assert host.failures == {"broken": 1}


def test_a_policy_is_asked_at_its_hooks_only():
    assert (
        PolicyHost([a_policy("a", HOLD)])
        .judge(Snapshot(hook="outgoing", activity="Create", now_ms=NOW, capabilities={}))
        .proposals
        == ()
    )


def test_built_ins_come_by_the_door_of_all():
    (noop,) = load_policies(["noop"])
    assert isinstance(noop, Noop)
    assert noop.decide(SNAPSHOT, NoopConfig()) is None


@pytest.mark.parametrize(
    ("points", "names"),
    [
        ([], ["absent"]),
        ([("noop", "fedi.policies.noop:Noop"), ("noop", "elsewhere:Noop")], ["noop"]),
        ([("other", "fedi.policies.noop:Noop")], ["other"]),
        ([("dict", "builtins:dict")], ["dict"]),
    ],
)
def test_what_is_no_policy_stops_the_start(points, names):
    found = [EntryPoint(name=name, value=value, group="fedi.policies") for name, value in points]
    with pytest.raises(PolicyRefused):
        load_policies(names, found)


def test_an_unknown_setting_stops_the_start():
    with pytest.raises(TypeError):
        PolicyHost([Noop()], {"noop": {"colour": "red"}})
