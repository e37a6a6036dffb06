"""Editing and deleting posts, and telling everybody who has them."""

from collections.abc import Sequence
from dataclasses import replace

from fedi.activitypub.addressing import address
from fedi.activitypub.render import finish_update
from fedi.activitypub.render_activities import render_delete
from fedi.errors import ClientFault
from fedi.ids import AccountId, MediaId, StatusId
from fedi.ledger.slots import mark_gone
from fedi.model.accounts import Account
from fedi.model.polls import Poll, PollOption
from fedi.model.relations import FollowerInbox
from fedi.model.statuses import Addressed, Status
from fedi.outbox.acts import HIGH, Acts, is_forwardable
from fedi.outbox.address import list_destinations, to_destinations
from fedi.outbox.compose import Composer, Words, check_form, check_media, find_emojis, read_words
from fedi.outbox.draft import EditDraft, MediaDraft, PollDraft
from fedi.outbox.tools import Tools
from fedi.outbox.views import view_of
from fedi.store import accounts, deliveries, interactions, jobs, media, polls, relays, statuses
from fedi.store.database import Tx
from fedi.store.deliveries import Destination
from fedi.store.paging import Window
from fedi.streaming.hub import Event

POLL_END = "poll-end"  # a task of the job kind ``maintenance``
MOST_BOOSTERS = 500  # told of an edit


class ChangeActs(Acts):
    """Acts on posts that are there already."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.composer = Composer(db=tools.db, uris=tools.uris, people=tools.people)

    async def edit(self, account: AccountId, status_id: StatusId, draft: EditDraft) -> StatusId:
        """Rewrites a post. The version before stays in its history. Raises :class:`ClientFault`."""
        check_form(draft, self.tools.posts)
        people = await self.composer.find_people(draft.text)
        now_ms = self.now()

        async def act(tx: Tx) -> StatusId:
            author = await self.actor(tx, account, now_ms)
            before = await self.own(tx, status_id, account)
            if before.is_reblog:
                raise ClientFault("not-editable", "A boost cannot be edited.")
            words = await read_words(tx, draft.text, people, self.uris)
            words = replace(words, emojis=await find_emojis(tx, draft.text, draft.spoiler))
            await self._check_edit_media(tx, draft, before)
            after = await statuses.update_status(tx, _edited(before, draft, words, now_ms))
            assert after is not None
            await self._apply_edit(tx, after, draft, now_ms)
            known = {one.account for one in await statuses.list_addressed(tx, status_id)}
            await statuses.put_addressed(tx, status_id, [Addressed(account=one.id) for one in words.mentions])
            await self._tell_edit(tx, after, known, now_ms)
            await self.send_update(tx, after, author, now_ms)
            self.publish(tx, Event(kind="status.update", status=status_id, author=account))
            return status_id

        return await self.db.write("edit", act)

    async def _check_edit_media(self, tx: Tx, draft: EditDraft, before: Status) -> None:
        if (before.poll is not None) != (draft.poll is not None) and draft.media and draft.poll is not None:
            raise ClientFault("poll-with-media", "A post has either a poll or attached files.")
        await check_media(tx, draft.media, before.account)

    async def _apply_edit(self, tx: Tx, after: Status, draft: EditDraft, now_ms: int) -> None:
        if not await media.attach(tx, after.id, after.account, draft.media):
            raise ClientFault("media-in-use", "An attached file belongs to another post; upload it again.")
        for change in draft.media_changes:
            await _describe(tx, change, draft.media)
        if draft.poll is not None:
            poll = new_poll(after.id, draft.poll, now_ms)
            before = await polls.find_poll(tx, after.id)
            if before is not None and _titles(before) == _titles(poll) and before.multiple == poll.multiple:
                poll = replace(poll, options=before.options, voters=before.voters)
            await polls.update_poll(tx, poll)
            await enqueue_poll_end(tx, poll, now_ms=now_ms)
        elif await polls.find_poll(tx, after.id) is not None:
            await polls.drop_poll(tx, after.id)

    async def _tell_edit(self, tx: Tx, after: Status, known: set[AccountId], now_ms: int) -> None:
        for mention in after.mentions:
            if "@" not in mention.acct and mention.id not in known:
                await self.notify(
                    tx, account=mention.id, kind="mention", by=after.account, status=after.id, now_ms=now_ms
                )
        for _, booster in await interactions.list_reblogged_by(tx, after.id, Window(limit=MOST_BOOSTERS)):
            await self.notify(tx, account=booster.id, kind="update", by=after.account, status=after.id, now_ms=now_ms)

    async def send_update(self, tx: Tx, status: Status, author: Account, now_ms: int) -> None:
        """Tells everybody who has a post of ours how it is now: after an edit, a vote, or the answer to a quote.

        Inside the caller's transaction: the inbox uses it too.
        """
        view = await view_of(tx, status, author, self.tools.media_base)
        to = await self._everybody_with(tx, status, with_relays=True, now_ms=now_ms)
        if not to:
            return
        uri = self.new_uri(author)
        forwardable = is_forwardable(status, view.audience) or await goes_to_relays(tx, status)
        await self.send(
            tx,
            {"id": uri, "type": "Update"},
            body=finish_update(view, self.uris, now_ms, uri=uri, for_signature=forwardable),
            by=author,
            to=to,
            now_ms=now_ms,
            status=status.id,
            forwardable=forwardable,
        )

    async def _everybody_with(
        self, tx: Tx, status: Status, *, now_ms: int, with_relays: bool = False
    ) -> list[Destination]:
        """Followers, whoever it is addressed to, and wherever it went before."""
        addressed = [one.account for one in await statuses.list_addressed(tx, status.id)]
        refusals = self.tools.refusals
        to = await list_destinations(
            tx,
            author=status.account,
            visibility=status.visibility,
            people=addressed,
            refusals=refusals,
            now_ms=now_ms,
            with_relays=with_relays,
        )
        known = {one.inbox for one in to}
        earlier = [
            FollowerInbox(inbox=inbox, host="", recipients=1)
            for inbox in await deliveries.list_inboxes_of(tx, status.id)
            if inbox not in known
        ]
        return to + to_destinations(earlier, refusals, now_ms)

    # Deleting -----------------------------------------------------------------------------------------------

    async def delete(self, account: AccountId, status_id: StatusId) -> None:
        """Deletes a post of one's own; its files become loose, so that a new draft may use them again for a day."""
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            author = await self.actor(tx, account, now_ms)
            status = await self.own(tx, status_id, account)
            if status.is_reblog:
                raise ClientFault("is-a-boost", "This is a boost; take the boost back instead.")
            await self.remove(tx, status, author, now_ms)

        await self.db.write("delete a post", act)

    async def remove(self, tx: Tx, status: Status, author: Account, now_ms: int, *, tell: bool = True) -> None:
        """``tell=False``: the account goes as a whole, and one message says so."""
        to = await self._everybody_with(tx, status, now_ms=now_ms, with_relays=True) if tell else []
        addressed = await statuses.list_addressed(tx, status.id)
        people = await accounts.find_many(tx, [one.account for one in addressed])
        reblogs = await statuses.mark_deleted(tx, status.id, now_ms)
        await media.loosen(tx, status.id, now_ms)
        await mark_gone(tx, status.id, "author")
        for reblog in reblogs or ():
            await mark_gone(tx, reblog, "author")
            self.publish(tx, Event(kind="delete", status=reblog, author=author.id))
        await statuses.put_tombstone(tx, status.uri, author.uri, now_ms)
        self.publish(tx, Event(kind="delete", status=status.id, author=author.id))
        if not to:
            return
        audience = address(
            status.visibility,
            followers=author.followers_uri or "",
            people=[one.uri for one in people.values() if one.id != author.id],
        )
        document = render_delete(uri=f"{status.uri}#delete", actor=author.uri, object_uri=status.uri, audience=audience)
        await self.send(
            tx,
            document,
            by=author,
            to=to,
            now_ms=now_ms,
            status=status.id,
            priority=HIGH,
            forwardable=is_forwardable(status, audience) or await goes_to_relays(tx, status),
        )


