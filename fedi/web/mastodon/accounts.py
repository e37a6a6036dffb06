"""Reading accounts: profiles, their posts, who follows whom; and one's own account."""

from typing import Any

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.errors import ClientFault
from fedi.feeds.page import Page
from fedi.i18n import _
from fedi.ids import AccountId
from fedi.model.accounts import Account
from fedi.store import accounts, familiar, interactions, lists, relations
from fedi.store.database import Tx
from fedi.text import normal_tag
from fedi.web.callers import find_caller, require, require_app
from fedi.web.entities.accounts import relationship_value
from fedi.web.entities.encode import array, raw
from fedi.web.entities.others import list_value
from fedi.web.keys import CLOCK, DATABASE, ENTITIES, FEEDS, URIS
from fedi.web.locale import translator_of
from fedi.web.lookups import LOOKUP
from fedi.web.mastodon.answers import (
    ACCOUNTS,
    MOST_ACCOUNTS,
    MOST_STATUSES,
    STATUSES,
    Cut,
    answer,
    answer_list,
    answer_value,
    cursor_of,
    cut,
    limit_of,
    not_found,
    one_more,
    path_id,
    window_of,
)
from fedi.web.mastodon.asked import answer_page, listed_ids, offset_of
from fedi.web.mastodon.search import handle_of
from fedi.web.params import Params, read_params

READ = "read:accounts"


def setup_routes(app: web.Application) -> None:
    router = app.router
    router.add_post("/api/v1/accounts", register)
    router.add_get("/api/v1/accounts", list_some)
    router.add_get("/api/v1/accounts/verify_credentials", verify_credentials)
    router.add_get("/api/v1/accounts/lookup", lookup)
    router.add_get("/api/v1/accounts/search", search)
    router.add_get("/api/v1/accounts/relationships", list_relationships)
    router.add_get("/api/v1/accounts/familiar_followers", list_familiar_followers)
    router.add_get("/api/v1/accounts/{id}", show)
    router.add_get("/api/v1/accounts/{id}/statuses", list_statuses)
    router.add_get("/api/v1/accounts/{id}/followers", list_followers)
    router.add_get("/api/v1/accounts/{id}/following", list_following)
    router.add_get("/api/v1/accounts/{id}/lists", list_lists)


async def register(request: Request) -> Response:
    """Sign-up by an app, with the app's own token."""
    grant = await require_app(request, "write:accounts")
    if grant.caller is not None:
        raise ClientFault("app-token-required", _("You are signed in already."), status=403)
    raise ClientFault("registrations-closed", _("This server takes no new members at the moment."), status=403)


async def verify_credentials(request: Request) -> Response:
    caller = await require(request, "profile", READ)
    entities = request.app[ENTITIES]
    return answer(await request.app[DATABASE].read_now(lambda tx: entities.credential_account(tx, caller.account_id)))


async def show(request: Request) -> Response:
    await find_caller(request, READ)
    wanted = AccountId(path_id(request))

    async def unit(tx: Tx) -> bytes:
        return await request.app[ENTITIES].account(tx, await get_account(tx, wanted))

    return answer(await request.app[DATABASE].read_now(unit))


async def list_some(request: Request) -> Response:
    """``id[]``: those that exist, in no order anybody may count on."""
    await find_caller(request, READ)
    wanted = [AccountId(id_) for id_ in listed_ids(await read_params(request), "id")]
    found = await request.app[DATABASE].read(lambda tx: request.app[ENTITIES].accounts(tx, wanted))
    return answer(array(found[id_] for id_ in wanted if id_ in found))


async def lookup(request: Request) -> Response:
    """By handle, of accounts that are known here: nobody else is asked."""
    await find_caller(request, READ)
    handle = ((await read_params(request)).text("acct") or "").strip().removeprefix("@")
    username, _at, domain = handle.partition("@")
    if request.app[URIS].is_own_domain(domain.lower()):
        domain = ""

    async def unit(tx: Tx) -> bytes:
        found = await accounts.find_by_handle(tx, username, domain) if username else None
        if found is None or found.gone_at is not None:
            raise not_found()
        return await request.app[ENTITIES].account(tx, found)

    return answer(await request.app[DATABASE].read(unit))


async def search(request: Request) -> Response:
    caller = await require(request, READ)
    params = await read_params(request)
    query = (params.text("q") or "").strip()
    limit, offset = limit_of(params, ACCOUNTS, MOST_ACCOUNTS), offset_of(params)
    following_only = bool(params.flag("following"))
    resolved = await _resolved(request, query) if params.flag("resolve") and offset == 0 else None

    async def unit(tx: Tx) -> list[bytes]:
        found = await accounts.search(
            tx,
            query,
            viewer=caller.account_id,
            following_only=following_only,
            limit=limit,
            offset=offset,
        )
        if resolved is not None and not following_only and all(row.id != resolved for row in found):
            exact = await accounts.find_account(tx, resolved)
            found = ([exact] if exact else []) + found[: limit - 1]
        return await request.app[ENTITIES].render_accounts(tx, found)

    return answer(array(await request.app[DATABASE].read(unit)))


