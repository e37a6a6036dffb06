"""What all acts of local accounts share: who acts, how a post gets its number, how an activity leaves, who is told.

An act is one transaction: rows, places, notifications, the activity with its deliveries. Nothing of it is done
outside, and nothing leaves the server before it is committed.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from fedi.activitypub.addressing import Audience
from fedi.activitypub.render import finish
from fedi.errors import ClientFault
from fedi.ids import AccountId, IdMaker, StatusId
from fedi.ledger.slots import mark_ready, open_object
from fedi.model.accounts import Account
from fedi.model.notifications import NotificationKind
from fedi.model.statuses import Status
from fedi.outbox.address import list_personal
from fedi.outbox.tools import Tools
from fedi.store import accounts, deliveries, jobs, notifications, relations, statuses
from fedi.store.database import Tx
from fedi.store.deliveries import Destination
from fedi.streaming.hub import Event

T = TypeVar("T")
Numbered = Callable[[Tx, StatusId], Awaitable[T]]

HIGH, NORMAL, LOW = jobs.HIGH, jobs.NORMAL, jobs.LOW


class NumberTaken(Exception):  # noqa: N818 - a turn of events, not an error
    """Some surface is ahead of the clock: the post gets the number after this one, and its URI with it."""

    def __init__(self, number: int) -> None:
        super().__init__(str(number))
        self.number = number


class _Given(IdMaker):
    """Hands out the number that a post's URI was made from."""

    def __init__(self, number: int) -> None:
        self._number = number

    def next(self) -> int:
        return self._number


def not_found() -> ClientFault:
    """The same for what is missing and what is forbidden."""
    return ClientFault("not-found", "Record not found", status=404)


class Acts:
    """Base of the families of acts."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self.db = tools.db
        self.uris = tools.uris

    def now(self) -> int:
        return self.tools.clock.ms()

    # Who acts, on what --------------------------------------------------------------------------------------

    async def actor(self, tx: Tx, account: AccountId, now_ms: int) -> Account:
        """The local account that acts. Raises :class:`ClientFault` when it is gone or suspended."""
        found = await accounts.find_account(tx, account)
        if found is None or not found.local or found.gone_at is not None:
            raise not_found()
        decision = self.tools.refusals.refusal_of(found.uri, now_ms)
        if decision is not None:
            raise ClientFault(
                "suspended",
                "Your account is suspended: %(reason)s",
                status=403,
                params={"reason": decision.reason},
                extra={"decision": decision.id},
            )
        return found

    async def other(self, tx: Tx, account: AccountId) -> Account:
        """Somebody on whom is acted."""
        found = await accounts.find_account(tx, account)
        if found is None or found.gone_at is not None:
            raise not_found()
        return found

    async def seen(self, tx: Tx, status: StatusId, viewer: AccountId) -> Status:
        """A status that ``viewer`` may see; of a boost what it boosts. Raises 404 otherwise."""
        found = await statuses.find_status(tx, status)
        if found is not None and found.reblog_of is not None and found.deleted_at is None:
            found = await statuses.find_status(tx, found.reblog_of)
        if found is None or found.deleted_at is not None or not await statuses.may_see(tx, found, viewer):
            raise not_found()
        return found

    async def own(self, tx: Tx, status: StatusId, account: AccountId) -> Status:
        """A status by ``account``. Raises 404 otherwise."""
        found = await statuses.find_status(tx, status)
        if found is None or found.deleted_at is not None or found.account != account:
            raise not_found()
        return found

    # Numbers and places -------------------------------------------------------------------------------------

    async def numbered(self, why: str, act: Numbered[T]) -> T:
        """Runs ``act`` with a number for a new post; again with a higher one if some surface is ahead."""
        number = self.tools.ids.next()
        while True:
            try:
                return await self.db.write(why, partial(_with_number, act, StatusId(number)))
            except NumberTaken as ahead:
                number = max(self.tools.ids.next(), ahead.number + 1)

    async def place(self, tx: Tx, status: Status, author: Account, body: bytes, *, boost_of: str | None = None) -> None:
        """Gives a new local post its positions and makes them readable."""
        slots = await open_object(
            tx,
            uri=status.uri,
            account=author.id,
            author_uri=author.uri,
            host=author.host,
            visibility=status.visibility,
            local=True,
            is_reply_to_uri=status.in_reply_to_uri,
            tags=status.tags,
            boost_of=boost_of,
            delivered=True,
            published_at_ms=status.created_at,
            body_hash=hashlib.sha256(body).digest(),
            now_ms=status.created_at,
            ids=_Given(status.id),
        )
        if slots.n != status.id:
            raise NumberTaken(slots.n)
        await mark_ready(tx, status.id, status.created_at)

    # Leaving ------------------------------------------------------------------------------------------------

    def new_uri(self, account: Account) -> str:
        """The id of an activity that is no status."""
        return self.uris.activity(account.username, self.tools.ids.next())

    async def send(
        self,
        tx: Tx,
        document: Mapping[str, Any],
        *,
        by: Account,
        to: Sequence[Destination],
        now_ms: int,
        status: StatusId | None = None,
        priority: int = NORMAL,
        forwardable: bool = False,
        body: bytes | None = None,
    ) -> None:
        """Hands an activity to its deliveries. ``forwardable``: others will pass it on, so it gets an LD signature
        instead of a proof (a document cannot carry both)."""
        if not to:
            return
        await deliveries.send(
            tx,
            activity_uri=document["id"],
            kind=document["type"],
            account=by.id,
            status=status,
            body=finish(document, for_signature=forwardable) if body is None else body,
            destinations=to,
            now_ms=now_ms,
            priority=priority,
            unsealed="ld" if forwardable else "proof",
        )

    async def personal(self, tx: Tx, people: Iterable[AccountId], now_ms: int) -> list[Destination]:
        """Where something for these accounts goes; local ones are told in other ways."""
        return await list_personal(tx, people, refusals=self.tools.refusals, now_ms=now_ms)

    # Telling ------------------------------------------------------------------------------------------------

    async def notify(
        self,
        tx: Tx,
        *,
        account: AccountId,
        kind: NotificationKind,
        by: AccountId,
        status: StatusId | None = None,
        now_ms: int,
    ) -> None:
        """Tells ``account``, if it is a person here who wants to know."""
        made = await notifications.put_notification(
            tx, account=account, kind=kind, actor=by, status=status, now_ms=now_ms
        )
        if made is not None:
            event = Event(kind="notification", account=account, notification=made.id, status=status)
            tx.after_commit(partial(self.tools.hub.publish, event))

    def publish(self, tx: Tx, event: Event) -> None:
        tx.after_commit(partial(self.tools.hub.publish, event))

    async def refuse_blocked(self, tx: Tx, one: AccountId, other: AccountId) -> None:
        if await relations.is_block_between(tx, one, other):
            raise ClientFault("blocked", "This action is not allowed", status=403)


async def _with_number(act: Numbered[T], number: StatusId, tx: Tx) -> T:
    return await act(tx, number)


def is_forwardable(status: Status, audience: Audience) -> bool:
    """Replies that everybody may read are passed on by whoever is replied to."""
    return status.in_reply_to_uri is not None and audience.is_distributed
