"""The outermost layer of the web: request id, limits, CORS, faults to answers, headers every answer has.

Headers are added when an answer is prepared, so that streams have them too.
"""

import random

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web import Request, Response, StreamResponse

from fedi.errors import ClientFault, Problem
from fedi.i18n import _
from fedi.web.addresses import IPNetwork, find_client_address, limit_key
from fedi.web.again import ANSWERS, Answers, Counted, Standing
from fedi.web.callers import find_grant
from fedi.web.errors import problem_from, render_problem
from fedi.web.keys import CLOCK, CONFIG, DATABASE, DECISIONS, LIMITS
from fedi.web.limits import Allowance, too_many

log = structlog.get_logger("fedi.web")

_PROXIES: web.AppKey[tuple[IPNetwork, ...]] = web.AppKey("proxies", tuple)
_REQUEST_ID = web.RequestKey("request_id", str)
_ADDRESS = web.RequestKey("address", str)
_ALLOWANCE = web.RequestKey("allowance", Allowance)
_COUNTED = web.RequestKey("counted", Counted)

_CORS_PATHS = ("/api/", "/.well-known/", "/nodeinfo/", "/fedi/")
_CORS_EXACT = frozenset({"/oauth/token", "/oauth/revoke", "/oauth/userinfo"})
_EXPOSED = (
    "Link, Mastodon-Async-Refresh, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id, "
    "Fedi-View, Fedi-Receipt"
)
_PLAIN = Standing.of({"Server": "fedi", "X-Content-Type-Options": "nosniff"})
_CORS = Standing.of({**_PLAIN.headers, "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": _EXPOSED})
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Max-Age": "86400",
}


def install(app: web.Application) -> None:
    """Puts this layer around ``app``. Needs CONFIG, CLOCK, DATABASE, DECISIONS, LIMITS; TOKENS by the time it serves."""
    config = app[CONFIG]
    app[_PROXIES] = config.server.proxy_networks
    app[ANSWERS] = Answers(
        database=app[DATABASE],
        clock=app[CLOCK],
        decisions=app[DECISIONS],
        limits=app[LIMITS],
        rates=config.limits,
        proxies=config.server.proxy_networks,
    )
    app.middlewares.insert(0, answer)
    app.on_response_prepare.append(add_headers)


@web.middleware
async def answer(request: Request, handler: Handler) -> StreamResponse:
    try:
        _refuse_nul(request.raw_path)
        if request.method == "OPTIONS" and is_cross_origin(request.path):
            return _preflight(request)
        if request.path.startswith("/api/"):
            await _count(request)
        return _kept(request, await handler(request))
    except web.HTTPException as outcome:
        if outcome.status < 400:
            raise  # a redirect
        return render_problem(request, problem_from(outcome), request_id=request_id(request))
    except Problem as problem:
        if problem.status >= 500 or problem.internal:
            log.info("refused", code=problem.code, detail=problem.internal, request_id=request_id(request))
        return render_problem(request, problem, request_id=request_id(request))
    except Exception as error:  # the one place where our own bugs become an answer
        fault = problem_from(error)
        if fault.code == "server-error" and not _has_left(request, error):
            log.exception("failed", method=request.method, path=request.path, request_id=request_id(request))
        return render_problem(request, fault, request_id=request_id(request))


def _refuse_nul(target: str) -> None:
    """A NUL names nothing, and PostgreSQL cannot even look for it. Raises ``ClientFault``."""
    if "%00" in target:
        if "%00" in target.partition("?")[0]:
            raise ClientFault("not-found", _("Nothing is here."), status=404)
        raise ClientFault("bad-request", _("The request cannot be read."), status=400)


def _has_left(request: Request, error: Exception) -> bool:
    """Whether it failed only because the client went away while it was read or answered."""
    return isinstance(error, ConnectionResetError) and (request.transport is None or request.transport.is_closing())


def _kept(request: Request, response: StreamResponse) -> StreamResponse:
    request.app[ANSWERS].keep(request, response, _standing(request.path), request.get(_COUNTED))
    return response


async def add_headers(request: Request, response: StreamResponse) -> None:
    """Runs before the first byte of every answer."""
    headers = response.headers
    headers["X-Request-Id"] = request_id(request)
    headers.update(_standing(request.path).headers)
    allowance = request.get(_ALLOWANCE)
    if allowance is not None:
        headers.update(allowance.headers())


def _standing(path: str) -> Standing:
    return _CORS if is_cross_origin(path) else _PLAIN


def request_id(request: Request) -> str:
    """Random and short, made once per request: what a person quotes and the log names."""
    known = request.get(_REQUEST_ID)
    if known is None:
        known = request[_REQUEST_ID] = f"{random.getrandbits(64):016x}"  # a name, not a secret
    return known


def client_address(request: Request) -> str:
    """The client's address; ``X-Forwarded-For`` counts only from the configured proxies."""
    known = request.get(_ADDRESS)
    if known is None:
        forwarded = request.headers.getall("X-Forwarded-For", [])
        proxies = request.app[_PROXIES]
        known = request[_ADDRESS] = find_client_address(request.remote, forwarded, proxies)
    return known


def limit_of_address(request: Request) -> str:
    """What limits by address count: see :func:`fedi.web.addresses.limit_key`."""
    return limit_key(client_address(request))


def is_cross_origin(path: str) -> bool:
    """Whether web clients of other origins may call this path. Never with cookies."""
    return path.startswith(_CORS_PATHS) or path in _CORS_EXACT


def _preflight(request: Request) -> Response:
    wanted = request.headers.get("Access-Control-Request-Headers") or "Authorization, Content-Type, Idempotency-Key"
    return web.json_response({}, headers={**_PREFLIGHT, "Access-Control-Allow-Headers": wanted})


async def _count(request: Request) -> None:
    """One request from the bucket of the token (else of the address), and one from that of the person."""
    limits, rates = request.app[LIMITS], request.app[CONFIG].limits
    grant = await find_grant(request)
    who: object = ("token", grant.token_id) if grant is not None else ("address", limit_of_address(request))
    person = grant.caller.account_id if grant is not None and grant.caller is not None else None
    request[_COUNTED] = Counted(None if grant is None else grant.token_id, person)
    allowance = request[_ALLOWANCE] = limits.take("client", who, rates.client_requests)
    if not allowance.refused and person is not None:
        of_person = limits.take("user", person, rates.user_requests)
        if of_person.refused:
            allowance = request[_ALLOWANCE] = of_person
    # Web clients register one app for all their users, from the address of their own server.
    if allowance.refused and request.path != "/api/v1/apps":
        raise too_many(allowance)
