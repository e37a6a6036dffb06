"""Notifications v2, each in a group of its own: a form that is fully valid, and the one clients know from v1.

Accounts and statuses stand beside the groups, each once.
"""

import re
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.clock import api_time
from fedi.ids import AccountId, StatusId
from fedi.model.notifications import Notification
from fedi.store import notifications
from fedi.store.database import Tx
from fedi.web.callers import require
from fedi.web.entities.encode import array, encode, raw
from fedi.web.entities.others import needs_status, notification_type
from fedi.web.keys import DATABASE, ENTITIES
from fedi.web.mastodon.answers import (
    Cut,
    answer,
    answer_value,
    cut,
    limit_of,
    not_found,
    one_more,
    page_links,
    window_of,
)
from fedi.web.mastodon.asked import empty
from fedi.web.mastodon.notifications import MOST_UNREAD, READ, UNREAD, WRITE, count_above_marker, list_page
from fedi.web.params import read_params

_KEY = re.compile(r"ungrouped-([0-9]{1,18})", re.ASCII)


def setup_routes(app: web.Application) -> None:
    app.router.add_get("/api/v2/notifications", list_groups)
    app.router.add_get("/api/v2/notifications/unread_count", count_unread)
    app.router.add_post("/api/v2/notifications/clear", clear)
    app.router.add_get("/api/v2/notifications/{group_key}", show_group)
    app.router.add_get("/api/v2/notifications/{group_key}/accounts", list_accounts)
    app.router.add_post("/api/v2/notifications/{group_key}/dismiss", dismiss)


async def list_groups(request: Request) -> Response:
    caller = await require(request, READ)
    params = await read_params(request)
    window = window_of(params)

    async def unit(tx: Tx) -> tuple[Cut, bytes]:
        rows = await list_page(tx, caller.account_id, params, one_more(window))
        page = cut([(row.id, row) for row in rows], window)
        return page, await _grouped(request, tx, page.rows, caller.account_id)

    page, body = await request.app[DATABASE].read(unit)
    links = page_links(request, older=page.older, newer=page.newer)
    return answer(body, headers={"Link": links} if links else None)


async def count_unread(request: Request) -> Response:
    """Groups, of which each has one notification."""
    caller = await require(request, READ)
    limit = limit_of(await read_params(request), UNREAD, MOST_UNREAD)
    count = await request.app[DATABASE].read(lambda tx: count_above_marker(tx, caller.account_id, limit))
    return answer_value({"count": count})


async def show_group(request: Request) -> Response:
    caller = await require(request, READ)

    async def unit(tx: Tx) -> bytes:
        return await _grouped(request, tx, [await _get(request, tx, caller.account_id)], caller.account_id)

    return answer(await request.app[DATABASE].read(unit))


async def list_accounts(request: Request) -> Response:
    caller = await require(request, READ)

    async def unit(tx: Tx) -> bytes:
        row = await _get(request, tx, caller.account_id)
        return array((await request.app[ENTITIES].accounts(tx, [row.actor])).values())

    return answer(await request.app[DATABASE].read(unit))


async def dismiss(request: Request) -> Response:
    caller = await require(request, WRITE)

    async def unit(tx: Tx) -> None:
        row = await _get(request, tx, caller.account_id)
        await notifications.drop_notification(tx, caller.account_id, row.id)

    await request.app[DATABASE].write("dismiss a group", unit)
    return empty()


async def clear(request: Request) -> Response:
    caller = await require(request, WRITE)
    await request.app[DATABASE].write("clear notifications", lambda tx: notifications.drop_all(tx, caller.account_id))
    return empty()


async def _get(request: Request, tx: Tx, owner: AccountId) -> Notification:
    match = _KEY.fullmatch(request.match_info["group_key"])
    row = None if match is None else await notifications.find_notification(tx, owner, int(match[1]))
    if row is None:
        raise not_found()
    return row


async def _grouped(request: Request, tx: Tx, rows: Sequence[Notification], viewer: AccountId) -> bytes:
    """Those left out of v1 are left out here too: whose status may not be read, or that clients have no word for."""
    entities = request.app[ENTITIES]
    accounts = await entities.accounts(tx, {row.actor for row in rows})
    statuses = await entities.statuses(tx, {row.status for row in rows if row.status is not None}, viewer)
    shown = [row for row in rows if _is_shown(row, accounts, statuses)]
    used_accounts = {row.actor for row in shown}
    used_statuses = {row.status for row in shown}
    return encode({
        "accounts": [raw(body) for id_, body in accounts.items() if id_ in used_accounts],
        "statuses": [raw(body) for id_, body in statuses.items() if id_ in used_statuses],
        "notification_groups": [_group(row) for row in shown],
    })  # fmt: skip


def _is_shown(row: Notification, accounts: dict[AccountId, bytes], statuses: dict[StatusId, bytes]) -> bool:
    known = notification_type(row) is not None and row.actor in accounts
    return known and (row.status in statuses or not needs_status(row))


def _group(row: Notification) -> dict[str, Any]:
    group: dict[str, Any] = {
        "group_key": f"ungrouped-{row.id}",
        "notifications_count": 1,
        "type": notification_type(row),
        "most_recent_notification_id": row.id,  # a JSON number, which some clients insist on
        "page_min_id": str(row.id),
        "page_max_id": str(row.id),
        "latest_page_notification_at": api_time(row.created_at),
        "sample_account_ids": [str(row.actor)],
    }
    if row.status is not None and needs_status(row):
        group["status_id"] = str(row.status)
    return group
