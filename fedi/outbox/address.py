"""From an audience to inboxes. Nothing here makes it wider than the visibility; see ``activitypub.addressing``."""

from collections.abc import Iterable, Sequence

from fedi.activitypub.urls import parse_url
from fedi.errors import PeerFault
from fedi.ids import AccountId
from fedi.model.relations import FollowerInbox
from fedi.model.statuses import Visibility
from fedi.outbox.tools import Refusals
from fedi.store import relations, relays
from fedi.store.database import Tx
from fedi.store.deliveries import Destination

REFUSED_BY_US = "refused-by-us"  # the reason that the author reads, with the decision's id


async def list_destinations(
    tx: Tx,
    *,
    author: AccountId,
    visibility: Visibility,
    people: Iterable[AccountId] = (),
    refusals: Refusals,
    now_ms: int,
    with_relays: bool = False,
) -> list[Destination]:
    """Each inbox once. Followers where the visibility has them, then ``people``; relays get public posts only
    (those that are followed as actors are told of them: ``relays.announce_to_relays``)."""
    found: list[FollowerInbox] = []
    if visibility != "direct":
        found += await relations.list_follower_inboxes(tx, author)
    found += await relations.list_inboxes(tx, people)
    if with_relays and visibility == "public":
        found += [
            FollowerInbox(inbox=relay.inbox, host="", recipients=0)
            for relay in await relays.list_accepted(tx)
            if not relay.is_actor
        ]
    return to_destinations(found, refusals, now_ms)


async def list_personal(tx: Tx, people: Iterable[AccountId], *, refusals: Refusals, now_ms: int) -> list[Destination]:
    """Where something for these accounts goes."""
    return to_destinations(await relations.list_inboxes(tx, people), refusals, now_ms)


def to_destinations(inboxes: Sequence[FollowerInbox], refusals: Refusals, now_ms: int) -> list[Destination]:
    recipients: dict[str, int] = {}
    for one in inboxes:
        recipients[one.inbox] = max(one.recipients, recipients.get(one.inbox, 0))
    return [
        Destination(inbox=inbox, recipients=count, refusal=_refusal(inbox, refusals, now_ms))
        for inbox, count in recipients.items()
    ]


def _refusal(inbox: str, refusals: Refusals, now_ms: int) -> str | None:
    try:
        host = parse_url(inbox).host
    except PeerFault:
        return "bad-url"
    decision = refusals.refusal_of_host(host, now_ms)
    return None if decision is None else f"{REFUSED_BY_US} {decision.id}"
