"""Writing posts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from fedi.activitypub.addressing import address
from fedi.activitypub.render import finish_create, render_bytes
from fedi.activitypub.render_post import PostView, render_post
from fedi.errors import ClientFault
from fedi.ids import AccountId, StatusId
from fedi.model.accounts import Account
from fedi.model.media import Media
from fedi.model.polls import Poll
from fedi.model.statuses import Addressed, Status
from fedi.outbox.acts import HIGH, NORMAL, NumberTaken, is_forwardable
from fedi.outbox.address import list_destinations
from fedi.outbox.changes import ChangeActs, enqueue_poll_end, goes_to_relays, new_poll
from fedi.outbox.compose import Words, check_form, check_media, find_emojis, read_words
from fedi.outbox.draft import Draft
from fedi.outbox.quotes import Quoted, ask_to_quote, find_quoted, tell_quoted
from fedi.outbox.relays import announce_to_relays
from fedi.policies.base import Snapshot, Verdict
from fedi.store import accounts, idempotency, media, polls, relations, statuses
from fedi.store.database import Tx
from fedi.streaming.hub import Event

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parent:
    """What a post answers, and by whom it is."""

    status: Status
    author: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the rows say about a draft."""

    author: Account
    words: Words
    media: tuple[Media, ...]
    parent: _Parent | None
    quoted: Quoted | None
    now_ms: int


