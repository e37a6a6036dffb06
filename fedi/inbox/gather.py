"""Which facts an activity needs, and the handler that decides on them. Asks the store; what must come from other
servers is asked for by :class:`fedi.inbox.world.Need`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from fedi.activitypub.parse import visibility_of
from fedi.activitypub.urls import same_origin
from fedi.activitypub.vocab import (
    Activity,
    ActorDocument,
    Post,
    QuoteAuthorization,
    Tombstone,
    id_of,
)
from fedi.errors import PeerFault, Unreachable
from fedi.ids import AccountId, StatusId
from fedi.inbox.accept import Incoming
from fedi.inbox.authorize import boosted_by, check_activity, check_id, refused, with_addressing
from fedi.inbox.effects import Decided
from fedi.inbox.handlers import (
    announce,
    block,
    create,
    delete,
    feature,
    flag,
    follow,
    move,
    quote,
    react,
    undo,
    update,
)
from fedi.inbox.outcome import Duplicate, Ignored
from fedi.inbox.world import World
from fedi.model.statuses import Status
from fedi.store import accounts, deliveries, interactions, polls, relations, relays, statuses
from fedi.store import inbox as briefs
from fedi.store.inbox import ActorBrief

DAY_MS = 24 * 3600 * 1000
MAX_FLAGGED = 100
_OPEN = frozenset({"public", "unlisted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One accepted activity: its actor as stored, and the place it was given. ``is_last_try``: what cannot be reached
    now is taken as gone."""

    item: Incoming
    actor: ActorBrief
    n: StatusId | None
    is_last_try: bool = False
    around: briefs.PostContext | None = None  # of a new post, asked for together with its actor

    @property
    def activity(self) -> Activity:
        return self.item.activity


async def decide(world: World, case: Case) -> Decided:
    """Facts and handler of the activity's type. Raises ``Need``, :class:`PeerFault`, :class:`Unreachable`."""
    return await _BY_TYPE[case.activity.type](world, case)


# Posts ------------------------------------------------------------------------------------------------------


async def _create(world: World, case: Case) -> Decided:
    activity = case.activity
    votes = [item for item in activity.objects if isinstance(item, Post) and item.vote_name is not None]
    if votes and len(votes) == len(activity.objects):
        voted = await _vote(world, case, votes)
        if voted is not None:
            return voted
    item = activity.object
    if isinstance(item, Post) and case.n is not None:
        return create.decide_post(await _post_facts(world, case, with_addressing(item, activity)))
    if isinstance(item, str) and len(activity.objects) == 1:
        await world.get_status(item)  # only named: read at its origin
        return ()
    return Ignored("unsupported-object")


async def _vote(world: World, case: Case, votes: list[Post]) -> Decided | None:
    question = await world.find_status(votes[0].in_reply_to)
    poll = await polls.find_poll(world.tx, question.id) if question is not None and question.local else None
    if poll is None and len(votes) == 1 and case.n is not None:
        return None
    if any(vote.in_reply_to != votes[0].in_reply_to for vote in votes):
        return Ignored("no-such-poll")
    if question is not None and not await world.may_see(question, case.actor.id):
        poll = None
    return create.decide_vote(
        create.VoteFacts(
            actor=case.actor,
            poll=poll,
            names=tuple(vote.vote_name or "" for vote in votes),
            uri=votes[0].id if len(votes) == 1 else case.activity.id,
        )
    )


async def _post_facts(world: World, case: Case, post: Post) -> create.PostFacts:
    tx, actor = world.tx, case.actor
    quoted = await world.quote_of(post) if post.quote is not None else None
    ours = None
    if quoted is not None and quoted.of is not None and quoted.state == "accepted":
        whole = await statuses.find_status(tx, quoted.of)
        ours = whole.account if whole is not None and whole.local else None
    around = case.around or await briefs.find_post_context(tx, case.activity.actor, post.id)
    assert around is not None
    watchers: list[AccountId] = []
    if around.watched and post.in_reply_to is None and not _is_hidden(post, actor):
        watchers = await relations.list_local_followers(tx, actor.id, notified=True)
    return create.PostFacts(
        post=post,
        actor=actor,
        n=case.n,
        is_stored=around.stored is not None,
        is_deleted=around.deleted_by == case.activity.actor,
        parent=await world.find_parent(post, actor.id),
        addressees=await world.addressees(post, actor),
        quote=quoted,
        quoted=ours,
        watchers=tuple(watchers),
        is_followed=bool(around.followed),
        is_awaited=bool(around.awaited),
        is_forwardable="signature" in case.activity.raw or "proof" in case.activity.raw,
    )


