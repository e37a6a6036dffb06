"""Quoting (FEP-044f): may it be quoted, asking its author, and the author's answer and change of mind."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedi.activitypub.render_activities import render_delete_stamp, render_quote_request
from fedi.activitypub.render_post import PostView, render_post
from fedi.errors import ClientFault
from fedi.ids import AccountId, StatusId
from fedi.model.accounts import Account
from fedi.model.statuses import QuotePolicy, QuoteState, Status
from fedi.outbox.acts import HIGH, Acts, not_found
from fedi.outbox.draft import Draft
from fedi.store import accounts, relations, statuses
from fedi.store.database import Tx
from fedi.streaming.hub import Event

if TYPE_CHECKING:
    from fedi.outbox.changes import ChangeActs


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """What is quoted. ``accepted`` at once where its author is here; else we ask, and it is ``pending``."""

    status: Status
    author: Account
    state: QuoteState
    needs_stamp: bool


async def find_quoted(acts: Acts, tx: Tx, draft: Draft, author: Account) -> Quoted | None:
    """Raises :class:`ClientFault` when it may not be quoted, or not by this author."""
    if draft.quote is None:
        return None
    status = await acts.seen(tx, draft.quote, author.id)
    by = await accounts.find_account(tx, status.account)
    if by is None:
        raise not_found()
    if by.id == author.id:
        if status.visibility == "private" and draft.visibility not in {"private", "direct"}:
            raise ClientFault("quote-too-wide", "A post for followers can only be quoted for followers.")
        return Quoted(status=status, author=by, state="accepted", needs_stamp=False)
    await acts.refuse_blocked(tx, author.id, by.id)
    if status.visibility not in {"public", "unlisted"} or not await _may_quote(tx, status, author.id):
        raise ClientFault("not-quotable", "The author of this post does not want it to be quoted.", status=403)
    return Quoted(status=status, author=by, state="accepted" if by.local else "pending", needs_stamp=by.local)


async def _may_quote(tx: Tx, status: Status, author: AccountId) -> bool:
    policy: QuotePolicy = status.quote_policy
    match policy:
        case "public":
            return True
        case "followers":
            return await relations.is_following(tx, author, status.account)
        case "nobody":
            return False


async def tell_quoted(acts: Acts, tx: Tx, status: Status, quoted: Quoted | None, now_ms: int) -> None:
    if quoted is not None and quoted.author.local:
        await acts.notify(
            tx, account=quoted.author.id, kind="quote", by=status.account, status=status.id, now_ms=now_ms
        )


async def ask_to_quote(acts: Acts, tx: Tx, view: PostView, quoted: Quoted, now_ms: int) -> None:
    """The answer comes as Accept with a stamp, or as Reject; until then the quote is shown as pending."""
    document = render_quote_request(
        uri=acts.new_uri(view.author),
        actor=view.author.uri,
        quoted_uri=quoted.status.uri,
        quote=render_post(view, acts.uris, now_ms),
        to=quoted.author.uri,
    )
    to = await acts.personal(tx, [quoted.author.id], now_ms)
    await acts.send(tx, document, by=view.author, to=to, now_ms=now_ms, status=view.status.id, priority=HIGH)


class QuoteActs(Acts):
    """What the author of a quoted post does."""

    async def revoke_quote(self, account: AccountId, status_id: StatusId, quoting_id: StatusId) -> None:
        """Takes the leave back: the quote is no longer shown with the post. Raises 404 when it quotes it not."""
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            author = await self.actor(tx, account, now_ms)
            quoted = await self.own(tx, status_id, account)
            quoting = await statuses.find_status(tx, quoting_id)
            if quoting is None or quoting.quote_of != quoted.id or quoting.deleted_at is not None:
                raise not_found()
            stamp = quoting.quote_authorization
            if not await statuses.set_quote_state(tx, quoting, "revoked", None):
                return
            self.publish(tx, Event(kind="status.update", status=quoting.id, author=quoting.account))
            by = await self.other(tx, quoting.account)
            if stamp is None:
                return
            document = render_delete_stamp(uri=self.new_uri(author), actor=author.uri, stamp_uri=stamp, to=[by.uri])
            to = await self.personal(tx, [by.id], now_ms)
            await self.send(tx, document, by=author, to=to, now_ms=now_ms, status=quoted.id, priority=HIGH)

        await self.db.write("revoke a quote", act)


async def quote_answered(posts: "ChangeActs", tx: Tx, status: Status, now_ms: int) -> None:
    """Our quote was accepted, rejected or revoked by its quoted author (the inbox has written which): everybody who
    has the post hears of it."""
    author = await accounts.find_account(tx, status.account)
    if author is None or not author.local or status.deleted_at is not None:
        return
    await posts.send_update(tx, status, author, now_ms)
    posts.publish(tx, Event(kind="status.update", status=status.id, author=status.account))
