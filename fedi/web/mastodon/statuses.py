"""Statuses: writing, reading, deleting, and where they went."""

import msgspec
from aiohttp import web
from aiohttp.web import Request, Response

from fedi.auth.tokens import Caller
from fedi.clock import api_time
from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.ids import AccountId, MediaId, StatusId
from fedi.model.statuses import Status
from fedi.outbox.draft import Draft
from fedi.store import deliveries, media, polls, statuses, users
from fedi.store.database import Tx
from fedi.store.deliveries import ActivityReport, DeliveryTotal, HostReport
from fedi.web.callers import find_caller, require
from fedi.web.entities.encode import array, encode
from fedi.web.entities.statuses import render_history, render_source
from fedi.web.keys import CONFIG, DATABASE, ENTITIES, LIMITS, OUTBOX
from fedi.web.locale import translator_of
from fedi.web.mastodon.answers import answer, answer_value, not_found, status_id
from fedi.web.mastodon.asked import listed_ids
from fedi.web.mastodon.drafts import parse_draft, parse_edit, refuse_schedule
from fedi.web.params import read_params


def setup_routes(app: web.Application) -> None:
    add = app.router
    add.add_post("/api/v1/statuses", create)
    add.add_get("/api/v1/statuses", show_many)
    add.add_get("/api/v1/statuses/{id}", show)
    add.add_put("/api/v1/statuses/{id}", edit)
    add.add_patch("/api/v1/statuses/{id}", edit)
    add.add_delete("/api/v1/statuses/{id}", delete)
    add.add_get("/api/v1/statuses/{id}/source", source)
    add.add_get("/api/v1/statuses/{id}/history", history)
    add.add_get("/api/fedi/v1/statuses/{id}/delivery", delivery)


# Writing ------------------------------------------------------------------------------------------------------


async def create(request: Request) -> Response:
    """With an ``Idempotency-Key`` a repeat gets the status of the first; what was refused is not remembered."""
    caller = await require(request, "write:statuses")
    params = await read_params(request)
    refuse_schedule(params)
    user = await request.app[DATABASE].read_now(lambda tx: users.find_user(tx, caller.account_id))
    assert user is not None
    key = request.headers.get("Idempotency-Key") or None
    draft = parse_draft(params, user.settings, application=caller.app_id, idempotency_key=key[:200] if key else None)
    return await _published(request, caller, draft)


async def _published(request: Request, caller: Caller, draft: Draft) -> Response:
    status = await request.app[OUTBOX].post(caller.account_id, draft)
    return await answer_status(request, status, caller.account_id)


async def edit(request: Request) -> Response:
    caller = await require(request, "write:statuses")
    status, params = status_id(request), await read_params(request)
    before = await request.app[DATABASE].read_now(lambda tx: own_status(tx, status, caller.account_id))
    await request.app[OUTBOX].edit(caller.account_id, status, parse_edit(params, before))
    return await answer_status(request, status, caller.account_id)


async def delete(request: Request) -> Response:
    """The answer holds the ``text`` as written instead of ``content``: "delete and redraft" starts from it."""
    caller = await require(request, "write:statuses")
    config = request.app[CONFIG]
    request.app[LIMITS].require("deletions", caller.account_id, config.limits.deletions)
    status, viewer = status_id(request), caller.account_id
    entities = request.app[ENTITIES]

    async def unit(tx: Tx) -> tuple[Status, bytes]:
        row = await own_status(tx, status, viewer)
        shown = await entities.statuses(tx, [status], viewer)
        if status not in shown:
            raise not_found()
        return row, shown[status]

    row, body = await request.app[DATABASE].read(unit)
    if row.reblog_of is not None:
        await request.app[OUTBOX].unreblog(viewer, row.reblog_of)
    else:
        await request.app[OUTBOX].delete(viewer, status)
    value = msgspec.json.decode(body)
    del value["content"]
    return answer_value(value | {"text": row.source or ""})


# Reading ------------------------------------------------------------------------------------------------------


async def show(request: Request) -> Response:
    caller = await find_caller(request, "read:statuses")
    return await answer_status(request, status_id(request), caller.account_id if caller else None)


