"""Block: its actor and ours no longer follow each other."""

from dataclasses import dataclass

from fedi.inbox.effects import Decided, DropFollow, PutBlock
from fedi.inbox.outcome import Ignored
from fedi.model.accounts import Account
from fedi.store.inbox import ActorBrief


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    actor: ActorBrief
    target: Account | None
    uri: str | None


def decide(facts: Facts) -> Decided:
    if facts.target is None or not facts.target.local:
        return Ignored("no-such-account")
    actor, target = facts.actor.id, facts.target.id
    return (
        PutBlock(account=actor, target=target, uri=facts.uri),
        DropFollow(follower=actor, target=target),
        DropFollow(follower=target, target=actor),
    )
