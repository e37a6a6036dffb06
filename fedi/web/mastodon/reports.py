"""Telling the moderators about an account, and on request those of its own server."""

from collections.abc import Iterable
from typing import get_args

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.clock import api_time
from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.ids import AccountId, StatusId
from fedi.model.reports import Report, ReportCategory
from fedi.store import reports, statuses
from fedi.store.database import Tx
from fedi.web.callers import require
from fedi.web.entities.encode import encode, raw
from fedi.web.keys import CONFIG, DATABASE, ENTITIES, OUTBOX
from fedi.web.mastodon.accounts import get_account
from fedi.web.mastodon.answers import answer
from fedi.web.mastodon.asked import listed_ids
from fedi.web.params import Params, read_params


def setup_routes(app: web.Application) -> None:
    app.router.add_post("/api/v1/reports", report)
    app.router.add_post("/api/v1/reports/", report)  # as a library asks


async def report(request: Request) -> Response:
    caller = await require(request, "write:reports")
    params = await read_params(request)
    target = params.integer("account_id")
    if target is None:
        raise ClientFault("parameter-missing", _("Say which account you report."))
    made = await request.app[OUTBOX].report(
        caller.account_id,
        AccountId(target),
        statuses_of=[StatusId(id_) for id_ in listed_ids(params, "status_ids")],
        comment=(params.text("comment") or "").strip(),
        category=_category(params),
        forward=bool(params.flag("forward")),
    )
    rules = _rules(request, params)

    async def unit(tx: Tx) -> bytes:
        stored = await reports.find_report(tx, made)
        assert stored is not None
        named = (await statuses.find_ids_by_uri(tx, stored.statuses)).values()
        account = await request.app[ENTITIES].account(tx, await get_account(tx, stored.target))
        return encode(_value(stored, named, rules) | {"target_account": raw(account)})

    return answer(await request.app[DATABASE].read(unit))


def _value(stored: Report, named: Iterable[StatusId], rules: list[str]) -> dict[str, object]:
    return {
        "id": str(stored.id),
        "action_taken": False,
        "action_taken_at": None,
        "category": stored.category,
        "comment": stored.comment,
        "forwarded": stored.forwarded,
        "created_at": api_time(stored.created_at),
        "status_ids": [str(id_) for id_ in named],
        "rule_ids": rules,
        "collection_ids": [],
    }


def _category(params: Params) -> ReportCategory:
    found = params.text("category") or ("violation" if params.texts("rule_ids") else "other")
    if found not in get_args(ReportCategory):
        raise ClientFault("parameter-invalid", _("A report is about: spam, legal, violation or other."))
    return found  # type: ignore[return-value]  # just checked


def _rules(request: Request, params: Params) -> list[str]:
    count = len(request.app[CONFIG].instance.rules)
    found = listed_ids(params, "rule_ids")
    if any(not 1 <= rule <= count for rule in found):
        raise ClientFault("parameter-invalid", _("There is no such rule here."))
    return [str(rule) for rule in found]