async def goes_to_relays(tx: Tx, status: Status) -> bool:
    return status.visibility == "public" and bool(await relays.list_accepted(tx))


def _edited(before: Status, draft: EditDraft, words: Words, now_ms: int) -> Status:
    kind = "Question" if draft.poll is not None else "Article" if draft.title else "Note"
    return replace(
        before,
        kind=kind,
        title=draft.title,
        content=words.content,
        source=draft.text,
        spoiler=draft.spoiler,
        sensitive=draft.sensitive or bool(draft.spoiler),
        language=draft.language or before.language,
        quote_policy=draft.quote_policy or before.quote_policy,
        mentions=words.mentions,
        tags=words.tags,
        emojis=words.emojis,
        has_media=bool(draft.media),
        poll=before.id if draft.poll is not None else None,
        edited_at=max(now_ms, (before.edited_at or before.created_at) + 1000),  # strictly later, in whole seconds
    )


async def _describe(tx: Tx, change: MediaDraft, kept: Sequence[MediaId]) -> None:
    if change.id not in kept:
        return
    found = await media.find_media(tx, change.id)
    if found is None:
        return
    x, y = change.focus if change.focus is not None else (found.focus_x, found.focus_y)
    description = found.description if change.description is None else change.description
    await media.describe(tx, change.id, description, focus_x=x, focus_y=y)


def new_poll(number: StatusId, draft: PollDraft, now_ms: int) -> Poll:
    return Poll(
        id=number,
        multiple=draft.multiple,
        expires_at=now_ms + draft.expires_in_s * 1000,
        voters=0,
        options=tuple(PollOption(title=option.strip()) for option in draft.options),
    )


def _titles(poll: Poll) -> tuple[str, ...]:
    return tuple(option.title for option in poll.options)


async def enqueue_poll_end(tx: Tx, poll: Poll, *, now_ms: int) -> None:
    """Its voters and its author are told when it ends."""
    if poll.expires_at is None:
        return
    await jobs.enqueue(
        tx,
        "maintenance",
        {"task": POLL_END, "poll": poll.id},
        dedup=f"{POLL_END}:{poll.id}:{poll.expires_at}",
        run_at=poll.expires_at,
        now_ms=now_ms,
    )
