"""Web sessions and forms: who is signed in on this browser, and whether a form was sent by its own page.

Every form carries a token made from a secret that only this browser's cookie holds; another site can make a browser
send a form, but cannot know the token. The secret is the session's, or before sign-in one made for the form.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from aiohttp import web
from aiohttp.web import Request, StreamResponse

from fedi.auth.tokens import make_secret
from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.store.oauth import SessionRow
from fedi.web.keys import CONFIG, SESSIONS
from fedi.web.redirects import redirect

SESSION_COOKIE = "session"
FORM_COOKIE = "form"
SESSION_AGE_S = 30 * 86_400
TOKEN_FIELD = "form_token"  # noqa: S105 - the name of a field

SESSION: web.RequestKey[SessionRow | None] = web.RequestKey("session")
_NEW_FORM_SECRET = web.RequestKey("new_form_secret", str)


def cookie_name(request: Request, name: str) -> str:
    """``__Host-`` ties a cookie to this very host and to https; a test instance without https goes without."""
    return name if request.app[CONFIG].instance.http else f"__Host-{name}"


def set_cookie(request: Request, response: StreamResponse, name: str, value: str, *, max_age_s: int | None) -> None:
    response.set_cookie(
        cookie_name(request, name),
        value,
        max_age=max_age_s,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=not request.app[CONFIG].instance.http,
    )


def drop_cookie(request: Request, response: StreamResponse, name: str) -> None:
    set_cookie(request, response, name, "", max_age_s=0)


async def find_session(request: Request) -> SessionRow | None:
    """Who is signed in on this browser; asked once per request, and shown in the page's header."""
    if SESSION not in request:
        secret = request.cookies.get(cookie_name(request, SESSION_COOKIE))
        request[SESSION] = await request.app[SESSIONS].find(secret) if secret else None
    return request[SESSION]


async def require_session(request: Request) -> SessionRow:
    """As :func:`find_session`; sends a stranger to the sign-in page and back here afterwards."""
    session = await find_session(request)
    if session is None:
        raise redirect(f"/auth/sign-in?next={quote(request.path_qs, safe='')}")
    return session


def form_token(request: Request) -> str:
    """The token for the forms of this page. :func:`keep_form_secret` must see the answer."""
    return _token_of(_form_secret(request))


def keep_form_secret(request: Request, response: StreamResponse) -> None:
    """Gives the browser the secret that :func:`form_token` had to make, if it did."""
    made = request.get(_NEW_FORM_SECRET)
    if made is not None:
        set_cookie(request, response, FORM_COOKIE, made, max_age_s=None)


def check_form(request: Request, values: Mapping[str, Any]) -> None:
    """Raises ``ClientFault`` 403 unless the form comes from a page that we gave this very browser."""
    origin = request.headers.get("Origin")
    sent = values.get(TOKEN_FIELD)
    secret = _known_secret(request)
    ours = origin is None or origin == request.app[CONFIG].origin
    if not ours or secret is None or not isinstance(sent, str) or not _is_equal(sent, _token_of(secret)):
        raise ClientFault(
            "form-expired", _("This form has expired. Go back, reload the page and send it again."), status=403
        )


def safe_next(path: object) -> str:
    """A path on this server to go on to; ``/`` for anything that could lead elsewhere."""
    if not isinstance(path, str) or not path.startswith("/") or path.startswith(("//", "/\\")):
        return "/"
    return path if path.isprintable() and "\\" not in path and len(path) <= 4000 else "/"


def _form_secret(request: Request) -> str:
    known = _known_secret(request) or request.get(_NEW_FORM_SECRET)
    if known is None:
        known = request[_NEW_FORM_SECRET] = make_secret()
    return known


def _known_secret(request: Request) -> str | None:
    for name in (SESSION_COOKIE, FORM_COOKIE):
        secret = request.cookies.get(cookie_name(request, name))
        if secret:
            return secret
    return None


def _token_of(secret: str) -> str:
    return hashlib.sha256(b"fedi form\0" + secret.encode("utf-8", "surrogatepass")).hexdigest()


def _is_equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode())
