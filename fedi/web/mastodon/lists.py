"""Lists of accounts that somebody reads apart: private to their owner."""

from dataclasses import replace
from typing import get_args

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.ids import AccountId
from fedi.model.lists import AccountList, RepliesPolicy
from fedi.store import lists, relations
from fedi.store.database import Tx
from fedi.store.paging import Window
from fedi.web.callers import require
from fedi.web.entities.others import list_value
from fedi.web.keys import DATABASE, ENTITIES, IDS
from fedi.web.mastodon.answers import Cut, answer_value, cut, not_found, one_more, path_id, window_of
from fedi.web.mastodon.asked import answer_page, empty, listed_ids
from fedi.web.params import Params, read_params

READ, WRITE = "read:lists", "write:lists"
MAX_TITLE = 255
MOST_LISTS = 100
MOST_MEMBERS = 5_000  # what limit=0, "all", may mean


def setup_routes(app: web.Application) -> None:
    app.router.add_get("/api/v1/lists", show_all)
    app.router.add_post("/api/v1/lists", create)
    app.router.add_get("/api/v1/lists/{id}", show)
    app.router.add_put("/api/v1/lists/{id}", update)
    app.router.add_patch("/api/v1/lists/{id}", update)
    app.router.add_delete("/api/v1/lists/{id}", drop)
    app.router.add_get("/api/v1/lists/{id}/accounts", show_members)
    app.router.add_post("/api/v1/lists/{id}/accounts", add_members)
    app.router.add_delete("/api/v1/lists/{id}/accounts", drop_members)


async def show_all(request: Request) -> Response:
    caller = await require(request, READ)
    found = await request.app[DATABASE].read(lambda tx: lists.list_lists(tx, caller.account_id))
    return answer_value([list_value(one) for one in found])


async def show(request: Request) -> Response:
    caller = await require(request, READ)
    list_id = path_id(request)
    return answer_value(list_value(await request.app[DATABASE].read(lambda tx: _get(tx, caller.account_id, list_id))))


async def create(request: Request) -> Response:
    caller = await require(request, WRITE)
    fresh = AccountList(id=request.app[IDS].next(), account=caller.account_id, title="")
    one = _changed(fresh, await read_params(request))

    async def unit(tx: Tx) -> None:
        if len(await lists.list_lists(tx, caller.account_id)) >= MOST_LISTS:
            raise ClientFault("too-many-lists", _("You have as many lists as one can have."))
        await lists.put_list(tx, one)

    await request.app[DATABASE].write("make a list", unit)
    return answer_value(list_value(one))


async def update(request: Request) -> Response:
    caller = await require(request, WRITE)
    list_id, params = path_id(request), await read_params(request)

    async def unit(tx: Tx) -> AccountList:
        one = _changed(await _get(tx, caller.account_id, list_id), params)
        await lists.update_list(tx, one)
        return one

    return answer_value(list_value(await request.app[DATABASE].write("change a list", unit)))


async def drop(request: Request) -> Response:
    caller = await require(request, WRITE)
    list_id = path_id(request)
    if not await request.app[DATABASE].write("drop a list", lambda tx: lists.drop_list(tx, caller.account_id, list_id)):
        raise not_found()
    return empty()


async def show_members(request: Request) -> Response:
    """``limit=0`` asks for all."""
    caller = await require(request, READ)
    list_id, params = path_id(request), await read_params(request)
    window = Window(limit=MOST_MEMBERS) if params.integer("limit") == 0 else window_of(params)

    async def unit(tx: Tx) -> tuple[Cut, list[bytes]]:
        await _get(tx, caller.account_id, list_id)
        members = await lists.list_members(tx, list_id, one_more(window))
        page = cut([(member.id, member) for member in members], window)
        return page, await request.app[ENTITIES].render_accounts(tx, page.rows)

    return answer_page(request, *await request.app[DATABASE].read(unit))


async def add_members(request: Request) -> Response:
    caller = await require(request, WRITE)
    list_id = path_id(request)
    wanted = [AccountId(id_) for id_ in listed_ids(await read_params(request), "account_ids")]

    async def unit(tx: Tx) -> None:
        await _get(tx, caller.account_id, list_id)
        followed = await relations.list_followed(tx, caller.account_id, wanted)
        if not followed.issuperset(set(wanted) - {caller.account_id}):
            raise ClientFault("not-followed", _("You can add people to a list only if you follow them."), status=404)
        await lists.put_members(tx, list_id, wanted)

    await request.app[DATABASE].write("add to a list", unit)
    return empty()


async def drop_members(request: Request) -> Response:
    """The ids come in the query, or in the body of this DELETE."""
    caller = await require(request, WRITE)
    list_id = path_id(request)
    unwanted = [AccountId(id_) for id_ in listed_ids(await read_params(request), "account_ids")]

    async def unit(tx: Tx) -> None:
        await _get(tx, caller.account_id, list_id)
        await lists.drop_members(tx, list_id, unwanted)

    await request.app[DATABASE].write("take from a list", unit)
    return empty()


async def _get(tx: Tx, owner: AccountId, list_id: int) -> AccountList:
    found = await lists.find_list(tx, owner, list_id)
    if found is None:
        raise not_found()
    return found


def _changed(one: AccountList, params: Params) -> AccountList:
    title = params.text("title")
    title = one.title if title is None else title.strip()
    if not title or len(title) > MAX_TITLE:
        raise ClientFault("title-invalid", _("A list needs a title of at most 255 characters."))
    policy = params.text("replies_policy") or one.replies_policy
    if policy not in get_args(RepliesPolicy):
        raise ClientFault("parameter-invalid", _("The replies shown in a list are: followed, list or none."))
    exclusive = params.flag("exclusive")
    return replace(
        one,
        title=title,
        replies_policy=policy,  # type: ignore[arg-type]  # just checked
        exclusive=one.exclusive if exclusive is None else exclusive,
    )
