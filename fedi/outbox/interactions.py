"""Boosting, liking, reacting to, voting on and pinning posts."""

import re
import unicodedata
from collections.abc import Sequence

from fedi.activitypub import render_activities as activities
from fedi.activitypub.addressing import address
from fedi.activitypub.render import render_bytes
from fedi.activitypub.render_post import render_emoji, render_vote
from fedi.errors import ClientFault
from fedi.ids import AccountId, StatusId
from fedi.ledger.slots import mark_gone
from fedi.model.accounts import Account
from fedi.model.emojis import EmojiRef
from fedi.model.polls import VoteOutcome
from fedi.model.statuses import REBLOG, Status, Visibility
from fedi.outbox.acts import HIGH, Acts
from fedi.outbox.address import list_destinations
from fedi.store import emojis, interactions, jobs, notifications, polls, statuses
from fedi.store.database import Tx
from fedi.streaming.hub import Event

POLL_UPDATE = "poll-update"  # a task of the job kind ``maintenance``
TALLY_WAIT_MS = 60_000  # votes come in bursts: everybody hears of them at most once a minute
MAX_EMOJI_CHARS = 16  # a flag or a family is one grapheme of many code points

_CODE = re.compile(r":([A-Za-z0-9_]{1,64}):")


class InteractionActs(Acts):
    """Acts on posts of others, and on one's own as a reader would."""

    # Boosts -------------------------------------------------------------------------------------------------

    async def reblog(self, account: AccountId, status_id: StatusId, visibility: Visibility | None = None) -> StatusId:
        """Boosts a post and returns the id of the boost; twice is once. Raises :class:`ClientFault`."""
        now_ms = self.now()

        async def act(tx: Tx, number: StatusId) -> StatusId:
            booster = await self.actor(tx, account, now_ms)
            target = await self.seen(tx, status_id, account)
            shown = _reblog_visibility(target, booster, visibility)
            await self.refuse_blocked(tx, account, target.account)
            before = await interactions.find_reblog(tx, account, target.id)
            if before is not None:
                return before.id
            author = await self.other(tx, target.account)
            boost = self._boost(number, booster, target, shown, now_ms)
            document = self._announce(boost, booster, target, author)
            await self.place(tx, boost, booster, render_bytes(document), boost_of=target.uri)
            await statuses.put_status(tx, boost)
            await self.notify(tx, account=author.id, kind="reblog", by=account, status=target.id, now_ms=now_ms)
            to = await list_destinations(
                tx,
                author=account,
                visibility=shown,
                people=[author.id],
                refusals=self.tools.refusals,
                now_ms=now_ms,
            )
            await self.send(tx, document, by=booster, to=to, now_ms=now_ms, status=boost.id)
            self.publish(tx, Event(kind="update", status=number, author=account))
            return number

        return await self.numbered("boost", act)

    async def unreblog(self, account: AccountId, status_id: StatusId) -> None:
        """Takes a boost back, by the id of the boosted post or of the boost. Nothing to take back is fine."""
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            booster = await self.actor(tx, account, now_ms)
            found = await statuses.find_status(tx, status_id)
            target_id = found.reblog_of if found is not None and found.reblog_of is not None else status_id
            boost = await interactions.find_reblog(tx, account, target_id)
            target = await statuses.find_status(tx, target_id)
            if boost is None or target is None:
                return
            author = await self.other(tx, target.account)
            to = await list_destinations(
                tx,
                author=account,
                visibility=boost.visibility,
                people=[author.id],
                refusals=self.tools.refusals,
                now_ms=now_ms,
            )
            await statuses.mark_deleted(tx, boost.id, now_ms)
            await mark_gone(tx, boost.id, "author")
            await notifications.drop_act(tx, account=author.id, kind="reblog", actor=account, status=target.id)
            undo = activities.render_undo(
                uri=f"{boost.uri}#undo", activity=self._announce(boost, booster, target, author)
            )
            await self.send(tx, undo, by=booster, to=to, now_ms=now_ms, status=boost.id, priority=HIGH)
            self.publish(tx, Event(kind="delete", status=boost.id, author=account))

        await self.db.write("take a boost back", act)

    def _boost(self, number: StatusId, booster: Account, target: Status, visibility: Visibility, now_ms: int) -> Status:
        uri = self.uris.status_activity(booster.username, number)
        return Status(
            id=number,
            uri=uri,
            account=booster.id,
            local=True,
            kind=REBLOG,
            visibility=visibility,
            url=uri,
            thread=number,
            reblog_of=target.id,
            created_at=now_ms,
        )

    def _announce(self, boost: Status, booster: Account, target: Status, author: Account) -> activities.Document:
        return activities.render_announce(
            uri=boost.uri,
            actor=booster.uri,
            object_uri=target.uri,
            audience=address(boost.visibility, followers=booster.followers_uri or "", people=[author.uri]),
            published_ms=boost.created_at,
        )

    # Favourites and reactions -------------------------------------------------------------------------------

    async def favourite(self, account: AccountId, status_id: StatusId) -> None:
        """Likes a post; twice is once."""
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            liker = await self.actor(tx, account, now_ms)
            target = await self.seen(tx, status_id, account)
            await self.refuse_blocked(tx, account, target.account)
            uri = self.new_uri(liker)
            if not await interactions.put_favourite(tx, account, target.id, uri=uri, now_ms=now_ms):
                return
            author = await self.other(tx, target.account)
            await self.notify(tx, account=author.id, kind="favourite", by=account, status=target.id, now_ms=now_ms)
            like = activities.render_like(uri=uri, actor=liker.uri, object_uri=target.uri, to=author.uri)
            await self._to_author(tx, like, liker, author, now_ms)

        await self.db.write("favourite", act)

    async def unfavourite(self, account: AccountId, status_id: StatusId) -> None:
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            liker = await self.actor(tx, account, now_ms)
            target = await statuses.find_status(tx, status_id)
            dropped = await interactions.drop_favourite(tx, account, status_id)
            if dropped is None or target is None:
                return
            author = await self.other(tx, target.account)
            await notifications.drop_act(tx, account=author.id, kind="favourite", actor=account, status=target.id)
            uri = dropped.uri or self.new_uri(liker)
            like = activities.render_like(uri=uri, actor=liker.uri, object_uri=target.uri, to=author.uri)
            await self._to_author(tx, activities.render_undo(uri=f"{uri}#undo", activity=like), liker, author, now_ms)

        await self.db.write("take a favourite back", act)

    async def react(self, account: AccountId, status_id: StatusId, emoji: str) -> None:
        """``emoji`` is one grapheme, or ``:shortcode:`` of an emoji of ours. Raises :class:`ClientFault`."""
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            reader = await self.actor(tx, account, now_ms)
            target = await self.seen(tx, status_id, account)
            await self.refuse_blocked(tx, account, target.account)
            custom = await self._find_emoji(tx, emoji)
            uri = self.new_uri(reader)
            new = await interactions.put_reaction(
                tx, account, target.id, emoji, emoji_url=custom.url if custom else None, uri=uri, now_ms=now_ms
            )
            if not new:
                return
            author = await self.other(tx, target.account)
            await self.notify(tx, account=author.id, kind="reaction", by=account, status=target.id, now_ms=now_ms)
            document = self._reaction(uri, reader, target, author=author, emoji=emoji, custom=custom)
            await self._to_author(tx, document, reader, author, now_ms)
            self.publish(tx, Event(kind="status.update", status=target.id, author=author.id))

        await self.db.write("react", act)

    async def unreact(self, account: AccountId, status_id: StatusId, emoji: str) -> None:
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            reader = await self.actor(tx, account, now_ms)
            target = await statuses.find_status(tx, status_id)
            dropped = await interactions.drop_reaction(tx, account, status_id, emoji)
            if dropped is None or target is None:
                return
            author = await self.other(tx, target.account)
            await notifications.drop_act(tx, account=author.id, kind="reaction", actor=account, status=target.id)
            uri = dropped.uri or self.new_uri(reader)
            document = self._reaction(
                uri, reader, target, author=author, emoji=emoji, custom=await self._find_emoji(tx, emoji)
            )
            undo = activities.render_undo(uri=f"{uri}#undo", activity=document)
            await self._to_author(tx, undo, reader, author, now_ms)
            self.publish(tx, Event(kind="status.update", status=target.id, author=author.id))

        await self.db.write("take a reaction back", act)

    async def _find_emoji(self, tx: Tx, emoji: str) -> EmojiRef | None:
        if match := _CODE.fullmatch(emoji):
            found = await emojis.find_emoji(tx, match[1])
            if found is None:
                raise ClientFault("no-such-emoji", "There is no such emoji here.")
            return EmojiRef(shortcode=found.shortcode, url=found.url, static_url=found.static_url)
        if not is_one_emoji(emoji):
            raise ClientFault("not-an-emoji", "React with one emoji.")
        return None

    def _reaction(
        self, uri: str, reader: Account, target: Status, *, author: Account, emoji: str, custom: EmojiRef | None
    ) -> activities.Document:
        return activities.render_emoji_react(
            uri=uri,
            actor=reader.uri,
            object_uri=target.uri,
            to=author.uri,
            emoji=emoji,
            tag=render_emoji(custom, self.uris, self.tools.media_base) if custom else None,
        )

    async def _to_author(
        self, tx: Tx, document: activities.Document, by: Account, author: Account, now_ms: int
    ) -> None:
        to = await self.personal(tx, [author.id], now_ms)
        await self.send(tx, document, by=by, to=to, now_ms=now_ms)

    # Polls --------------------------------------------------------------------------------------------------

    async def vote(self, account: AccountId, poll_id: StatusId, choices: Sequence[int]) -> None:
        """All of ``choices`` (indexes of options) at once. Raises :class:`ClientFault`."""
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            voter = await self.actor(tx, account, now_ms)
            status = await self.seen(tx, poll_id, account)
            poll = await polls.find_poll(tx, status.id)
            if poll is None or status.account == account:
                raise ClientFault("not-votable", "You cannot vote on this.")
            outcome = await polls.vote(tx, poll.id, account, choices, now_ms=now_ms)
            if outcome != "counted":
                raise _vote_fault(outcome)
            author = await self.other(tx, status.account)
            if author.local:
                await enqueue_poll_update(tx, status.id, now_ms)
            else:
                for choice in sorted(set(choices)):
                    await self._send_vote(
                        tx, voter, author, status=status, choice=poll.options[choice].title, now_ms=now_ms
                    )
            self.publish(tx, Event(kind="status.update", status=status.id, author=author.id))

        await self.db.write("vote", act)

    async def _send_vote(
        self, tx: Tx, voter: Account, author: Account, *, status: Status, choice: str, now_ms: int
    ) -> None:
        uri = self.new_uri(voter)
        vote = render_vote(
            uri=f"{uri}#vote", voter=voter.uri, poll_uri=status.uri, poll_author=author.uri, choice=choice
        )
        await self._to_author(tx, activities.render_create(uri=uri, post=vote), voter, author, now_ms)

    # Pins ---------------------------------------------------------------------------------------------------

    async def pin(self, account: AccountId, status_id: StatusId) -> None:
        """Shows a post of one's own on top of the profile; at most five. Raises :class:`ClientFault`."""
        await self._pin(account, status_id, pinned=True)

    async def unpin(self, account: AccountId, status_id: StatusId) -> None:
        await self._pin(account, status_id, pinned=False)

    async def _pin(self, account: AccountId, status_id: StatusId, *, pinned: bool) -> None:
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            author = await self.actor(tx, account, now_ms)
            status = await self.own(tx, status_id, account)
            if pinned:
                if status.is_reblog or status.visibility == "direct":
                    raise ClientFault("not-pinnable", "Only your own posts to more than named people can be pinned.")
                outcome = await interactions.put_pin(tx, account, status.id, now_ms)
                if outcome == "too-many":
                    raise ClientFault("too-many-pins", "You have already pinned the maximum number of posts")
                if outcome == "already-pinned":
                    return
            elif not await interactions.drop_pin(tx, account, status.id):
                return
            if status.visibility == "private":
                return  # the collection on top of a profile is public
            document = activities.render_featured(
                kind="Add" if pinned else "Remove",
                uri=self.new_uri(author),
                actor=author.uri,
                object_uri=status.uri,
                featured=author.featured_uri or self.uris.featured(author.username),
                followers=author.followers_uri or "",
            )
            to = await list_destinations(
                tx, author=account, visibility="unlisted", refusals=self.tools.refusals, now_ms=now_ms
            )
            await self.send(tx, document, by=author, to=to, now_ms=now_ms)

        await self.db.write("pin" if pinned else "unpin", act)


