"""Delete: of a post, of a stamp, or of the actor itself. Only by the stored owner."""

from dataclasses import dataclass

from fedi.ids import AccountId, StatusId
from fedi.inbox.authorize import refused
from fedi.inbox.effects import Decided, DeleteAccount, DeletePost, PutTombstone, SetQuote
from fedi.inbox.outcome import Ignored
from fedi.store.inbox import ActorBrief, StatusBrief


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """``object_uri`` is what is deleted; ``quotes`` are posts that quote by it, if it is a stamp, with the author of
    what they quote."""

    actor: ActorBrief
    actor_uri: str
    object_uri: str
    status: StatusBrief | None = None
    quotes: tuple[tuple[StatusId, AccountId | None], ...] = ()


def decide(facts: Facts) -> Decided:
    if facts.object_uri == facts.actor_uri:
        return (DeleteAccount(account=facts.actor.id, actor=facts.actor_uri),)
    if facts.quotes:
        if any(owner != facts.actor.id for _, owner in facts.quotes):
            raise refused("not-the-owner", f"Delete of the stamp {facts.object_uri}")
        return tuple(SetQuote(status=quote, state="revoked", authorization=None) for quote, _ in facts.quotes)
    status = facts.status
    if status is None:
        return (PutTombstone(uri=facts.object_uri, actor=facts.actor_uri),)  # its Create may come later
    if status.account != facts.actor.id:
        raise refused("not-the-owner", f"Delete of {facts.object_uri}")
    if status.deleted_at is not None:
        return Ignored("deleted")
    return (DeletePost(status=status.id, uri=facts.object_uri, actor=facts.actor_uri),)
