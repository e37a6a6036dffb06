"""Create: a new post, or votes in a poll of ours."""

from dataclasses import dataclass

from fedi.activitypub.parse import visibility_of
from fedi.activitypub.vocab import PUBLIC, Post
from fedi.ids import AccountId, StatusId
from fedi.inbox.effects import Decided, Effect, Enqueue, Forward, Notify, PutPost, Vote, WithdrawPlace
from fedi.inbox.outcome import Duplicate, Ignored
from fedi.inbox.posts import Quote, choices_of
from fedi.model.polls import Poll
from fedi.store.inbox import ActorBrief, Addressee, StatusBrief


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteFacts:
    """``poll`` is None if what is answered is no poll of ours."""

    actor: ActorBrief
    poll: Poll | None
    names: tuple[str, ...]
    uri: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostFacts:
    """``n`` is the place given at acceptance. ``watchers`` are local people who asked to be told of each post;
    ``is_followed``: somebody here follows the author. ``quoted`` is the local author of what is quoted."""

    post: Post
    actor: ActorBrief
    n: StatusId | None
    is_stored: bool = False
    is_deleted: bool = False
    parent: StatusBrief | None = None
    addressees: tuple[Addressee, ...] = ()
    quote: Quote | None = None
    quoted: AccountId | None = None
    watchers: tuple[AccountId, ...] = ()
    is_followed: bool = False
    is_awaited: bool = True
    is_forwardable: bool = False  # carries a signature of its own


def decide_vote(facts: VoteFacts) -> Decided:
    if facts.poll is None:
        return Ignored("no-such-poll")
    choices = choices_of(facts.poll, facts.names)
    if not choices:
        return Ignored("no-such-option")
    return (Vote(poll=facts.poll.id, account=facts.actor.id, choices=tuple(choices), uri=facts.uri),)


def decide_post(facts: PostFacts) -> Decided:
    if facts.is_stored:
        return Duplicate()
    if facts.n is None:
        return Ignored("no-place")
    if facts.is_deleted:
        return (WithdrawPlace(n=facts.n),)
    post = facts.post
    put = PutPost(
        post=post,
        n=facts.n,
        author=facts.actor,
        parent=facts.parent,
        addressees=facts.addressees,
        quote=facts.quote,
        is_awaited=facts.is_awaited,
    )
    return (put, *_notifications(facts, facts.n), *_errands(facts))


def _notifications(facts: PostFacts, n: StatusId) -> list[Effect]:
    """Mentioned people are told once; those who watch the author are not told again."""
    named = {tag.href for tag in facts.post.mentions}
    told: dict[AccountId, Notify] = {}
    if facts.quoted is not None and facts.quote is not None and facts.quote.state == "accepted":
        told[facts.quoted] = Notify(account=facts.quoted, kind="quote", actor=facts.actor.id, status=n)
    for one in facts.addressees:
        is_named = one.uri in named or one.url in named
        if one.local and one.id not in told and (is_named or _is_direct(facts)):
            told[one.id] = Notify(account=one.id, kind="mention", actor=facts.actor.id, status=n)
    for account in facts.watchers:
        told.setdefault(account, Notify(account=account, kind="status", actor=facts.actor.id, status=n))
    return list(told.values())


def _is_direct(facts: PostFacts) -> bool:
    return visibility_of(facts.post.to, facts.post.cc, facts.actor.followers_uri) == "direct"


def _errands(facts: PostFacts) -> list[Effect]:
    """What is done later: passing it on, fetching what it answers."""
    post, errands = facts.post, list[Effect]()
    is_distributed = PUBLIC in post.to or PUBLIC in post.cc
    if facts.is_forwardable and is_distributed and facts.parent is not None and facts.parent.local:
        errands.append(Forward(account=facts.parent.account, sender_host=facts.actor.host))
    matters = facts.is_followed or any(one.local for one in facts.addressees)
    if post.in_reply_to is not None and facts.parent is None and matters:
        errands.append(Enqueue(kind="fetch_status", payload={"uri": post.in_reply_to}, dedup=post.in_reply_to))
    return errands
