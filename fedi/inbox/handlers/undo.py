"""Undo: by the id of what is undone or by its content, looked up in our own tables, never fetched."""

from dataclasses import dataclass

from fedi.inbox.authorize import refused
from fedi.inbox.effects import Decided, DeletePost, DropBlock, DropFavourite, DropReaction, Effect, Unnotify
from fedi.inbox.handlers.follow import undone
from fedi.inbox.outcome import Ignored
from fedi.model.interactions import Favourite, Reaction
from fedi.model.relations import Block, Follow
from fedi.store.inbox import ActorBrief, StatusBrief


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is stored of it, whoever it belongs to; at most one of them. ``owner`` is the author of the status."""

    actor: ActorBrief
    actor_uri: str
    follow: Follow | None = None
    favourite: Favourite | None = None
    reaction: Reaction | None = None
    block: Block | None = None
    boost: StatusBrief | None = None
    boost_uri: str = ""
    boosted: StatusBrief | None = None
    liked: StatusBrief | None = None


def decide(facts: Facts) -> Decided:
    actor = facts.actor.id
    effects: tuple[Effect, ...]
    if facts.follow is not None:
        owner, effects = facts.follow.follower, undone(facts.follow)
    elif facts.favourite is not None:
        owner = facts.favourite.account
        effects = (
            DropFavourite(account=owner, status=facts.favourite.status),
            *_untold("favourite", facts.liked, actor),
        )
    elif facts.reaction is not None:
        reaction = facts.reaction
        owner = reaction.account
        effects = (
            DropReaction(account=owner, status=reaction.status, emoji=reaction.emoji),
            *_untold("reaction", facts.liked, actor),
        )
    elif facts.block is not None:
        owner, effects = facts.block.account, (DropBlock(account=facts.block.account, target=facts.block.target),)
    elif facts.boost is not None:
        owner = facts.boost.account
        effects = (
            DeletePost(status=facts.boost.id, uri=facts.boost_uri, actor=facts.actor_uri),
            *_untold("reblog", facts.boosted, actor),
        )
    else:
        return Ignored("unknown-object")
    if owner != actor:
        raise refused("not-the-owner", "Undo of what somebody else did")
    return effects


def _untold(kind: str, status: StatusBrief | None, actor: object) -> tuple[Effect, ...]:
    if status is None or not status.local:
        return ()
    return (Unnotify(account=status.account, kind=kind, actor=actor, status=status.id),)  # type: ignore[arg-type]