def _reblog_visibility(target: Status, booster: Account, wanted: Visibility | None) -> Visibility:
    """Never wider than what is boosted; private posts only by their author, for the same followers."""
    if target.visibility == "direct" or (target.visibility == "private" and target.account != booster.id):
        raise ClientFault("not-boostable", "This action is not allowed", status=403)
    if target.visibility == "private":
        return "private"
    if wanted is None or wanted == "direct":
        return target.visibility
    order: tuple[Visibility, ...] = ("public", "unlisted", "private")
    return max(wanted, target.visibility, key=order.index)


def is_one_emoji(text: str) -> bool:
    """Whether it is one grapheme, and no letter."""
    if text.isascii() or len(text) > MAX_EMOJI_CHARS:
        return False
    kinds = [unicodedata.category(character) for character in text]
    if any(kind[0] in "LPZC" and kind not in {"Cf", "Lo"} for kind in kinds) or "Lo" in kinds:
        return False
    bases = [
        at
        for at, character in enumerate(text)
        if kinds[at][0] in "SN" and not 0x1F3FB <= ord(character) <= 0x1F3FF  # skin tones join
    ]
    flags = all(0x1F1E6 <= ord(text[at]) <= 0x1F1FF for at in bases)
    if flags:
        return len(bases) == 2
    joined = sum(text[at - 1] == "\u200d" for at in bases if at)
    return len(bases) - joined == 1


_VOTE_SENTENCES: dict[VoteOutcome, str] = {
    "closed": "The poll has already ended",
    "already-voted": "You have already voted on this poll",
    "no-such-option": "The poll has no such option",
    "one-choice-only": "Choose one option only",
    "no-choice": "Choose an option",
}


def _vote_fault(outcome: VoteOutcome) -> ClientFault:
    return ClientFault(f"vote-{outcome}", _VOTE_SENTENCES[outcome])


async def enqueue_poll_update(tx: Tx, status: StatusId, now_ms: int) -> None:
    """The votes on a poll of ours changed: everybody who has it hears of it soon. The inbox calls it too."""
    await jobs.enqueue(
        tx,
        "maintenance",
        {"task": POLL_UPDATE, "status": status},
        dedup=f"{POLL_UPDATE}:{status}",
        run_at=now_ms + TALLY_WAIT_MS,
        now_ms=now_ms,
    )
