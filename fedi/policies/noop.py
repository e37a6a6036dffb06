"""The policy that never says anything: the example for authors of policies, and the first one on the list."""

import msgspec

from fedi.policies.base import PolicyMeta, Proposal, Snapshot


class NoopConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """It has no settings."""


class Noop:
    meta = PolicyMeta(
        id="noop",
        version="1",
        hooks=frozenset({"incoming", "outgoing", "draft"}),
        capabilities=frozenset(),
        describe={
            "en": "Looks at a post and lets it pass.",
            "fr": "Regarde une publication et la laisse passer.",
            "ar": "تنظر إلى المنشور وتتركه يمر.",
        },
        doc="docs/policies/noop.md",
    )
    Config = NoopConfig

    def decide(self, snapshot: Snapshot, config: NoopConfig) -> Proposal | None:  # noqa: ARG002 - the contract's names
        return None
