"""``GET /fedi/decision/{id}``: what was decided, by which rule, why, and until when. For anybody."""

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.clock import wire_time
from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.ledger.decisions import Decision, find_decision
from fedi.web.entities.encode import encode
from fedi.web.keys import CLOCK, DATABASE


def setup_routes(app: web.Application) -> None:
    app.router.add_get("/fedi/decision/{id}", show)


async def show(request: Request) -> Response:
    """The subject is named only where it is a host: an account's name stays with those who see its posts."""
    id_ = request.match_info["id"]
    found = await request.app[DATABASE].read(lambda tx: find_decision(tx, id_))
    if found is None:
        raise ClientFault("not-found", _("There is no such decision."), status=404)
    body = encode(_value(found, request.app[CLOCK].ms() // 1000))
    return Response(body=body, headers={"Content-Type": "application/json; charset=utf-8"})


def _value(of: Decision, now_s: int) -> dict[str, object]:
    return {
        "id": of.id,
        "scope": of.scope,
        "subject": of.subject.removeprefix("host:") if of.scope == "domain" else None,
        "effect": of.effect,
        "rule": of.rule,
        "reason": of.reason,
        "by": of.by_role,
        "since": wire_time(of.start_at * 1000),
        "until": wire_time(of.until * 1000),
        "ended": None if of.ended_at is None else wire_time(of.ended_at * 1000),
        "in_force": of.is_live(now_s),
    }
