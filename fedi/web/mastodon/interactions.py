"""What people do with statuses, who did it, and one's own collections of them."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.auth.tokens import Caller
from fedi.ids import AccountId, StatusId
from fedi.model.accounts import Account
from fedi.model.statuses import Status, Visibility
from fedi.store import interactions, statuses
from fedi.store.database import Tx
from fedi.store.paging import Window
from fedi.web.callers import find_caller, require
from fedi.web.keys import CLOCK, DATABASE, ENTITIES, OUTBOX
from fedi.web.locale import translator_of
from fedi.web.mastodon.answers import (
    ACCOUNTS,
    MOST_ACCOUNTS,
    MOST_STATUSES,
    STATUSES,
    Cut,
    answer_list,
    cut,
    one_more,
    status_id,
    window_of,
)
from fedi.web.mastodon.asked import answer_page
from fedi.web.mastodon.statuses import answer_status, seen_status
from fedi.web.params import read_params

Handler = Callable[[Request], Awaitable[Response]]
ListAccounts = Callable[[Tx, StatusId, Window], Awaitable[list[tuple[int, Account]]]]
ListMine = Callable[[Tx, AccountId, Window], Awaitable[list[tuple[int, Status]]]]


def setup_routes(app: web.Application) -> None:
    at = "/api/v1/statuses/{id}"
    for word, handler in {
        "favourite": favourite,
        "unfavourite": unfavourite,
        "reblog": reblog,
        "unreblog": unreblog,
        "bookmark": bookmark,
        "unbookmark": unbookmark,
        "pin": pin,
        "unpin": unpin,
        "mute": mute,
        "unmute": unmute,
        "quotes/{quoting}/revoke": revoke_quote,
    }.items():
        app.router.add_post(f"{at}/{word}", handler)
    app.router.add_get(f"{at}/favourited_by", _people(interactions.list_favourited_by))
    app.router.add_get(f"{at}/reblogged_by", _people(interactions.list_reblogged_by))
    app.router.add_get(f"{at}/quotes", quotes)
    app.router.add_get("/api/v1/bookmarks", _mine(interactions.list_bookmarks, "read:bookmarks"))
    app.router.add_get("/api/v1/favourites", _mine(interactions.list_favourites, "read:favourites"))


# Acts that others hear of -------------------------------------------------------------------------------------


async def favourite(request: Request) -> Response:
    caller = await require(request, "write:favourites")
    target = await _target(request, caller)
    await request.app[OUTBOX].favourite(caller.account_id, target)
    return await answer_status(request, target, caller.account_id)


async def unfavourite(request: Request) -> Response:
    caller = await require(request, "write:favourites")
    target = await _target(request, caller)
    await request.app[OUTBOX].unfavourite(caller.account_id, target)
    return await answer_status(request, target, caller.account_id)


async def reblog(request: Request) -> Response:
    """Answers the boost, which has an id of its own, with the status inside."""
    caller = await require(request, "write:statuses")
    target = await _target(request, caller)
    asked = (await read_params(request)).text("visibility")
    words: dict[str, Visibility] = {"public": "public", "unlisted": "unlisted", "private": "private"}
    boost = await request.app[OUTBOX].reblog(caller.account_id, target, visibility=words.get(asked or ""))
    return await answer_status(request, boost, caller.account_id)


async def unreblog(request: Request) -> Response:
    caller = await require(request, "write:statuses")
    target = await _target(request, caller)
    await request.app[OUTBOX].unreblog(caller.account_id, target)
    return await answer_status(request, target, caller.account_id)


async def pin(request: Request) -> Response:
    caller = await require(request, "write:accounts")
    status = status_id(request)
    await request.app[OUTBOX].pin(caller.account_id, status)
    return await answer_status(request, status, caller.account_id)


async def unpin(request: Request) -> Response:
    caller = await require(request, "write:accounts")
    status = status_id(request)
    await request.app[OUTBOX].unpin(caller.account_id, status)
    return await answer_status(request, status, caller.account_id)


async def revoke_quote(request: Request) -> Response:
    caller = await require(request, "write:statuses")
    quoting = status_id(request, "quoting")
    await request.app[OUTBOX].revoke_quote(caller.account_id, status_id(request), quoting)
    return await answer_status(request, quoting, caller.account_id)


async def _target(request: Request, caller: Caller) -> StatusId:
    """The status acted on: of a boost, what it boosts."""
    status = status_id(request)
    row = await request.app[DATABASE].read_now(lambda tx: seen_status(tx, status, caller.account_id))
    return row.id


# Private acts -------------------------------------------------------------------------------------------------


async def bookmark(request: Request) -> Response:
    now_ms = request.app[CLOCK].ms()
    return await _private(
        request,
        "write:bookmarks",
        "bookmark",
        lambda tx, row, account: interactions.put_bookmark(tx, account, row.id, now_ms),
    )


async def unbookmark(request: Request) -> Response:
    return await _private(
        request,
        "write:bookmarks",
        "drop a bookmark",
        lambda tx, row, account: interactions.drop_bookmark(tx, account, row.id),
    )


async def mute(request: Request) -> Response:
    return await _private(
        request,
        "write:mutes",
        "mute a thread",
        lambda tx, row, account: interactions.mute_thread(tx, account, row.thread),
    )


async def unmute(request: Request) -> Response:
    return await _private(
        request,
        "write:mutes",
        "unmute a thread",
        lambda tx, row, account: interactions.unmute_thread(tx, account, row.thread),
    )


async def _private(
    request: Request, scope: str, why: str, act: Callable[[Tx, Status, AccountId], Awaitable[bool]]
) -> Response:
    """Nobody else is told, so the store is written from here."""
    caller = await require(request, scope)
    status, viewer = status_id(request), caller.account_id

    async def unit(tx: Tx) -> StatusId:
        row = await seen_status(tx, status, viewer)
        await act(tx, row, viewer)
        return row.id

    target = await request.app[DATABASE].write(why, unit)
    return await answer_status(request, target, viewer)


# Lists --------------------------------------------------------------------------------------------------------


def _people(list_accounts: ListAccounts) -> Handler:
    async def handler(request: Request) -> Response:
        caller = await find_caller(request, "read:statuses")
        window = window_of(await read_params(request), ACCOUNTS, MOST_ACCOUNTS)
        status, entities = status_id(request), request.app[ENTITIES]

        async def unit(tx: Tx) -> tuple[Cut, list[bytes]]:
            row = await seen_status(tx, status, caller.account_id if caller else None)
            page = cut(await list_accounts(tx, row.id, one_more(window)), window)
            return page, await entities.render_accounts(tx, page.rows)

        page, bodies = await request.app[DATABASE].read(unit)
        return answer_page(request, page, bodies)

    return handler


def _mine(list_mine: ListMine, scope: str) -> Handler:
    async def handler(request: Request) -> Response:
        caller = await require(request, scope)
        window = window_of(await read_params(request), STATUSES, MOST_STATUSES)
        entities, t = request.app[ENTITIES], translator_of(request)

        async def unit(tx: Tx) -> tuple[Cut, list[bytes]]:
            page = cut(await list_mine(tx, caller.account_id, one_more(window)), window)
            return page, await entities.listing(tx, _ids(page.rows), caller.account_id, t, own_filters=False)

        page, bodies = await request.app[DATABASE].read(unit)
        return answer_page(request, page, bodies)

    return handler


async def quotes(request: Request) -> Response:
    caller = await require(request, "read:statuses")
    window = window_of(await read_params(request), STATUSES, MOST_STATUSES)
    status, entities, t = status_id(request), request.app[ENTITIES], translator_of(request)

    async def unit(tx: Tx) -> tuple[Cut, list[bytes]]:
        row = await seen_status(tx, status, caller.account_id)
        found = await statuses.list_quotes(tx, row.id, one_more(window))
        page = cut([(quote.id, quote) for quote in found], window)
        return page, await entities.listing(tx, _ids(page.rows), caller.account_id, t)

    page, bodies = await request.app[DATABASE].read(unit)
    return answer_list(request, bodies, older=page.older, newer=page.newer)


def _ids(rows: Sequence[Status]) -> list[StatusId]:
    return [row.id for row in rows]
