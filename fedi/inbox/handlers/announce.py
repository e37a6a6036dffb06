"""Announce: a boost. (An announced *activity*, FEP-1b12, is unwrapped before it comes to a handler.)"""

from dataclasses import dataclass

from fedi.ids import StatusId
from fedi.inbox.effects import Decided, Effect, Notify, PutBoost, VoidBoost
from fedi.inbox.outcome import Duplicate, Ignored
from fedi.model.statuses import Visibility
from fedi.store.inbox import ActorBrief, StatusBrief


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """``boosted`` is None if it cannot be had: gone, refused, or not what it says it is."""

    actor: ActorBrief
    uri: str
    n: StatusId | None
    boosted: StatusBrief | None
    visibility: Visibility
    published_at: int | None
    is_stored: bool = False


def decide(facts: Facts) -> Decided:
    if facts.is_stored:
        return Duplicate()
    if facts.n is None:
        return Ignored("no-place")
    boosted = facts.boosted
    if boosted is None or boosted.deleted_at is not None or boosted.reblog_of is not None:
        return (VoidBoost(n=facts.n),)
    if boosted.visibility not in {"public", "unlisted"} and boosted.account != facts.actor.id:
        return (VoidBoost(n=facts.n),)
    effects: list[Effect] = [
        PutBoost(
            n=facts.n,
            uri=facts.uri,
            account=facts.actor,
            boosted=boosted,
            visibility=facts.visibility,
            published_at=facts.published_at,
        )
    ]
    if boosted.local:
        effects.append(Notify(account=boosted.account, kind="reblog", actor=facts.actor.id, status=boosted.id))
    return tuple(effects)
