"""Reads what an answer shows, inside the caller's read unit, and hands out its bytes.

A status is rendered once: its head is kept under (id, version), the head of its author under (id, version), and
behind them counts, flags, poll and quote are spliced in for the viewer. What came of that is kept too, under everything
that went into it. A page of known statuses costs one statement.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from fedi.activitypub.uris import LocalUris
from fedi.clock import Clock
from fedi.config import Config
from fedi.feeds.page import Page
from fedi.i18n import Translator
from fedi.ids import AccountId, StatusId
from fedi.ledger.decisions import Decision, Decisions, find_decision
from fedi.ledger.pages import Entry
from fedi.model.accounts import Account
from fedi.model.notifications import Notification
from fedi.model.polls import Poll
from fedi.store import accounts, media, oauth, polls, relations, statuses, users
from fedi.store.database import Tx
from fedi.store.details import StatusDetail, list_details
from fedi.store.paging import Window
from fedi.web.entities.accounts import credential_account, join_account, render_account, render_account_head
from fedi.web.entities.cache import ByteCache, Rendered
from fedi.web.entities.encode import encode
from fedi.web.entities.hidden import Hidden, render_hidden
from fedi.web.entities.media import MediaUrls, emoji_values
from fedi.web.entities.others import render_notification
from fedi.web.entities.polls import render_poll
from fedi.web.entities.statuses import (
    QuoteShown,
    join_status,
    render_quote,
    render_shallow_quote,
    render_status_head,
)

HEAD_BYTES = 16 * 1024 * 1024
WHOLE_BYTES = 24 * 1024 * 1024
ACCOUNT_BYTES = 8 * 1024 * 1024
MOST_APPLICATIONS = 1000


WholeKey = tuple[StatusId, int, bool, bool]  # id, flags, whether anybody reads, whether the author does


class Entities:
    """The caches, and everything that fills them. Its methods are called inside read units."""

    def __init__(self, *, config: Config, uris: LocalUris, clock: Clock, decisions: Decisions) -> None:
        self.urls = MediaUrls.of(config)
        self._origin = config.origin
        self._uris = uris
        self._clock = clock
        self._decisions = decisions
        self._heads: ByteCache[StatusId] = ByteCache(HEAD_BYTES)
        self._whole: ByteCache[WholeKey] = ByteCache(WHOLE_BYTES)
        self._accounts: ByteCache[AccountId] = ByteCache(ACCOUNT_BYTES)
        self._applications: dict[int, dict[str, Any]] = {}

    # Statuses -------------------------------------------------------------------------------------------------

    async def timeline(
        self, tx: Tx, page: Page, viewer: AccountId | None, t: Translator, *, own_filters: bool = True
    ) -> list[bytes]:
        """A page for its reader: whom they block or mute is left out (``own_filters``), what is hidden is told once,
        with the reason.

        Positions pending or deleted by their authors stay out: apps have no form for them.
        """
        ids = [entry.object for entry in page.entries if entry.state == "shown"]
        view = await self._view(tx, ids, viewer)  # type: ignore[arg-type]  # object.n is the status id
        hidden = Hidden()
        bodies: list[bytes] = []
        at: int | None = None
        for entry in page.entries:
            if entry.state == "hidden":
                hidden.add(entry.object, entry.decisions)
            elif entry.state == "shown":
                status = StatusId(entry.object)
                if (known := view.ready.get(status)) is not None:
                    bodies.append(known)
                    continue
                refused = view.refusal(status)
                if refused is not None:
                    hidden.add(entry.object, (refused.id,))
                elif not (own_filters and view.is_kept_out(status)) and (body := view.render(status)) is not None:
                    bodies.append(body)
            if hidden.first is not None and at is None:
                at = len(bodies)
        if hidden.first is not None:
            bodies.insert(at or 0, await self._notice(tx, hidden, viewer, t))
        return bodies

    async def listing(
        self, tx: Tx, ids: Iterable[StatusId], viewer: AccountId | None, t: Translator, *, own_filters: bool = True
    ) -> list[bytes]:
        """As :meth:`timeline`, for a list of statuses that is no range of slots, in its order."""
        page = Page(entries=[Entry(status, "", 0, "shown") for status in ids], older=None, newer=None)
        return await self.timeline(tx, page, viewer, t, own_filters=own_filters)

    async def statuses(
        self, tx: Tx, ids: Collection[StatusId], viewer: AccountId | None, *, own_filters: bool = False
    ) -> dict[StatusId, bytes]:
        """Those of ``ids`` that the viewer may read. ``own_filters`` leaves out whom they block or mute."""
        view = await self._view(tx, ids, viewer)
        found = {}
        for status in ids:
            if view.refusal(status) is None and not (own_filters and view.is_kept_out(status)):
                body = view.render(status)
                if body is not None:
                    found[status] = body
        return found

    async def status(self, tx: Tx, status: StatusId, viewer: AccountId | None, t: Translator) -> bytes | None:
        """One status; where a decision hides it, what the decision says; None when there is nothing to read here."""
        view = await self._view(tx, [status], viewer)
        refused = view.refusal(status)
        if refused is None:
            return view.render(status)
        if not view.may_read(status):
            return None
        hidden = Hidden()
        hidden.add(status, (refused.id,))
        return await self._notice(tx, hidden, viewer, t)

    async def _view(self, tx: Tx, ids: Collection[StatusId], viewer: AccountId | None) -> "_View":
        now_ms = self._clock.ms()
        found = await list_details(tx, ids, viewer, now_ms)
        beyond = {other for of in found.values() for other in (of.reblog_of, of.quote_of) if other is not None}
        for _ in range(2):  # what is boosted, what is quoted by it
            missing = beyond - found.keys()
            if not missing:
                break
            more = await list_details(tx, missing, viewer, now_ms)
            found |= more
            beyond = {of.quote_of for of in more.values() if of.quote_of is not None}
        view = _View(viewer=viewer, now_ms=now_ms, details=found, whole=self._whole, decisions=self._decisions)
        unknown = view.take_whole()
        # While a decision is in force, the author of each status decides whether it is shown.
        named = unknown if self._decisions.is_empty else found
        await self._fill_accounts(tx, {of.account: of.account_version for of in named.values()}, view.accounts)
        await self._fill_heads(tx, unknown, view.heads)
        asked = [of.poll for of in found.values() if of.poll is not None]
        if asked:
            view.polls = await polls.find_many(tx, asked)
            if viewer is not None:
                view.choices = await polls.list_choices(tx, viewer, asked)
        return view

    async def _fill_heads(self, tx: Tx, found: dict[StatusId, StatusDetail], heads: dict[StatusId, Rendered]) -> None:
        missing = []
        for status, of in found.items():
            head = self._heads.find(status, of.version)
            if head is None:
                missing.append(status)
            else:
                heads[status] = head
        if not missing:
            return
        rows = await statuses.find_many(tx, missing)
        attached = await media.list_of_statuses(tx, [row.id for row in rows.values() if row.has_media])
        for row in rows.values():
            application = None if row.application is None else await self._application(tx, row.application)
            body = render_status_head(
                row,
                attached.get(row.id, ()),
                urls=self.urls,
                uris=self._uris,
                application=application,
            )
            emojis = encode(emoji_values(row.emojis, self.urls)) if row.poll and row.emojis else b"[]"
            heads[row.id] = Rendered(row.version, body, emojis)
            self._heads.put(row.id, heads[row.id])

    async def _application(self, tx: Tx, number: int) -> dict[str, Any] | None:
        """What an app is called never changes: it registers again instead."""
        known = self._applications.get(number)
        if known is None:
            app = await oauth.find_app_by_id(tx, number)
            if app is None:
                return None
            if len(self._applications) >= MOST_APPLICATIONS:
                self._applications.clear()
            known = self._applications[number] = {"name": app.name, "website": app.website}
        return known

    async def _notice(self, tx: Tx, hidden: Hidden, viewer: AccountId | None, t: Translator) -> bytes:
        named = {id_: await find_decision(tx, id_) for id_ in hidden.counts}
        speaker = await accounts.find_id_by_uri(tx, self._uris.instance_actor)
        assert speaker is not None, "the instance has no actor"
        return render_hidden(
            hidden,
            {id_: decision for id_, decision in named.items() if decision is not None},
            account=(await self.accounts(tx, [speaker]))[speaker],
            viewer=viewer,
            origin=self._origin,
            t=t,
        )

    # Accounts -------------------------------------------------------------------------------------------------

    async def accounts(self, tx: Tx, ids: Collection[AccountId]) -> dict[AccountId, bytes]:
        """Those of ``ids`` that exist."""
        rows = await accounts.find_many(tx, ids)
        return dict(zip(rows, await self.render_accounts(tx, list(rows.values())), strict=True))

    async def render_accounts(self, tx: Tx, rows: Sequence[Account]) -> list[bytes]:
        """Accounts whose rows are at hand, in their order."""
        if not rows:
            return []
        heads: dict[AccountId, Rendered] = {}
        await self._fill_accounts(tx, {row.id: row.version for row in rows}, heads, {row.id: row for row in rows})
        stats = await accounts.find_many_stats(tx, [row.id for row in rows])
        return [
            join_account(
                heads[row.id].body,
                statuses=stats[row.id].statuses,
                followers=stats[row.id].followers,
                following=stats[row.id].following,
                last_status_at=stats[row.id].last_status_at,
            )
            for row in rows
        ]

    async def account(self, tx: Tx, row: Account) -> bytes:
        return (await self.render_accounts(tx, [row]))[0]

    async def credential_account(self, tx: Tx, account: AccountId) -> bytes:
        """One's own account with its settings. The account is a local one."""
        row, user = await accounts.find_account(tx, account), await users.find_user(tx, account)
        assert row is not None
        assert user is not None
        waiting = await relations.list_followers(tx, account, Window(limit=80), state="requested")
        return credential_account(await self.account(tx, row), row, user, follow_requests=len(waiting))

    async def _fill_accounts(
        self,
        tx: Tx,
        versions: dict[AccountId, int],
        heads: dict[AccountId, Rendered],
        rows: dict[AccountId, Account] | None = None,
    ) -> None:
        missing = []
        for account, version in versions.items():
            head = self._accounts.find(account, version)
            if head is None:
                missing.append(account)
            else:
                heads[account] = head
        if not missing:
            return
        if rows is None:
            rows = await accounts.find_many(tx, missing)
        targets = await accounts.find_many_by_uri(
            tx, [uri for account in missing if (uri := rows[account].moved_to) is not None]
        )
        for account in missing:
            row = rows[account]
            moved = None
            target = targets.get(row.moved_to) if row.moved_to else None
            if target is not None and target.id != account:
                moved = render_account(target, await accounts.find_stats(tx, target.id), self.urls)
            head = Rendered(row.version, render_account_head(row, self.urls, moved=moved), row.uri.encode())
            heads[account] = head
            self._accounts.put(account, head)

    # Notifications --------------------------------------------------------------------------------------------

    async def notifications(self, tx: Tx, rows: Iterable[Notification], viewer: AccountId) -> list[bytes]:
        """In their order; those whose status is gone, or that clients have no word for, are left out."""
        told = list(rows)
        actors = await self.accounts(tx, {row.actor for row in told})
        shown = await self.statuses(tx, {row.status for row in told if row.status is not None}, viewer)
        bodies = []
        for row in told:
            if row.actor in actors:
                status = None if row.status is None else shown.get(row.status)
                body = render_notification(row, account=actors[row.actor], status=status)
                if body is not None:
                    bodies.append(body)
        return bodies


