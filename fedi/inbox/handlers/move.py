"""Move: an account says where it went, and the new one says that it is the same."""

from dataclasses import dataclass

from fedi.inbox.authorize import refused
from fedi.inbox.effects import Decided, MarkMoved, MoveFollowers
from fedi.inbox.outcome import Ignored
from fedi.model.accounts import Account

COOLDOWN_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """``target`` is the new account as its own server shows it now."""

    old: Account
    target: Account | None
    now_ms: int


def decide(facts: Facts) -> Decided:
    old, target = facts.old, facts.target
    if target is None:
        return Ignored("unresolvable")
    if target.id == old.id or old.uri not in target.also_known_as:
        raise refused("not-reciprocal", f"{target.uri} does not name {old.uri}")
    if target.moved_to is not None:
        raise refused("moved-on", f"{target.uri} has moved itself")
    if old.moved_at is not None and facts.now_ms - old.moved_at < COOLDOWN_MS:
        return Ignored("moved-lately")
    return (
        MarkMoved(account=old.id, moved_to=target.uri),
        MoveFollowers(old=old.id, new=target.id, new_uri=target.uri),
    )