def _is_hidden(post: Post, actor: ActorBrief) -> bool:
    return visibility_of(post.to, post.cc, actor.followers_uri) == "direct"


async def _update(world: World, case: Case) -> Decided:
    item = case.activity.object
    if isinstance(item, ActorDocument):
        stored = await accounts.find_by_uri(world.tx, item.id)
        return update.decide_actor(item, update.ActorFacts(stored=stored))
    if isinstance(item, Post):
        return await update_post(world, case.actor, with_addressing(item, case.activity))
    return Ignored("unsupported-object")


async def update_post(world: World, actor: ActorBrief, post: Post) -> Decided:
    """Also for a post that was read at its origin."""
    stored = await statuses.find_by_uri(world.tx, post.id)
    if stored is None:
        if post.published_at is not None and world.now_ms - post.published_at > DAY_MS:
            return Ignored("unresolvable")
        await world.get_status(post.id)
        return ()
    boosters: list[AccountId] = []
    if post.updated_at is not None:
        boosters = [
            account.id for _, account in await interactions.list_reblogged_by(world.tx, stored.id) if account.local
        ]
    return update.decide_post(
        update.PostFacts(
            post=post,
            actor=actor,
            stored=stored,
            addressees=await world.addressees(post, actor),
            quote=await world.quote_of(post),
            boosters=tuple(boosters),
        )
    )


async def _delete(world: World, case: Case) -> Decided:
    uri = case.activity.object_id
    if uri is None:
        return Ignored("no-object")
    quotes: tuple[tuple[StatusId, AccountId | None], ...] = ()
    status = await world.find_status(uri)
    if status is None and uri != case.activity.actor:
        quotes = tuple(await briefs.list_quotes_by_stamp(world.tx, uri))
    return delete.decide(
        delete.Facts(
            actor=case.actor, actor_uri=case.activity.actor, object_uri=uri, status=status, quotes=quotes
        )
    )  # fmt: skip


async def _announce(world: World, case: Case) -> Decided:
    activity = case.activity
    inner = activity.object
    if isinstance(inner, Activity):
        return await unwrap(world, case, inner)
    uri = boosted_by(activity)
    if uri is None or activity.id is None:
        return Ignored("unsupported-object")
    if case.n is None and await relays.find_by_actor(world.tx, activity.actor) is not None:
        await world.get_status(uri)  # a relay tells of posts, it does not boost them
        return ()
    stored = await world.find_status(activity.id)
    if stored is None and case.n is not None:
        again = await statuses.find_status(world.tx, case.n)
        stored = None if again is None else await world.find_status(again.uri)
    boosted = None
    if stored is None:
        try:
            boosted = await world.get_status(uri)
        except PeerFault:
            boosted = None
        except Unreachable:
            if not case.is_last_try:
                raise
    return announce.decide(
        announce.Facts(
            actor=case.actor,
            uri=activity.id,
            n=case.n,
            boosted=boosted,
            visibility=visibility_of(activity.to, activity.cc, case.actor.followers_uri),
            published_at=activity.published_at,
            is_stored=stored is not None,
        )
    )


async def unwrap(world: World, case: Case, inner: Activity) -> Decided:
    """A group passes on what its members did (FEP-1b12): each thing is asked for at its own origin."""
    uri = inner.object_id
    if uri is None or world.uris.is_on_our_host(inner.actor):
        return Ignored("unsupported-object")
    world.refuse(inner.actor)
    match inner.type:
        case "Create":
            return await _passed_on(world, case, await world.get_status(uri))
        case "Update":
            post = world.document(uri)
            if not isinstance(post, Post):
                return Ignored("unsupported-object")
            await world.put_fetched(post)
            return await update_post(world, await world.get_actor(post.attributed_to), post)
        case "Delete":
            return await delete_if_gone(world, uri)
        case "Like" | "EmojiReact" | "Dislike" if inner.id is not None:
            confirmed = world.document(inner.id)
            if not isinstance(confirmed, Activity) or (confirmed.actor, confirmed.type) != (inner.actor, inner.type):
                raise PeerFault("not-confirmed", internal=inner.id)
            check_activity(confirmed, world.uris)  # from its actor's own origin
            actor = await world.get_actor(confirmed.actor)
            return await _react(world, replace(case, actor=actor, item=replace(case.item, activity=confirmed)))
        case _:
            return Ignored("unsupported-object")


