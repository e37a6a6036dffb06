"""Runs the configured policies over a snapshot. A policy that fails changes nothing, and its failure is counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from fedi.policies.base import Hook, Policy, Proposal, Snapshot, check_against
from fedi.policies.merge import ALLOWED, Given, Judgement, merge

log = structlog.get_logger(__name__)


class PolicyHost:
    """All enabled policies run; nobody sees what another proposed."""

    def __init__(self, policies: Sequence[Policy], settings: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """``settings`` by policy id; an unknown key stops the start with a ``TypeError``."""
        self._policies = [(policy, policy.Config(**(settings or {}).get(policy.meta.id, {}))) for policy in policies]
        self.failures: Counter[str] = Counter()

    @property
    def policies(self) -> tuple[Policy, ...]:
        return tuple(policy for policy, _ in self._policies)

    def wanted(self, hook: Hook) -> frozenset[str]:
        """The capabilities that any policy of this hook declared: nothing else need be gathered."""
        return frozenset().union(
            *(policy.meta.capabilities for policy, _ in self._policies if hook in policy.meta.hooks)
        )

    def judge(self, snapshot: Snapshot) -> Judgement:
        """Every policy that listens to this hook is asked, in the configured order."""
        given = [
            Given(policy=policy.meta.id, version=policy.meta.version, proposal=proposal)
            for policy, config in self._policies
            if snapshot.hook in policy.meta.hooks
            if (proposal := self._ask(policy, config, snapshot)) is not None
        ]
        return merge(given) if given else ALLOWED

    def _ask(self, policy: Policy, config: Any, snapshot: Snapshot) -> Proposal | None:
        try:
            proposal = policy.decide(snapshot.narrowed_to(policy.meta.capabilities), config)
            if proposal is not None:
                check_against(proposal, snapshot)
        except Exception as fault:  # noqa: BLE001 - fail open: a broken policy must not decide by breaking
            self.failures[policy.meta.id] += 1
            log.warning("policy-error", policy=policy.meta.id, version=policy.meta.version, fault=repr(fault)[:200])
            return None
        return proposal
