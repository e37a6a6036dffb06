"""Flag: a report from another server, about people here."""

from dataclasses import dataclass

from fedi.ids import AccountId
from fedi.inbox.effects import Decided, PutReport
from fedi.inbox.outcome import Ignored
from fedi.store.inbox import ActorBrief, StatusBrief

MAX_COMMENT_CHARS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """``people`` are the local accounts, ``statuses`` the local posts among its objects, with their URIs."""

    actor: ActorBrief
    uri: str | None
    comment: str
    people: tuple[AccountId, ...] = ()
    statuses: tuple[tuple[str, StatusBrief], ...] = ()


def decide(facts: Facts) -> Decided:
    """One report per person: who is named, and who wrote a post that is."""
    targets = dict.fromkeys((*facts.people, *(status.account for _, status in facts.statuses)))
    if not targets:
        return Ignored("not-ours")
    return tuple(
        PutReport(
            uri=facts.uri if at == 0 else None,
            account=facts.actor.id,
            target=target,
            statuses=tuple(uri for uri, status in facts.statuses if status.account == target),
            comment=facts.comment[:MAX_COMMENT_CHARS],
        )
        for at, target in enumerate(targets)
    )
