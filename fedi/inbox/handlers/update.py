"""Update of a post or of an actor. The stored owner decides, and only what is newer counts."""

from dataclasses import dataclass

from fedi.activitypub.vocab import ActorDocument, Post
from fedi.ids import AccountId
from fedi.inbox.authorize import refused
from fedi.inbox.effects import Decided, EditPost, Effect, Enqueue, Notify, SetCounts, UpdateActor
from fedi.inbox.outcome import Ignored
from fedi.inbox.posts import Quote
from fedi.model.accounts import Account
from fedi.model.statuses import Status
from fedi.store.inbox import ActorBrief, Addressee


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorFacts:
    stored: Account | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostFacts:
    post: Post
    actor: ActorBrief
    stored: Status | None
    addressees: tuple[Addressee, ...] = ()
    quote: Quote | None = None
    boosters: tuple[AccountId, ...] = ()  # local people who boosted it


def decide_actor(document: ActorDocument, facts: ActorFacts) -> Decided:
    stored = facts.stored
    if stored is None:
        return Ignored("unknown-object")
    if stored.username != document.username or (document.webfinger and document.webfinger != stored.acct):
        # Another handle than the one we checked: the whole document is read again, with WebFinger.
        return (Enqueue(kind="refresh_actor", payload={"actor": document.id}, dedup=document.id, lane=stored.host),)
    return (UpdateActor(document=document, domain=stored.domain),)


def decide_post(facts: PostFacts) -> Decided:
    stored, post = facts.stored, facts.post
    if stored is None:
        return Ignored("unresolvable")
    if stored.account != facts.actor.id or stored.is_reblog:
        raise refused("not-the-owner", f"Update of {post.id}")
    if stored.deleted_at is not None:
        return Ignored("deleted")
    counts = counts_of(post, stored)
    written_at = stored.edited_at or stored.created_at
    if post.updated_at is None or post.updated_at <= written_at:
        return (counts,) if counts is not None else Ignored("not-newer")
    edit = EditPost(
        post=post, status=stored.id, author=facts.actor, addressees=facts.addressees, quote=facts.quote
    )  # fmt: skip
    told: list[Effect] = [
        Notify(account=booster, kind="update", actor=facts.actor.id, status=stored.id) for booster in facts.boosters
    ]
    mentioned = {mention.id for mention in stored.mentions}
    named = {tag.href for tag in post.mentions}
    told += [
        Notify(account=one.id, kind="mention", actor=facts.actor.id, status=stored.id)
        for one in facts.addressees
        if one.local and one.id not in mentioned and (one.uri in named or one.url in named)
    ]
    return (edit, *((counts,) if counts is not None else ()), *told)


def counts_of(post: Post, stored: Status) -> SetCounts | None:
    votes = tuple(option.votes for option in post.poll.options) if post.poll else None
    reblogs = post.shares.total_items if post.shares else None
    favourites = post.likes.total_items if post.likes else None
    if votes is None and reblogs is None and favourites is None:
        return None
    return SetCounts(
        status=stored.id,
        votes=votes,
        voters=post.poll.voters if post.poll else None,
        closed_at=post.poll.closed_at if post.poll else None,
        reblogs=reblogs,
        favourites=favourites,
    )
