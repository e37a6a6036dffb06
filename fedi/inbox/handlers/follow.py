"""Follow, and the answers to follows of ours."""

from dataclasses import dataclass
from typing import Literal

from fedi.inbox.authorize import refused
from fedi.inbox.effects import (
    AcceptFollow,
    AnswerFollow,
    Decided,
    DropFollow,
    Effect,
    Enqueue,
    Notify,
    PutFollow,
    SetRelay,
    Unnotify,
)
from fedi.inbox.outcome import Ignored
from fedi.model.accounts import Account
from fedi.model.relations import Follow
from fedi.store.inbox import ActorBrief
from fedi.store.relays import Relay


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """``target`` is the local account that is to be followed; ``is_relay``: a relay that we asked follows
    back."""

    actor: ActorBrief
    target: Account | None
    uri: str | None
    stored: Follow | None = None
    is_blocked: bool = False
    is_relay: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFacts:
    """``follow`` is the row that is answered, found by id or by its two ends; ``follower_is_local`` must hold."""

    kind: Literal["Accept", "Reject"]
    actor: ActorBrief
    actor_uri: str
    follow: Follow | None = None
    follower_is_local: bool = False
    relay: Relay | None = None
    relay_host_agrees: bool = False


def decide(facts: Facts) -> Decided:
    target, actor = facts.target, facts.actor.id
    if target is None or not target.local or target.gone_at is not None:
        return Ignored("no-such-account")
    if target.kind == "Application" and not facts.is_relay:
        return (_answer(facts, target, "Reject"),)
    if facts.is_blocked:
        return (_answer(facts, target, "Reject"),)
    if facts.stored is not None and facts.stored.state == "accepted":
        # Asked again: perhaps our answer was lost.
        again = PutFollow(follower=actor, target=target.id, state="accepted", uri=facts.uri)
        return again, _answer(facts, target, "Accept")
    if target.locked and not facts.is_relay:
        return (
            PutFollow(follower=actor, target=target.id, state="requested", uri=facts.uri),
            Notify(account=target.id, kind="follow_request", actor=actor),
        )
    return (
        PutFollow(follower=actor, target=target.id, state="accepted", uri=facts.uri),
        _answer(facts, target, "Accept"),
        *(() if facts.is_relay else (Notify(account=target.id, kind="follow", actor=actor),)),
    )


def _answer(facts: Facts, target: Account, kind: Literal["Accept", "Reject"]) -> Effect:
    return AnswerFollow(kind=kind, target=target.id, follower=facts.actor.id, follow_uri=facts.uri)


def decide_answer(facts: AnswerFacts) -> Decided:
    if facts.relay is not None:
        if not facts.relay_host_agrees:
            raise refused("not-the-target", f"answer to {facts.relay.follow_uri}")
        state: Literal["accepted", "rejected"] = "accepted" if facts.kind == "Accept" else "rejected"
        return (SetRelay(follow_uri=facts.relay.follow_uri, state=state, actor=facts.actor_uri),)
    follow = facts.follow
    if follow is None:
        return Ignored("not-pending")
    if follow.target != facts.actor.id or not facts.follower_is_local:
        raise refused("not-the-target", f"{facts.kind} of a follow of somebody else")
    if facts.kind == "Reject":
        return (DropFollow(follower=follow.follower, target=follow.target),)
    if follow.state != "requested":
        return Ignored("not-pending")
    backfill = Enqueue(
        kind="refresh_actor",
        payload={"actor": facts.actor_uri, "outbox": True},
        dedup=f"{facts.actor_uri} outbox",
        lane=facts.actor.host,
    )
    return AcceptFollow(follower=follow.follower, target=follow.target), backfill


def undone(follow: Follow) -> tuple[Effect, ...]:
    """By its follower."""
    return (
        DropFollow(follower=follow.follower, target=follow.target),
        Unnotify(account=follow.target, kind="follow", actor=follow.follower),
        Unnotify(account=follow.target, kind="follow_request", actor=follow.follower),
    )
