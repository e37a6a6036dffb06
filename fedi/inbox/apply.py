"""Writes effects: rows first, then notifications, deliveries and jobs; streaming hears of it after the commit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, assert_never

from fedi.activitypub.render import finish
from fedi.activitypub.render_activities import render_answer, render_follow, render_quote_answer, render_undo
from fedi.ids import StatusId, Uri, random_token
from fedi.inbox import effects as do
from fedi.inbox.actors import put_actor
from fedi.inbox.posts import NewPost, rows_of
from fedi.inbox.world import World
from fedi.ledger.slots import mark_gone, mark_ready
from fedi.model.accounts import Account
from fedi.model.notifications import NotificationKind
from fedi.model.statuses import Status
from fedi.remote.resolve import ResolvedActor
from fedi.store import (
    accounts,
    deliveries,
    interactions,
    jobs,
    keys,
    media,
    notifications,
    polls,
    quotes,
    relations,
    relays,
    reports,
    statuses,
)
from fedi.store import inbox as briefs
from fedi.store.database import Tx
from fedi.store.deliveries import Destination
from fedi.store.quotes import QuoteStamp
from fedi.streaming.hub import Event

DELETED_AT_ONCE = 200
MAX_FORWARDED = 1_000
REPORT_DUE_MS = 7 * 24 * 3600 * 1000  # by then somebody has answered


class Republish(Protocol):
    """Tells everybody about a change of a local status: the outbox's Update, in this transaction."""

    async def __call__(self, tx: Tx, status: StatusId, now_ms: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """What applying needs besides the world: the activity's own bytes, whom to tell, and the outbox's Update."""

    world: World
    activity: str
    body: bytes
    publish: Callable[[Event], None]
    republish: Republish | None = None


async def apply(writer: Writer, effects: do.Effects) -> bool:
    """Writes them in order. False: there is more to do, in a further unit."""
    finished = True
    for effect in effects:
        finished = await _apply(writer, effect) and finished
    return finished


async def _apply(writer: Writer, effect: do.Effect) -> bool:  # noqa: PLR0915 - one flat list of effects
    world = writer.world
    tx, now_ms = world.tx, world.now_ms
    match effect:
        case do.PutPost():
            await put_post(world, effect)
            _tell(writer, Event(kind="update", status=effect.n, author=effect.author.id))
        case do.EditPost():
            await _edit_post(writer, effect)
        case do.SetCounts():
            await _set_counts(tx, effect)
        case do.PutBoost():
            await _put_boost(writer, effect)
        case do.VoidBoost(n=n):
            await mark_gone(tx, n, "void")
        case do.WithdrawPlace(n=n):
            await mark_gone(tx, n, "author")
        case do.DeletePost():
            await _delete_post(writer, effect.status)
            await statuses.put_tombstone(tx, effect.uri, effect.actor, now_ms)
        case do.PutTombstone(uri=uri, actor=actor):
            await statuses.put_tombstone(tx, uri, actor, now_ms)
        case do.DeleteAccount():
            return await _delete_account(writer, effect)
        case do.PutFollow(follower=follower, target=target, state=state, uri=uri):
            await relations.put_follow(tx, follower=follower, target=target, state=state, uri=uri, now_ms=now_ms)
        case do.AcceptFollow(follower=follower, target=target):
            await relations.accept_follow(tx, follower, target)
        case do.DropFollow(follower=follower, target=target):
            await relations.drop_follow(tx, follower, target)
        case do.AnswerFollow():
            await _answer_follow(world, effect)
        case do.MoveFollowers():
            await _move_followers(world, effect)
        case do.PutFavourite(account=account, status=status, uri=uri):
            await interactions.put_favourite(tx, account, status, uri=uri, now_ms=now_ms)
        case do.DropFavourite(account=account, status=status):
            await interactions.drop_favourite(tx, account, status)
        case do.PutReaction(account=account, status=status, emoji=emoji, emoji_url=url, uri=uri):
            await interactions.put_reaction(tx, account, status, emoji, emoji_url=url, uri=uri, now_ms=now_ms)
        case do.DropReaction(account=account, status=status, emoji=emoji):
            await interactions.drop_reaction(tx, account, status, emoji)
        case do.Vote(poll=poll, account=account, choices=choices, uri=uri):
            if await polls.vote(tx, poll, account, choices, now_ms=now_ms, uri=uri, adding=True) == "counted":
                await statuses.bump_version(tx, poll)
        case do.PutBlock(account=account, target=target, uri=uri):
            await relations.put_block(tx, account, target, uri=uri, now_ms=now_ms)
        case do.DropBlock(account=account, target=target):
            await relations.drop_block(tx, account, target)
        case do.PutReport():
            await reports.put_report(
                tx,
                uri=effect.uri,
                account=effect.account,
                target=effect.target,
                statuses=effect.statuses,
                comment=effect.comment,
                now_ms=now_ms,
                due_at=now_ms + REPORT_DUE_MS,
            )
        case do.PutPin(account=account, status=status):
            await interactions.put_pin(tx, account, status, now_ms)
        case do.DropPin(account=account, status=status):
            await interactions.drop_pin(tx, account, status)
        case do.UpdateActor(document=document, domain=domain):
            resolved = ResolvedActor(document=document, domain=domain, verified=False)
            await put_actor(tx, resolved, ids=world.ids, now_ms=now_ms)
        case do.MarkMoved(account=account, moved_to=moved_to):
            await accounts.mark_moved(tx, account, moved_to, now_ms)
        case do.SetQuote():
            await _set_quote(writer, effect)
        case do.AnswerQuote():
            await _answer_quote(writer, effect)
        case do.SetRelay(follow_uri=follow_uri, state=state, actor=actor):
            await relays.set_state(tx, follow_uri, state, actor=actor)
        case do.Notify(account=account, kind=kind, actor=actor, status=status):
            await _notify(writer, effect)
        case do.Unnotify(account=account, kind=kind, actor=actor, status=status):
            await notifications.drop_act(tx, account=account, kind=kind, actor=actor, status=status)
        case do.Forward():
            await _forward(writer, effect)
        case do.Enqueue(kind=kind, payload=payload, dedup=dedup, lane=lane, priority=priority):
            await jobs.enqueue(tx, kind, payload, dedup=dedup, lane=lane, priority=priority, now_ms=now_ms)
        case never:
            assert_never(never)
    return True


def _tell(writer: Writer, event: Event) -> None:
    writer.world.tx.after_commit(partial(writer.publish, event))


async def _notify(writer: Writer, effect: do.Notify) -> None:
    stored = await notifications.put_notification(
        writer.world.tx,
        account=effect.account,
        kind=effect.kind,
        actor=effect.actor,
        status=effect.status,
        now_ms=writer.world.now_ms,
    )
    if stored is not None:
        _tell(writer, Event(kind="notification", account=effect.account, notification=stored.id))


# Posts ------------------------------------------------------------------------------------------------------


async def put_post(world: World, put: do.PutPost) -> None:
    """A new status with everything that hangs on it; its slots may be served from now on."""
    rows = rows_of(
        put.post,
        n=put.n,
        author=put.author,
        parent=put.parent,
        addressees=put.addressees,
        quote=put.quote,
        now_ms=world.now_ms,
        new_media_id=world.ids.next,
    )
    if not await statuses.put_status(world.tx, rows.status, rows.addressed, is_awaited=put.is_awaited):
        return
    if rows.media:
        await media.put_media(world.tx, *rows.media)
    if rows.poll is not None:
        await polls.put_poll(world.tx, rows.poll)
    if put.post.likes is not None or put.post.shares is not None:
        await statuses.set_totals(
            world.tx,
            put.n,
            reblogs=put.post.shares.total_items if put.post.shares else None,
            favourites=put.post.likes.total_items if put.post.likes else None,
        )
    await mark_ready(world.tx, put.n, world.now_ms)


async def _edit_post(writer: Writer, edit: do.EditPost) -> None:
    world = writer.world
    before = await statuses.find_status(world.tx, edit.status)
    assert before is not None
    rows = rows_of(
        edit.post,
        n=edit.status,
        author=edit.author,
        parent=None,
        addressees=edit.addressees,
        quote=edit.quote,
        now_ms=world.now_ms,
        new_media_id=world.ids.next,
    )
    await statuses.update_status(world.tx, _edited(before, rows))
    await media.drop_of_status(world.tx, edit.status)
    if rows.media:
        await media.put_media(world.tx, *rows.media)
    if rows.poll is not None:
        await polls.update_poll(world.tx, rows.poll)
    await statuses.put_addressed(world.tx, edit.status, rows.addressed)
    _tell(writer, Event(kind="status.update", status=edit.status, author=edit.author.id))


def _edited(before: Status, rows: NewPost) -> Status:
    """The new words in the old place: identity, audience, thread and date stay."""
    kept = {
        name: getattr(before, name)
        for name in (
            "id", "uri", "account", "local", "visibility", "in_reply_to", "in_reply_to_uri", "in_reply_to_account",
            "thread", "conversation_uri", "reblog_of", "application", "created_at", "deleted_at", "version",
        )
    }  # fmt: skip
    fresh = {name: getattr(rows.status, name) for name in Status.__dataclass_fields__ if name not in kept}
    return Status(**kept, **fresh)


async def _set_counts(tx: Tx, counts: do.SetCounts) -> None:
    if counts.votes is not None:
        await polls.set_tallies(
            tx, counts.status, counts.votes, voters=counts.voters, closed_at=counts.closed_at
        )  # fmt: skip
    if counts.reblogs is not None or counts.favourites is not None:
        await statuses.set_totals(tx, counts.status, reblogs=counts.reblogs, favourites=counts.favourites)
    await statuses.bump_version(tx, counts.status)


async def _put_boost(writer: Writer, boost: do.PutBoost) -> None:
    world = writer.world
    status = Status(
        id=boost.n,
        uri=Uri(boost.uri),
        account=boost.account.id,
        local=False,
        kind="Announce",
        visibility=boost.visibility,
        thread=boost.n,
        reblog_of=boost.boosted.id,
        created_at=min(boost.published_at or world.now_ms, world.now_ms),
        fetched_at=world.now_ms,
    )
    await statuses.put_status(world.tx, status)
    await mark_ready(world.tx, boost.n, world.now_ms)
    _tell(writer, Event(kind="update", status=boost.n, author=boost.account.id))


async def _delete_post(writer: Writer, status: StatusId) -> None:
    tx, now_ms = writer.world.tx, writer.world.now_ms
    before = await statuses.find_status(tx, status)
    boosts = await statuses.mark_deleted(tx, status, now_ms)
    if boosts is None or before is None:
        return
    await media.drop_of_status(tx, status)
    for n in (status, *boosts):
        await mark_gone(tx, n, "author")
    _tell(writer, Event(kind="delete", status=status, author=before.account))


async def _delete_account(writer: Writer, effect: do.DeleteAccount) -> bool:
    """Bounded work per unit, so that other writers get their turn."""
    tx, now_ms = writer.world.tx, writer.world.now_ms
    some = await statuses.list_ids_of(tx, effect.account, limit=DELETED_AT_ONCE)
    for status in some:
        await _delete_post(writer, status)
    if len(some) == DELETED_AT_ONCE:
        return False
    await relations.drop_relations(tx, effect.account)
    await keys.drop_keys(tx, effect.account)
    await accounts.mark_gone(tx, effect.account, now_ms)
    return True


# Answers ----------------------------------------------------------------------------------------------------


async def _answer_follow(world: World, answer: do.AnswerFollow) -> None:
    people = await accounts.find_many(world.tx, [answer.target, answer.follower])
    ours, theirs = people[answer.target], people[answer.follower]
    uri = _activity_uri(world, ours)
    document = render_answer(
        kind=answer.kind, uri=uri, actor=ours.uri, follow_uri=answer.follow_uri, follower=theirs.uri
    )
    await deliveries.send(
        world.tx,
        activity_uri=uri,
        kind=answer.kind,
        account=ours.id,
        body=finish(document),
        destinations=[Destination(inbox=theirs.inbox)],
        now_ms=world.now_ms,
        priority=jobs.HIGH,
        unsealed="proof",
    )


async def _move_followers(world: World, move: do.MoveFollowers) -> None:
    new = await accounts.find_account(world.tx, move.new)
    old = await accounts.find_account(world.tx, move.old)
    assert new is not None
    assert old is not None
    followers = await relations.list_local_followers(world.tx, move.old)
    people = await accounts.find_many(world.tx, followers)
    for follower in (people[one] for one in followers if one in people and one != move.new):
        await _follow_instead(world, follower, old, new)
        await notifications.put_notification(
            world.tx, account=follower.id, kind="move", actor=move.old, now_ms=world.now_ms
        )  # fmt: skip


async def _follow_instead(world: World, follower: Account, old: Account, new: Account) -> None:
    before = await relations.drop_follow(world.tx, follower.id, old.id)
    already = await relations.find_follow(world.tx, follower.id, new.id)
    if before is not None:
        follow = render_follow(uri=before.uri or _activity_uri(world, follower), actor=follower.uri, target=old.uri)
        undo = render_undo(uri=_activity_uri(world, follower), activity=follow)
        await _send(world, follower, old, "Undo", undo)
    if already is None and not await _is_between_them(world.tx, follower, new):
        uri = _activity_uri(world, follower)
        at_once = new.local and not new.locked  # among ourselves nobody is asked by mail
        await relations.put_follow(
            world.tx,
            follower=follower.id,
            target=new.id,
            state="accepted" if at_once else "requested",
            uri=uri,
            now_ms=world.now_ms,
            reblogs=before.reblogs if before else True,
            notify=before.notify if before else False,
            languages=before.languages if before else None,
        )
        if new.local:
            kind: NotificationKind = "follow" if at_once else "follow_request"
            await notifications.put_notification(
                world.tx, account=new.id, kind=kind, actor=follower.id, now_ms=world.now_ms
            )  # fmt: skip
        else:
            await _send(world, follower, new, "Follow", render_follow(uri=uri, actor=follower.uri, target=new.uri))


async def _is_between_them(tx: Tx, one: Account, other: Account) -> bool:
    """A block, by either: a move must not lead around it."""
    return (
        await relations.find_block(tx, one.id, other.id) is not None
        or await relations.find_block(tx, other.id, one.id) is not None
    )


async def _send(world: World, sender: Account, receiver: Account, kind: str, document: dict[str, object]) -> None:
    await deliveries.send(
        world.tx,
        activity_uri=str(document["id"]),
        kind=kind,
        account=sender.id,
        body=finish(document),
        destinations=[Destination(inbox=receiver.inbox)],
        now_ms=world.now_ms,
        priority=jobs.HIGH,
        unsealed="proof",
    )


def _activity_uri(world: World, sender: Account) -> str:
    if sender.uri == world.uris.instance_actor:
        return world.uris.instance_activity(random_token())
    return world.uris.activity(sender.username, random_token())


async def _forward(writer: Writer, forward: do.Forward) -> None:
    """Original bytes, low priority, not back to where they came from."""
    inboxes = await relations.list_follower_inboxes(writer.world.tx, forward.account)
    others = [
        Destination(inbox=one.inbox, recipients=one.recipients) for one in inboxes if one.host != forward.sender_host
    ]
    if not others or len(others) > MAX_FORWARDED:
        return
    await deliveries.send(
        writer.world.tx,
        activity_uri=writer.activity,
        kind="Forward",
        account=forward.account,
        body=writer.body,
        destinations=others,
        now_ms=writer.world.now_ms,
        priority=jobs.LOW,
    )


# Quotes -----------------------------------------------------------------------------------------------------


async def _set_quote(writer: Writer, effect: do.SetQuote) -> None:
    world = writer.world
    status = await statuses.find_status(world.tx, effect.status)
    if status is None or not await statuses.set_quote_state(world.tx, status, effect.state, effect.authorization):
        return
    _tell(writer, Event(kind="status.update", status=status.id, author=status.account))
    if effect.republish and writer.republish is not None:
        await writer.republish(world.tx, status.id, world.now_ms)


async def _answer_quote(writer: Writer, answer: do.AnswerQuote) -> None:
    world = writer.world
    author = await accounts.find_account(world.tx, answer.author)
    asker = await accounts.find_account(world.tx, answer.asker.id)
    assert author is not None
    assert asker is not None
    stamp_uri = None
    if answer.granted:
        stamp = await quotes.put_stamp(
            world.tx,
            QuoteStamp(
                id=random_token(),
                status=answer.status,
                object=answer.quote,
                actor=asker.id,
                created_at=world.now_ms,
            ),
        )
        if stamp.revoked_at is None:
            stamp_uri = world.uris.quote_authorization(author.username, stamp.id)
            await _accept_stored_quote(writer, answer, stamp_uri)
    uri = _activity_uri(world, author)
    document = render_quote_answer(
        kind="Accept" if stamp_uri else "Reject",
        uri=uri,
        actor=author.uri,
        request=answer.request,
        to=asker.uri,
        stamp_uri=stamp_uri,
    )
    await _send(world, author, asker, "Accept" if stamp_uri else "Reject", document)


async def _accept_stored_quote(writer: Writer, answer: do.AnswerQuote, stamp_uri: str) -> None:
    """The quote came before the request."""
    brief = await briefs.find_status(writer.world.tx, answer.quote)
    if brief is None or brief.account != answer.asker.id:
        return
    await _set_quote(writer, do.SetQuote(status=brief.id, state="accepted", authorization=stamp_uri))
    await _notify(writer, do.Notify(account=answer.author, kind="quote", actor=brief.account, status=brief.id))