async def _passed_on(world: World, case: Case, status: briefs.StatusBrief) -> Decided:
    """A post that begins a thread in a group is boosted by it, as most groups say themselves; a comment is only kept."""
    whole = await statuses.find_status(world.tx, status.id)
    is_comment = whole is None or whole.in_reply_to_uri is not None
    if is_comment or case.actor.kind != "Group" or case.activity.id is None:
        return ()
    visibility = visibility_of(case.activity.to, case.activity.cc, case.actor.followers_uri)
    opened = await world.open_boost(
        uri=case.activity.id,
        actor=case.actor,
        actor_uri=case.activity.actor,
        boosted=status,
        visibility=visibility,
        body_hash=case.item.body_hash,
    )
    if opened.existed:
        return Duplicate()
    return announce.decide(
        announce.Facts(
            actor=case.actor,
            uri=case.activity.id,
            n=opened.n,
            boosted=status,
            visibility=visibility,
            published_at=case.activity.published_at,
        )
    )


async def delete_if_gone(world: World, uri: str) -> Decided:
    """Somebody else says that it is deleted: true if its origin says so, too."""
    status = await world.find_status(uri)
    if status is None or status.local or status.deleted_at is not None:
        return Ignored("unknown-object")
    try:
        found = world.document(uri)
    except PeerFault as fault:
        # What is not for everybody looks missing to us, too: only "gone" tells them apart.
        if fault.code not in ({"remote-gone", "remote-missing"} if status.visibility in _OPEN else {"remote-gone"}):
            raise
    else:
        if not isinstance(found, Tombstone):
            return Ignored("still-there")
    author = await world.get_actor(status.author)
    return delete.decide(delete.Facts(actor=author, actor_uri=status.author, object_uri=uri, status=status))


# People -----------------------------------------------------------------------------------------------------


async def _follow(world: World, case: Case) -> Decided:
    activity = case.activity
    target = await world.find_local_account(activity.object_id)
    stored, is_blocked, is_relay = None, False, False
    if target is not None:
        stored = await relations.find_follow(world.tx, case.actor.id, target.id)
        is_blocked = await relations.find_block(world.tx, target.id, case.actor.id) is not None
        if target.kind == "Application":
            is_relay = await relays.find_asked(world.tx, activity.actor) is not None
    return follow.decide(
        follow.Facts(
            actor=case.actor,
            target=target,
            uri=activity.id,
            stored=stored,
            is_blocked=is_blocked,
            is_relay=is_relay,
        )
    )


async def _answer(world: World, case: Case) -> Decided:
    activity = case.activity
    inner = activity.object
    uri = activity.object_id
    if isinstance(inner, Activity) and inner.type == "QuoteRequest":
        quoting = await statuses.find_by_uri(world.tx, id_of(inner.instrument) or "")
        return await _quote_answer(world, case, quoting, inner.object_id or "")
    if uri is not None and (asking := await _find_asking(world, uri)) is not None:
        return await _quote_answer(world, case, asking, asking.quote_uri or "")
    relay = await relays.find_by_follow(world.tx, uri) if uri is not None else None
    found = await relations.find_follow_by_uri(world.tx, uri) if uri is not None and relay is None else None
    if found is None and isinstance(inner, Activity) and inner.type == "Follow" and relay is None:
        # By its two ends: some servers keep one of the ids only.
        follower = await world.find_local_account(inner.actor)
        if follower is not None and inner.object_id == activity.actor:
            if follower.kind == "Application":
                relay = await relays.find_asked(world.tx, activity.actor)
            found = await relations.find_follow(world.tx, follower.id, case.actor.id)
    is_local = False
    if found is not None:
        who = await accounts.find_account(world.tx, found.follower)
        is_local = who is not None and who.local
    return follow.decide_answer(
        follow.AnswerFacts(
            kind="Accept" if activity.type == "Accept" else "Reject",
            actor=case.actor,
            actor_uri=activity.actor,
            follow=found,
            follower_is_local=is_local,
            relay=relay,
            relay_host_agrees=relay is not None and _is_of_relay(relay, activity.actor),
        )
    )


