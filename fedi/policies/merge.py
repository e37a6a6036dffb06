"""Makes one result of many proposals: the strictest wins, ties go to the earlier, and every one is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from fedi.policies.base import Label, Proposal, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A proposal and who made it."""

    policy: str
    version: str
    proposal: Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """``strictest`` is None where nobody said anything. ``labels`` and ``nudges`` of the others still apply, unless
    the post is rejected."""

    verdict: Verdict
    strictest: Given | None
    proposals: tuple[Given, ...]
    labels: tuple[Label, ...]
    nudges: tuple[Given, ...]


ALLOWED = Judgement(verdict=Verdict.ALLOW, strictest=None, proposals=(), labels=(), nudges=())


def merge(proposals: Sequence[Given]) -> Judgement:
    """``proposals`` stand in the configured order."""
    if not proposals:
        return ALLOWED
    strictest = max(proposals, key=lambda given: given.proposal.verdict)  # max keeps the first of equals
    verdict = strictest.proposal.verdict
    rejected = verdict == Verdict.REJECT
    labels: dict[str, Label] = {}
    for given in proposals:
        for label in given.proposal.labels:
            if label.name not in labels or label.covering:
                labels[label.name] = label
    return Judgement(
        verdict=verdict,
        strictest=strictest,
        proposals=tuple(proposals),
        labels=() if rejected else tuple(labels.values()),
        nudges=() if rejected else tuple(given for given in proposals if given.proposal.verdict == Verdict.NUDGE),
    )