async def list_relationships(request: Request) -> Response:
    caller = await require(request, "read:follows")
    wanted = [AccountId(id_) for id_ in listed_ids(await read_params(request), "id")]
    now_ms = request.app[CLOCK].ms()
    found = await request.app[DATABASE].read_now(
        lambda tx: relations.list_relationships(tx, caller.account_id, wanted, now_ms)
    )
    return answer_value([relationship_value(found[id_]) for id_ in wanted if id_ in found])


async def list_familiar_followers(request: Request) -> Response:
    caller = await require(request, "read:follows")
    wanted = [AccountId(id_) for id_ in listed_ids(await read_params(request), "id")]

    async def unit(tx: Tx) -> list[dict[str, Any]]:
        known = await accounts.find_many(tx, wanted)
        shown = [id_ for id_ in wanted if id_ in known and not known[id_].hide_collections]
        found = await familiar.list_familiar(tx, caller.account_id, shown)
        bodies = await request.app[ENTITIES].accounts(tx, {one for some in found.values() for one in some})
        return [
            {"id": str(id_), "accounts": [raw(bodies[one]) for one in found.get(id_, ())]}
            for id_ in wanted
            if id_ in known
        ]

    return answer_value(await request.app[DATABASE].read(unit))


async def list_statuses(request: Request) -> Response:
    caller = await find_caller(request, "read:statuses")
    viewer = caller.account_id if caller else None
    author, params = AccountId(path_id(request)), await read_params(request)
    if params.flag("pinned"):
        return answer(array(await request.app[DATABASE].read(lambda tx: _pinned(request, tx, author, viewer))))
    cursor, limit, t = cursor_of(params), limit_of(params, STATUSES, MOST_STATUSES), translator_of(request)
    narrow, tag = _narrow(params), normal_tag((params.text("tagged") or "").removeprefix("#")) or None

    async def unit(tx: Tx) -> tuple[Page, list[bytes]]:
        await get_account(tx, author)
        sees_all = viewer is not None and (viewer == author or await relations.is_following(tx, viewer, author))
        page = await request.app[FEEDS].account(tx, author, cursor, limit, followers=sees_all, narrow=narrow, tag=tag)
        # On the page of somebody one has muted, their posts are what one came for.
        return page, await request.app[ENTITIES].timeline(tx, page, viewer, t, own_filters=False)

    page, bodies = await request.app[DATABASE].read_now(unit)
    return answer_list(request, bodies, older=page.older, newer=page.newer)


async def list_followers(request: Request) -> Response:
    return await _list_follows(request, followers=True)


async def list_following(request: Request) -> Response:
    return await _list_follows(request, followers=False)


async def _list_follows(request: Request, *, followers: bool) -> Response:
    """Cut by row ids, which only the Link header tells. Empty where the owner hides them, but for the owner."""
    caller = await find_caller(request, READ)
    viewer = caller.account_id if caller else None
    owner, window = AccountId(path_id(request)), window_of(await read_params(request))

    async def unit(tx: Tx) -> tuple[Cut, list[bytes]]:
        account = await get_account(tx, owner)
        if viewer != owner and (
            account.hide_collections
            or (viewer is not None and await relations.find_block(tx, owner, viewer) is not None)
        ):
            return Cut([], None, None), []
        read = relations.list_followers if followers else relations.list_following
        page = cut(await read(tx, owner, one_more(window)), window)
        return page, await request.app[ENTITIES].render_accounts(tx, page.rows)

    return answer_page(request, *await request.app[DATABASE].read(unit))


async def list_lists(request: Request) -> Response:
    """Which of one's own lists an account is in."""
    caller = await require(request, "read:lists")
    member = AccountId(path_id(request))
    found = await request.app[DATABASE].read(lambda tx: lists.list_lists_with(tx, caller.account_id, member))
    return answer_value([list_value(one) for one in found])


async def get_account(tx: Tx, account: AccountId) -> Account:
    """Raises 404 where there is none, or none any more."""
    found = await accounts.find_account(tx, account)
    if found is None or found.gone_at is not None:
        raise not_found()
    return found


async def _pinned(request: Request, tx: Tx, author: AccountId, viewer: AccountId | None) -> list[bytes]:
    await get_account(tx, author)
    ids = [status.id for status in await interactions.list_pinned(tx, author)]
    bodies = await request.app[ENTITIES].statuses(tx, ids, viewer)
    return [bodies[id_] for id_ in ids if id_ in bodies]


def _narrow(params: Params) -> frozenset[str]:
    asked = {
        "no_replies": params.flag("exclude_replies"),
        "no_reblogs": params.flag("exclude_reblogs"),
        "only_media": params.flag("only_media"),
    }
    return frozenset(name for name, wanted in asked.items() if wanted)


async def _resolved(request: Request, query: str) -> AccountId | None:
    """Asks the other server, where the query is a whole handle that nobody here has seen."""
    handle = handle_of(query, request.app[URIS])
    if handle is None or not handle[1]:
        return None
    known = await request.app[DATABASE].read(lambda tx: accounts.find_by_handle(tx, *handle))
    return known.id if known is not None else await request.app[LOOKUP].find_by_handle(*handle)
