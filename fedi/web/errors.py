"""One fault, four renderers: which one depends on who asks.

- ``api``: ``{"error": sentence}``, never an empty body (clients decode nothing else)
- ``oauth``: RFC 6749 §5.2, ``{"error": code, "error_description": sentence}``
- ``document``: ``application/problem+json`` (RFC 9457) for other servers and for ``/fedi/*``
- ``page``: HTML

The sentence is the *safe* one, in the reader's language; the *internal* one never leaves the log.
"""

import json
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import Request, Response

from fedi.errors import ClientFault, Problem, Unreachable
from fedi.i18n import Translator, _
from fedi.web.locale import translator_of
from fedi.web.pages.render import render_page

Surface = Literal["api", "oauth", "document", "page"]

_OAUTH = frozenset({"/oauth/token", "/oauth/revoke", "/oauth/userinfo"})
_DOCUMENTS = (
    "/fedi/", "/users/", "/inbox", "/actor", "/contexts/", "/emojis/", "/.well-known/", "/nodeinfo/",
)  # fmt: skip

# By status, for faults that the framework raised: code and sentence.
_BY_STATUS: dict[int, tuple[str, str]] = {
    400: ("bad-request", _("The request cannot be read.")),
    401: ("no-token", _("This method needs an access token.")),
    403: ("forbidden", _("You are not allowed to do this.")),
    404: ("not-found", _("Nothing is here.")),
    405: ("method-not-allowed", _("This address does not take that method.")),
    406: ("not-acceptable", _("This is not available in the form you asked for.")),
    408: ("too-slow", _("The request cannot be read.")),
    410: ("gone", _("What was here has been deleted.")),
    411: ("length-required", _("The request must say its length.")),
    413: ("too-large", _("What you sent is too large.")),
    415: ("unsupported-media-type", _("Content of this kind is not understood here.")),
    417: ("expectation-failed", _("The request cannot be read.")),
    429: ("too-many-requests", _("Too many requests. Try again later.")),
    500: ("server-error", _("Something went wrong on this server. It is not your fault.")),
    503: ("unavailable", _("This cannot be done right now. Try again later.")),
}
_OAUTH_CODES = {400: "invalid_request", 401: "invalid_client", 403: "insufficient_scope", 429: "slow_down"}


def surface_of(request: Request) -> Surface:
    """Which of the four this request's answers belong to."""
    path = request.path
    if path.startswith("/api/") or path == "/api":
        return "api"
    if path in _OAUTH:
        return "oauth"
    if path.startswith(_DOCUMENTS) or (path.startswith("/@") and wants_activity(request)):
        return "page" if path.startswith("/users/") and wants_html(request) else "document"
    return "page"


def wants_activity(request: Request) -> bool:
    """Whether the reader is another server: it names ActivityPub's type (or JSON-LD's)."""
    accept = request.headers.get("Accept", "")
    return "application/activity+json" in accept or "application/ld+json" in accept


def wants_html(request: Request) -> bool:
    """Whether the reader is a browser: it names HTML and not ActivityPub's type."""
    return "text/html" in request.headers.get("Accept", "") and not wants_activity(request)


def problem_from(error: Exception) -> Problem:
    """Any exception as a problem. What is not a fault of somebody else's is ours: 500, and nothing told about it."""
    match error:
        case Problem():
            return error
        case Unreachable():
            return Problem(
                "peer-unreachable",
                _("Another server cannot be reached right now. Try again later."),
                status=503,
                internal=str(error),
                retry_after_s=error.retry_after_s,
            )
        case web.HTTPException():
            code, sentence = _BY_STATUS.get(error.status, _BY_STATUS[400 if error.status < 500 else 500])
            return ClientFault(code, sentence, status=error.status)
        case HttpProcessingError() | web.RequestPayloadError():  # a body broken in a way only its parser sees
            return ClientFault(*_BY_STATUS[400], status=400, internal=str(error))
        case _:
            return Problem(*_BY_STATUS[500], status=500)


def render_problem(request: Request, problem: Problem, *, request_id: str) -> Response:
    """The answer for a fault, in the reader's form and language."""
    t = translator_of(request)
    sentence = t.problem(problem)
    headers: dict[str, str] = {}
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    surface = surface_of(request)
    status = 404 if surface == "api" and problem.status == 405 else problem.status
    if status == 401 and surface in {"api", "oauth"}:
        headers["WWW-Authenticate"] = _challenge(problem, surface)
    match surface:
        case "api":
            return _json({"error": sentence, **problem.extra}, status, headers)
        case "oauth":
            code = problem.extra.get("oauth_error") or _OAUTH_CODES.get(status, "invalid_request")
            return _json(
                {"error": code, "error_description": sentence}, status, headers | {"Cache-Control": "no-store"}
            )
        case "document":
            return _problem_json(problem, sentence, status, headers, request_id)
        case "page":
            return _page(request, t, problem, headers=headers, request_id=request_id)


def render_unreadable(status: int) -> Response:
    """The answer to what could not be read as a request at all, so that nobody knows what it asked for."""
    code, sentence = _BY_STATUS.get(status, _BY_STATUS[400])
    body = {
        "type": f"urn:fedi:problem:{code}",
        "code": code,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": sentence,
        "error": sentence,
    }
    return Response(text=json.dumps(body), status=status, content_type="application/problem+json")


def _challenge(problem: Problem, surface: Surface) -> str:
    if surface == "oauth" and problem.extra.get("oauth_error") == "invalid_client":
        return 'Basic realm="fedi"'
    return 'Bearer realm="fedi"' + (', error="invalid_token"' if problem.code == "invalid-token" else "")


def _json(body: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    text = json.dumps(body, ensure_ascii=False)
    return Response(text=text, status=status, headers=headers, content_type="application/json")


def _problem_json(problem: Problem, sentence: str, status: int, headers: dict[str, str], request_id: str) -> Response:
    body = {
        "type": f"urn:fedi:problem:{problem.code}",
        "code": problem.code,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": sentence,
        "instance": f"urn:fedi:request:{request_id}",
        **problem.extra,
    }
    text = json.dumps(body, ensure_ascii=False)
    return Response(text=text, status=status, headers=headers, content_type="application/problem+json")


def _page(request: Request, t: Translator, problem: Problem, *, headers: dict[str, str], request_id: str) -> Response:
    response = render_page(
        request,
        "error.html",
        status=problem.status,
        title=_title(t, problem.status),
        sentence=t.problem(problem),
        request_id=request_id if problem.status >= 500 else None,
    )
    response.headers.update(headers)
    return response


def _title(t: Translator, status: int) -> str:
    match status:
        case 404:
            return t.gettext(_("Not found"))
        case 403:
            return t.gettext(_("Not allowed"))
        case 410:
            return t.gettext(_("Gone"))
        case 429:
            return t.gettext(_("Too many requests"))
        case _ if status >= 500:
            return t.gettext(_("Something went wrong"))
        case _:
            return t.gettext(_("This did not work"))
