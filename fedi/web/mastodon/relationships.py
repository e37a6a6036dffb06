"""What one does to other accounts: follow, block, mute, note; and the lists of those."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.auth.tokens import Caller
from fedi.clock import api_time
from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.ids import AccountId
from fedi.outbox.outbox import Outbox
from fedi.store import relations
from fedi.store.database import Tx
from fedi.store.paging import Window
from fedi.web.callers import require
from fedi.web.entities.accounts import relationship_value
from fedi.web.entities.encode import encode, extended
from fedi.web.keys import CLOCK, DATABASE, ENTITIES, OUTBOX
from fedi.web.mastodon.accounts import get_account
from fedi.web.mastodon.answers import Cut, answer, cut, not_found, one_more, path_id, window_of
from fedi.web.mastodon.asked import answer_page
from fedi.web.params import Params, read_params

FOLLOWS = ("write:follows", "follow")
BLOCKS = ("write:blocks", "follow")
MUTES = ("write:mutes", "follow")
MAX_NOTE = 2_000
MAX_LANGUAGES = 50
LONGEST_MUTE_S = 10 * 365 * 86_400

Act = Callable[[Outbox, AccountId, AccountId], Awaitable[object]]


def setup_routes(app: web.Application) -> None:
    router = app.router
    for name, handle in (
        ("follow", follow),
        ("unfollow", unfollow),
        ("remove_from_followers", remove_from_followers),
        ("block", block),
        ("unblock", unblock),
        ("mute", mute),
        ("unmute", unmute),
        ("note", note),
    ):
        router.add_post(f"/api/v1/accounts/{{id}}/{name}", handle)
    router.add_get("/api/v1/blocks", list_blocked)
    router.add_get("/api/v1/mutes", list_muted)
    router.add_get("/api/v1/follow_requests", list_follow_requests)
    router.add_post("/api/v1/follow_requests/{id}/authorize", authorize)
    router.add_post("/api/v1/follow_requests/{id}/reject", reject)


async def follow(request: Request) -> Response:
    """Again, to change whether boosts are shown, posts announced, or which languages are read: what is left out stays
    as it is."""
    caller = await require(request, *FOLLOWS)
    target, params = AccountId(path_id(request)), await read_params(request)
    before = await request.app[DATABASE].read_now(lambda tx: relations.find_follow(tx, caller.account_id, target))
    reblogs, notify, languages = params.flag("reblogs"), params.flag("notify"), _languages(params)
    await request.app[OUTBOX].follow(
        caller.account_id,
        target,
        reblogs=reblogs if reblogs is not None else before.reblogs if before else True,
        notify=notify if notify is not None else before.notify if before else False,
        languages=(languages or None) if languages is not None else before.languages if before else None,
    )
    return await _relationship(request, caller, target)


async def unfollow(request: Request) -> Response:
    return await _act(request, FOLLOWS, Outbox.unfollow)


async def remove_from_followers(request: Request) -> Response:
    return await _act(request, FOLLOWS, Outbox.remove_follower)


async def block(request: Request) -> Response:
    return await _act(request, BLOCKS, Outbox.block)


async def unblock(request: Request) -> Response:
    return await _act(request, BLOCKS, Outbox.unblock)


async def mute(request: Request) -> Response:
    """``duration`` in seconds; 0 is without an end."""
    caller = await require(request, *MUTES)
    target, params = AccountId(path_id(request)), await read_params(request)
    notifications, duration = params.flag("notifications"), params.integer("duration") or 0
    if not 0 <= duration <= LONGEST_MUTE_S:
        raise ClientFault("parameter-invalid", _("Choose a shorter time."))
    await request.app[OUTBOX].mute(
        caller.account_id,
        target,
        notifications_too=True if notifications is None else notifications,
        for_s=duration or None,
    )
    return await _relationship(request, caller, target)


async def unmute(request: Request) -> Response:
    return await _act(request, MUTES, Outbox.unmute)


async def note(request: Request) -> Response:
    """A private note; an empty one is forgotten."""
    caller = await require(request, "write:accounts")
    target, params = AccountId(path_id(request)), await read_params(request)
    comment = (params.text("comment") or "").strip().replace("\0", "")
    if len(comment) > MAX_NOTE:
        raise ClientFault("note-too-long", _("The note is longer than 2000 characters."))

    async def unit(tx: Tx) -> None:
        await get_account(tx, target)
        await relations.set_note(tx, caller.account_id, target, comment)

    await request.app[DATABASE].write("note something", unit)
    return await _relationship(request, caller, target)


async def authorize(request: Request) -> Response:
    return await _act(request, FOLLOWS, Outbox.accept_follow)


async def reject(request: Request) -> Response:
    return await _act(request, FOLLOWS, Outbox.reject_follow)


async def list_blocked(request: Request) -> Response:
    caller = await require(request, "read:blocks", "follow")

    async def read(tx: Tx, window: Window) -> Cut:
        return cut(await relations.list_blocked(tx, caller.account_id, one_more(window)), window)

    return await _list(request, read)


async def list_follow_requests(request: Request) -> Response:
    caller = await require(request, "read:follows", "follow")

    async def read(tx: Tx, window: Window) -> Cut:
        waiting = await relations.list_followers(tx, caller.account_id, one_more(window), state="requested")
        return cut(waiting, window)

    return await _list(request, read)


async def list_muted(request: Request) -> Response:
    """Accounts with when their mute ends."""
    caller = await require(request, "read:mutes", "follow")
    window, now_ms = window_of(await read_params(request)), request.app[CLOCK].ms()

    async def unit(tx: Tx) -> tuple[Cut, list[bytes]]:
        page = cut(await relations.list_muted(tx, caller.account_id, now_ms, one_more(window)), window)
        known = await relations.list_relationships(tx, caller.account_id, [row.id for row in page.rows], now_ms)
        bodies = await request.app[ENTITIES].render_accounts(tx, page.rows)
        ends = [known[row.id].muting_expires_at for row in page.rows]
        return page, [
            extended(body, mute_expires_at=None if end is None else api_time(end))
            for body, end in zip(bodies, ends, strict=True)
        ]

    return answer_page(request, *await request.app[DATABASE].read(unit))


async def _list(request: Request, read: Callable[[Tx, Window], Awaitable[Cut]]) -> Response:
    window = window_of(await read_params(request))

    async def unit(tx: Tx) -> tuple[Cut, list[bytes]]:
        page = await read(tx, window)
        return page, await request.app[ENTITIES].render_accounts(tx, page.rows)

    return answer_page(request, *await request.app[DATABASE].read(unit))


async def _act(request: Request, scopes: tuple[str, ...], act: Act) -> Response:
    caller = await require(request, *scopes)
    target = AccountId(path_id(request))
    await act(request.app[OUTBOX], caller.account_id, target)
    return await _relationship(request, caller, target)


async def _relationship(request: Request, caller: Caller, target: AccountId) -> Response:
    """How the two stand now: the answer to every act."""
    now_ms = request.app[CLOCK].ms()
    found = await request.app[DATABASE].read_now(
        lambda tx: relations.list_relationships(tx, caller.account_id, [target], now_ms)
    )
    if target not in found:
        raise not_found()
    return answer(encode(relationship_value(found[target])))


def _languages(params: Params) -> tuple[str, ...] | None:
    """None: not said; empty: all."""
    found = params.texts("languages")
    return None if found is None else tuple(text for text in found if 2 <= len(text) <= 20)[:MAX_LANGUAGES]