async def show_many(request: Request) -> Response:
    """``id[]``; those that may not be seen are left out."""
    caller = await find_caller(request, "read:statuses")
    params = await read_params(request)
    wanted = [StatusId(id_) for id_ in listed_ids(params, "id")]
    viewer = caller.account_id if caller else None
    entities = request.app[ENTITIES]
    shown = await request.app[DATABASE].read(lambda tx: entities.statuses(tx, wanted, viewer))
    return answer(array(shown.values()))


async def answer_status(request: Request, status: StatusId, viewer: AccountId | None) -> Response:
    """One status as it is now, or why it is hidden. 404 when there is none to see."""
    entities, t = request.app[ENTITIES], translator_of(request)
    body = await request.app[DATABASE].read_now(lambda tx: entities.status(tx, status, viewer, t))
    if body is None:
        raise not_found()
    return answer(body)


async def source(request: Request) -> Response:
    caller = await require(request, "read:statuses")
    status = status_id(request)
    row = await request.app[DATABASE].read_now(lambda tx: own_status(tx, status, caller.account_id))
    return answer(render_source(row))


async def history(request: Request) -> Response:
    """Every version, also of a post that was never edited."""
    caller = await find_caller(request, "read:statuses")
    status = status_id(request)
    entities = request.app[ENTITIES]

    async def unit(tx: Tx) -> bytes:
        row = await seen_status(tx, status, caller.account_id if caller else None)
        edits = await statuses.list_edits(tx, status)
        known = await media.find_many(tx, {MediaId(was.id) for one in edits for was in one.media})
        attached = (await media.list_of_statuses(tx, [status])).get(status, ())
        poll = await polls.find_poll(tx, status) if row.poll is not None else None
        return render_history(
            edits,
            row,
            account=(await entities.accounts(tx, [row.account]))[row.account],
            media=known,
            attached=attached,
            poll=None if poll is None else [option.title for option in poll.options],
            urls=entities.urls,
        )

    return answer(await request.app[DATABASE].read(unit))


async def seen_status(tx: Tx, status: StatusId, viewer: AccountId | None) -> Status:
    """A status that the viewer may see; of a boost what it boosts. Raises 404 otherwise."""
    row = await statuses.find_status(tx, status)
    if row is not None and row.reblog_of is not None and row.deleted_at is None:
        row = await statuses.find_status(tx, row.reblog_of)
    if row is None or not await statuses.may_see(tx, row, viewer):
        raise not_found()
    return row


async def own_status(tx: Tx, status: StatusId, account: AccountId) -> Status:
    """Raises 404 when it is another's: its text as written is nobody else's business."""
    row = await statuses.find_status(tx, status)
    if row is None or row.account != account or row.deleted_at is not None:
        raise not_found()
    return row


# Where it went ------------------------------------------------------------------------------------------------


async def delivery(request: Request) -> Response:
    """For the author alone: which servers have it, which are waiting, which refused it and with what."""
    caller = await require(request, "read:statuses")
    status = status_id(request)

    async def unit(tx: Tx) -> tuple[list[ActivityReport], list[DeliveryTotal]]:
        row = await statuses.find_status(tx, status)
        if row is None or row.account != caller.account_id:
            raise ClientFault("not-the-author", _("Only its author sees where a post went."), status=404)
        return await deliveries.report(tx, status, caller.account_id), await deliveries.list_totals(tx, status)

    reports, totals = await request.app[DATABASE].read(unit)
    value = {
        "id": str(status),
        "activities": [
            {
                "type": report.kind,
                "activity": report.activity,
                "recipients": report.recipients,
                "hosts": [_host(host) for host in report.hosts],
            }
            for report in reports
        ],
        "totals": [total._asdict() for total in totals],
    }
    return answer(encode(value))


def _host(of: HostReport) -> dict[str, object]:
    return {
        "host": of.host,
        "state": of.state,
        "inboxes": of.states,
        "recipients": of.recipients,
        "attempts": of.attempts,
        "next_at": None if of.next_at is None else api_time(of.next_at),
        "code": of.code,
        "error": of.error,
        "updated_at": api_time(of.updated_at),
        "unreachable_since": None if of.unreachable_since is None else api_time(of.unreachable_since),
    }