def _is_of_relay(relay: relays.Relay, actor: str) -> bool:
    return relay.actor == actor or (relay.actor is None and same_origin(relay.inbox, actor))


async def _block(world: World, case: Case) -> Decided:
    target = await world.find_local_account(case.activity.object_id)
    return block.decide(block.Facts(actor=case.actor, target=target, uri=case.activity.id))


async def _flag(world: World, case: Case) -> Decided:
    people, posts = [], []
    for uri in [found for item in case.activity.objects[:MAX_FLAGGED] if (found := id_of(item)) is not None]:
        person = await world.find_local_account(uri)
        if person is not None:
            people.append(person.id)
            continue
        status = await world.find_status(uri)
        if status is not None and status.local:
            posts.append((str(uri), status))
    return flag.decide(
        flag.Facts(
            actor=case.actor,
            uri=case.activity.id,
            comment=case.activity.content,
            people=tuple(people),
            statuses=tuple(posts),
        )
    )


async def _move(world: World, case: Case) -> Decided:
    old = await accounts.find_account(world.tx, case.actor.id)
    target_uri = id_of(case.activity.target)
    assert old is not None
    target = None
    if target_uri is not None and target_uri != old.uri:
        target = await world.find_local_account(target_uri)
        if target is None:
            target = await world.fetch_account(target_uri)  # always anew: its claim must be there now
    return move.decide(move.Facts(old=old, target=target, now_ms=world.now_ms))


# Acts upon posts --------------------------------------------------------------------------------------------


async def _react(world: World, case: Case) -> Decided:
    status = await world.find_status(case.activity.object_id)
    if status is not None and not await world.may_see(status, case.actor.id):
        status = None
    return react.decide(case.activity, react.Facts(actor=case.actor, status=status))


async def _undo(world: World, case: Case) -> Decided:
    inner, uri = case.activity.object, case.activity.object_id
    facts = undo.Facts(actor=case.actor, actor_uri=case.activity.actor)
    if uri is not None:
        facts = await _undone_by_id(world, case, facts, uri)
    if isinstance(inner, Activity) and _is_empty(facts):
        facts = await _undone_by_content(world, case, facts, inner)
    return undo.decide(facts)


def _is_empty(facts: undo.Facts) -> bool:
    return not (facts.follow or facts.favourite or facts.reaction or facts.block or facts.boost)


async def _undone_by_id(world: World, case: Case, facts: undo.Facts, uri: str) -> undo.Facts:
    tx = world.tx
    favourite = await interactions.find_favourite_by_uri(tx, uri)
    if favourite is not None:
        return replace(facts, favourite=favourite, liked=await briefs.find_status_by_id(tx, favourite.status))
    found = await relations.find_follow_by_uri(tx, uri)
    if found is not None:
        return replace(facts, follow=found)
    reaction = await interactions.find_reaction_by_uri(tx, uri)
    if reaction is not None:
        return replace(facts, reaction=reaction, liked=await briefs.find_status_by_id(tx, reaction.status))
    boost = await world.find_status(uri)
    if boost is not None:
        return await _with_boost(world, facts, boost, uri)
    blocked = await relations.find_block_by_uri(tx, case.actor.id, uri)
    return replace(facts, block=blocked)


async def _with_boost(world: World, facts: undo.Facts, boost: briefs.StatusBrief, uri: str) -> undo.Facts:
    if boost.reblog_of is None or boost.deleted_at is not None:
        return facts
    boosted = await briefs.find_status_by_id(world.tx, boost.reblog_of)
    return replace(facts, boost=boost, boost_uri=uri, boosted=boosted)


async def _undone_by_content(world: World, case: Case, facts: undo.Facts, inner: Activity) -> undo.Facts:
    """By actor, type and object; the actor of what is undone was checked at the gate."""
    tx, actor = world.tx, case.actor.id
    if inner.type in {"Follow", "Block"}:
        target = await world.find_local_account(inner.object_id)
        if target is None:
            return facts
        if inner.type == "Follow":
            return replace(facts, follow=await relations.find_follow(tx, actor, target.id))
        return replace(facts, block=await relations.find_block(tx, actor, target.id))
    status = await world.find_status(inner.object_id)
    if status is None:
        return facts
    if inner.type == "Announce":
        boost = await interactions.find_reblog(tx, actor, status.id)
        brief = await world.find_status(boost.uri) if boost is not None else None
        return facts if brief is None or boost is None else await _with_boost(world, facts, brief, boost.uri)
    if inner.type in {"Like", "EmojiReact"}:
        emoji = react.reaction_of(inner)
        if emoji is None:
            return replace(facts, favourite=await interactions.find_favourite(tx, actor, status.id), liked=status)
        mine = [one for one in await interactions.list_reactions(tx, status.id) if one.account == actor]
        return replace(facts, reaction=next((one for one in mine if one.emoji == emoji), None), liked=status)
    return facts


