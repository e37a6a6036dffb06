"""Add and Remove: what an actor shows on top of its profile."""

from dataclasses import dataclass
from typing import Literal

from fedi.inbox.authorize import refused
from fedi.inbox.effects import Decided, DropPin, PutPin
from fedi.inbox.outcome import Ignored
from fedi.store.inbox import ActorBrief, StatusBrief


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """``is_featured``: the target is the actor's own ``featured`` collection, as stored."""

    kind: Literal["Add", "Remove"]
    actor: ActorBrief
    is_featured: bool
    status: StatusBrief | None


def decide(facts: Facts) -> Decided:
    if not facts.is_featured:
        return Ignored("unsupported-target")
    if facts.status is None or facts.status.deleted_at is not None:
        return Ignored("unknown-object")
    if facts.status.account != facts.actor.id:
        raise refused("not-the-owner", "only own posts are featured")
    if facts.kind == "Add":
        return (PutPin(account=facts.actor.id, status=facts.status.id),)
    return (DropPin(account=facts.actor.id, status=facts.status.id),)