class PostActs(ChangeActs):
    """Acts on one's own posts."""

    async def post(self, account: AccountId, draft: Draft) -> StatusId:
        """Publishes a post and returns its id; with a repeated idempotency key the id of the first.

        Raises :class:`ClientFault` with a sentence that says what to change.
        """
        check_form(draft, self.tools.posts)
        people = await self.composer.find_people(draft.text)
        now_ms = self.now()
        self._ask_policies(draft, now_ms)

        async def act(tx: Tx, number: StatusId) -> StatusId:
            author = await self.actor(tx, account, now_ms)
            if draft.idempotency_key is not None:
                before = await idempotency.find_status(tx, account, draft.idempotency_key, now_ms=now_ms)
                if before is not None:
                    return before
                if not await idempotency.put_status(tx, account, draft.idempotency_key, number, now_ms=now_ms):
                    raise NumberTaken(number)  # the same request in another process was faster: look again
            words = await read_words(tx, draft.text, people, self.uris)
            facts = _Facts(
                author=author,
                words=replace(words, emojis=await find_emojis(tx, draft.text, draft.spoiler)),
                media=await check_media(tx, draft.media, account),
                parent=await self._parent(tx, draft.in_reply_to, author),
                quoted=await find_quoted(self, tx, draft, author),
                now_ms=now_ms,
            )
            status = self._status(number, draft, facts)
            poll = new_poll(number, draft.poll, now_ms) if draft.poll is not None else None
            view = self._view(status, facts, poll)
            await self.place(tx, status, author, render_bytes(render_post(view, self.uris, now_ms)))
            await self._write(tx, status, facts.media, poll)
            await self._tell_people(tx, status, facts)
            await self._send_create(tx, view, facts)
            self.publish(tx, Event(kind="update", status=number, author=account))
            return number

        return await self.numbered("post", act)

    def _ask_policies(self, draft: Draft, now_ms: int) -> None:
        wanted = self.tools.policies.wanted("outgoing")
        offered = {
            "text": draft.text,
            "spoiler": draft.spoiler,
            "language": draft.language,
            "visibility": draft.visibility,
            "is_reply": draft.in_reply_to is not None,
        }
        snapshot = Snapshot(
            hook="outgoing",
            activity="Create",
            now_ms=now_ms,
            capabilities={name: value for name, value in offered.items() if name in wanted},
        )
        judgement = self.tools.policies.judge(snapshot)
        if judgement.verdict > Verdict.ALLOW and judgement.strictest is not None:
            # A proposal restricts nothing until it is a decision, and there is no log of decisions on posts yet.
            log.info("policy-proposal", policy=judgement.strictest.policy, verdict=judgement.verdict.name.lower())

    async def _parent(self, tx: Tx, in_reply_to: StatusId | None, author: Account) -> _Parent | None:
        if in_reply_to is None:
            return None
        try:
            status = await self.seen(tx, in_reply_to, author.id)
        except ClientFault as fault:
            raise ClientFault("no-parent", "The post you answer is no longer there.", status=404) from fault
        await self.refuse_blocked(tx, author.id, status.account)
        by = await accounts.find_account(tx, status.account)
        assert by is not None
        return _Parent(status=status, author=by)

    def _status(self, number: StatusId, draft: Draft, facts: _Facts) -> Status:
        author, words, parent, quoted, now_ms = facts.author, facts.words, facts.parent, facts.quoted, facts.now_ms
        name = author.username
        kind = "Question" if draft.poll is not None else "Article" if draft.title else "Note"
        return Status(
            id=number,
            uri=self.uris.status(name, number),
            account=author.id,
            local=True,
            kind=kind,
            visibility=draft.visibility,
            title=draft.title,
            content=words.content,
            source=draft.text,
            spoiler=draft.spoiler,
            sensitive=draft.sensitive or bool(draft.spoiler),
            language=draft.language,
            url=self.uris.status_page(name, number),
            in_reply_to=parent.status.id if parent else None,
            in_reply_to_uri=parent.status.uri if parent else None,
            in_reply_to_account=parent.status.account if parent else None,
            thread=parent.status.thread if parent else number,
            conversation_uri=self._conversation(number, parent),
            quote_uri=quoted.status.uri if quoted else None,
            quote_of=quoted.status.id if quoted else None,
            quote_state=quoted.state if quoted else None,
            quote_authorization=self._stamp(number, quoted),
            quote_policy=draft.quote_policy,
            mentions=words.mentions,
            tags=words.tags,
            emojis=words.emojis,
            has_media=bool(draft.media),
            poll=number if draft.poll is not None else None,
            application=draft.application,
            created_at=now_ms,
            replies_uri=self.uris.replies(name, number),
        )

    def _conversation(self, number: StatusId, parent: _Parent | None) -> str | None:
        """Ours, when the root is ours; else as the others name it."""
        if parent is None:
            return self.uris.context(number)
        if parent.status.conversation_uri is None and parent.status.local:
            return self.uris.context(parent.status.thread)
        return parent.status.conversation_uri

    def _stamp(self, number: StatusId, quoted: Quoted | None) -> str | None:
        """Given at once where the quoted author is here and lets everybody; one's own posts need none."""
        if quoted is None or quoted.state != "accepted" or not quoted.needs_stamp:
            return None
        return self.uris.quote_authorization(quoted.author.username, number)

    def _view(self, status: Status, facts: _Facts, poll: Poll | None) -> PostView:
        author = facts.author
        return PostView(
            status=status,
            author=author,
            audience=address(
                status.visibility,
                followers=author.followers_uri or "",
                people=[mention.uri for mention in status.mentions if mention.id != author.id],
            ),
            media=facts.media,
            poll=poll,
            media_base=self.tools.media_base,
        )

    async def _write(self, tx: Tx, status: Status, attached: Sequence[Media], poll: Poll | None) -> None:
        await statuses.put_status(tx, status, [Addressed(account=mention.id) for mention in status.mentions])
        if attached and not await media.attach(tx, status.id, status.account, [one.id for one in attached]):
            raise ClientFault("media-in-use", "An attached file belongs to another post; upload it again.")
        if poll is not None:
            await polls.put_poll(tx, poll)
            await enqueue_poll_end(tx, poll, now_ms=status.created_at)

    async def _tell_people(self, tx: Tx, status: Status, facts: _Facts) -> None:
        by, now_ms = facts.author.id, facts.now_ms
        named = {mention.id for mention in status.mentions}
        for mention in status.mentions:
            if "@" not in mention.acct:
                await self.notify(tx, account=mention.id, kind="mention", by=by, status=status.id, now_ms=now_ms)
        await tell_quoted(self, tx, status, facts.quoted, now_ms)
        if status.visibility != "direct" and facts.parent is None:
            for follower in await relations.list_local_followers(tx, by, notified=True):
                if follower not in named:
                    await self.notify(tx, account=follower, kind="status", by=by, status=status.id, now_ms=now_ms)

    async def _send_create(self, tx: Tx, view: PostView, facts: _Facts) -> None:
        parent, quoted, now_ms = facts.parent, facts.quoted, facts.now_ms
        status, author = view.status, view.author
        people = [mention.id for mention in status.mentions]
        if parent is not None and view.audience.is_distributed:
            people.append(parent.author.id)  # who is answered hears of it, also when not named
        with_relays = await goes_to_relays(tx, status)
        to = await list_destinations(
            tx,
            author=author.id,
            visibility=status.visibility,
            people=people,
            refusals=self.tools.refusals,
            now_ms=now_ms,
            with_relays=with_relays,
        )
        if to:
            uri = self.uris.status_activity(author.username, status.id)
            forwardable = is_forwardable(status, view.audience) or with_relays
            await self.send(
                tx,
                {"id": uri, "type": "Create"},
                body=finish_create(view, self.uris, now_ms, uri=uri, for_signature=forwardable),
                by=author,
                to=to,
                now_ms=now_ms,
                status=status.id,
                priority=HIGH if status.visibility == "direct" else NORMAL,
                forwardable=forwardable,
            )
        if with_relays:
            await announce_to_relays(self, tx, status, now_ms)
        if quoted is not None and quoted.state == "pending":
            await ask_to_quote(self, tx, view, quoted, now_ms)