async def _feature(world: World, case: Case) -> Decided:
    activity = case.activity
    account = await accounts.find_account(world.tx, case.actor.id)
    target, uri = id_of(activity.target), activity.object_id
    is_featured = account is not None and target is not None and target == account.featured_uri
    status = None
    if is_featured and uri is not None:
        status = await (world.get_status(uri) if activity.type == "Add" else world.find_status(uri))
    return feature.decide(
        feature.Facts(
            kind="Add" if activity.type == "Add" else "Remove",
            actor=case.actor,
            is_featured=is_featured,
            status=status,
        )
    )


# Quotes -----------------------------------------------------------------------------------------------------


async def _quote_request(world: World, case: Case) -> Decided:
    activity = case.activity
    quoted = await statuses.find_by_uri(world.tx, activity.object_id or "")
    instrument = id_of(activity.instrument)
    if instrument is None or activity.id is None:
        return Ignored("no-instrument")
    _check_instrument(world, activity)
    request = {"id": activity.id, "actor": activity.actor, "object": activity.object_id, "instrument": instrument}
    is_follower = is_blocked = may_see = False
    if quoted is not None and quoted.local:
        is_follower = await relations.is_following(world.tx, case.actor.id, quoted.account)
        is_blocked = await relations.find_block(world.tx, quoted.account, case.actor.id) is not None
        may_see = await statuses.may_see(world.tx, quoted, case.actor.id)
    return quote.decide_request(
        quote.RequestFacts(
            actor=case.actor,
            actor_uri=activity.actor,
            quoted=quoted,
            quote=instrument,
            request=request,
            is_follower=is_follower,
            is_blocked=is_blocked,
            may_see=may_see,
        )
    )


def _check_instrument(world: World, activity: Activity) -> None:
    instrument = activity.instrument
    check_id(id_of(instrument) or "", activity.actor, world.uris)
    if isinstance(instrument, Post) and instrument.attributed_to != activity.actor:
        raise refused("not-the-owner", f"{instrument.id} is attributed to {instrument.attributed_to}")


async def _find_asking(world: World, request: str) -> Status | None:
    """Our post for which we sent the QuoteRequest of this id."""
    sent = await deliveries.find_outgoing(world.tx, request) if world.uris.is_local(request) else None
    if sent is None or sent.kind != "QuoteRequest" or sent.status is None:
        return None
    return await statuses.find_status(world.tx, sent.status)


async def _quote_answer(world: World, case: Case, ours: Status | None, quoted_uri: str) -> Decided:
    activity = case.activity
    quoted = await world.find_status(quoted_uri)
    stamp_uri = id_of(activity.result)
    stamp = None
    is_theirs = quoted is not None and quoted.author == activity.actor
    if activity.type == "Accept" and ours is not None and ours.local and is_theirs and stamp_uri is not None:
        check_id(stamp_uri, activity.actor, world.uris)
        found = world.document(stamp_uri)
        stamp = found if isinstance(found, QuoteAuthorization) and found.id == stamp_uri else None
    return quote.decide_answer(
        quote.AnswerFacts(
            kind="Accept" if activity.type == "Accept" else "Reject",
            actor_uri=activity.actor,
            quote=ours,
            quoted_uri=quoted_uri,
            quoted_author=quoted.author if quoted is not None else None,
            stamp_uri=stamp_uri,
            stamp=stamp,
        )
    )


_BY_TYPE: Mapping[str, Callable[[World, Case], Awaitable[Decided]]] = {
    "Create": _create,
    "Update": _update,
    "Delete": _delete,
    "Announce": _announce,
    "Follow": _follow,
    "Accept": _answer,
    "Reject": _answer,
    "Block": _block,
    "Flag": _flag,
    "Move": _move,
    "Like": _react,
    "EmojiReact": _react,
    "Dislike": _react,
    "Undo": _undo,
    "Add": _feature,
    "Remove": _feature,
    "QuoteRequest": _quote_request,
}