class _View:
    """Everything that one page needs, loaded; pure from here on."""

    __slots__ = (
        "_accounts", "_cache", "_decisions", "_whole", "accounts", "choices", "details", "heads", "now_ms", "polls",
        "ready", "viewer",
    )  # fmt: skip

    def __init__(
        self,
        *,
        viewer: AccountId | None,
        now_ms: int,
        details: dict[StatusId, StatusDetail],
        whole: ByteCache[WholeKey],
        decisions: Decisions,
    ) -> None:
        self.viewer = viewer
        self.now_ms = now_ms
        self.details = details
        self.heads: dict[StatusId, Rendered] = {}
        self.accounts: dict[AccountId, Rendered] = {}
        self.polls: dict[StatusId, Poll] = {}
        self.choices: dict[StatusId, tuple[int, ...]] = {}
        self._cache = whole
        self._decisions = None if decisions.is_empty else decisions
        self._accounts: dict[AccountId, bytes] = {}
        self._whole: dict[StatusId, bytes] = {}
        self.ready: dict[StatusId, bytes] = {}  # nothing stands between these and their reader

    def take_whole(self) -> dict[StatusId, StatusDetail]:
        """Takes from the cache what was rendered from the very same details; returns the others."""
        unknown: dict[StatusId, StatusDetail] = {}
        for status, of in self.details.items():
            if of.poll is None and of.quote_uri is None and of.quote_of is None and of.reblog_of is None:
                known = self._cache.find(self._key(of), of)
                if known is not None:
                    self._whole[status] = known.body
                    if self._decisions is None and of.may_read and not (of.kept_out or of.blocked_by or of.deleted):
                        self.ready[status] = known.body
                    continue
            unknown[status] = of
        return unknown

    def _key(self, of: StatusDetail) -> WholeKey:
        return of.id, of.flags, self.viewer is None, of.account == self.viewer

    def may_read(self, status: StatusId) -> bool:
        """Whether its author lets the viewer read it, and for a boost that of the boosted status too."""
        of = self.details.get(status)
        if of is None or of.deleted or not of.may_read or of.blocked_by:
            return False
        return of.reblog_of is None or self.may_read(of.reblog_of)

    def is_kept_out(self, status: StatusId) -> bool:
        """Whether the viewer blocks or mutes its author, or the boosted one."""
        of = self.details.get(status)
        if of is None or of.kept_out:
            return True
        return of.reblog_of is not None and self.is_kept_out(of.reblog_of)

    def refusal(self, status: StatusId) -> Decision | None:
        """The decision on its author or their host, or on those of what it boosts."""
        of = self.details.get(status)
        if of is None or self._decisions is None:
            return None
        found = self._decisions.refusal_of(self.accounts[of.account].extra.decode(), self.now_ms)
        if found is None and of.reblog_of is not None:
            return self.refusal(of.reblog_of)
        return found

    def render(self, status: StatusId) -> bytes | None:
        if not self.may_read(status):
            return None
        of = self.details[status]
        if of.reblog_of is None:
            return self._one(of, self._quote(of))
        boosted = self.details[of.reblog_of]
        return join_status(
            self.heads[of.id].body,
            of,
            viewer=self.viewer,
            account=self._account(of),
            counted=boosted,
            reblog=self._one(boosted, self._quote(boosted)),
        )

    def _one(self, of: StatusDetail, quote: bytes | None) -> bytes:
        known = self._whole.get(of.id)
        if known is not None:
            return known
        head = self.heads[of.id]
        body = join_status(
            head.body, of, viewer=self.viewer, account=self._account(of), poll=self._poll(of, head), quote=quote
        )
        if of.poll is None and quote is None:
            self._whole[of.id] = body
            self._cache.put(self._key(of), Rendered(of, body))
        return body

    def _account(self, of: StatusDetail) -> bytes:
        body = self._accounts.get(of.account)
        if body is None:
            body = self._accounts[of.account] = join_account(
                self.accounts[of.account].body,
                statuses=of.account_statuses,
                followers=of.account_followers,
                following=of.account_following,
                last_status_at=of.account_last_status_at,
            )
        return body

    def _poll(self, of: StatusDetail, head: Rendered) -> bytes | None:
        poll = None if of.poll is None else self.polls.get(of.poll)
        if poll is None:
            return None
        choices = None if self.viewer is None else self.choices.get(poll.id, ())
        return render_poll(
            poll, now_ms=self.now_ms, choices=choices, is_author=of.account == self.viewer, emojis=head.extra or b"[]"
        )

    def _quote(self, of: StatusDetail) -> bytes | None:
        state = self._quote_state(of)
        if state is None:
            return None
        quoted = self.details.get(of.quote_of) if of.quote_of is not None else None
        if state != "accepted" or quoted is None:
            return render_quote(state, None)
        inner = self._quote_state(quoted)
        shallow = None if inner is None else render_shallow_quote(inner, quoted.quote_of)
        return render_quote(state, self._one(quoted, shallow))

    def _quote_state(self, of: StatusDetail) -> QuoteShown | None:
        if of.quote_uri is None and of.quote_of is None:
            return None
        state: QuoteShown = of.quote_state or "pending"
        if state != "accepted":
            return state
        quoted = self.details.get(of.quote_of) if of.quote_of is not None else None
        if quoted is None:
            return "pending"  # accepted, and not fetched yet
        if quoted.deleted:
            return "deleted"
        if not quoted.may_read or quoted.blocked_by or self.refusal(quoted.id) is not None:
            return "unauthorized"
        if quoted.kept_out:
            return "blocked_account" if quoted.kept_out == 2 else "muted_account"
        return "accepted"
