"""Who calls the API: the token of a request, and what it may do.

A handler begins with one of these, and never looks at headers itself::

    caller = await require(request, "read:statuses")      # a person: 401 without, 403 outside the scope
    caller = await find_caller(request)                   # a person, or None for anonymous readers
    grant = await require_app(request)                    # any valid token, an app's own too
"""

from aiohttp import web
from aiohttp.web import Request

from fedi.auth.tokens import Caller, Grant
from fedi.errors import ClientFault
from fedi.web.keys import TOKENS

_GRANT: web.RequestKey[Grant | None] = web.RequestKey("grant")


def bearer_of(request: Request) -> str | None:
    """The token as sent: ``Authorization: Bearer x``, or ``?access_token=x`` as browsers' streams must."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return secret.strip()
    return request.query.get("access_token") or None if request.query_string else None


async def find_grant(request: Request) -> Grant | None:
    """The grant behind the request's token; None without a token, or with one nobody knows (asked once per request)."""
    if _GRANT not in request:
        secret = bearer_of(request)
        request[_GRANT] = None if secret is None else await request.app[TOKENS].find(secret)
    return request[_GRANT]


def caller_from(grant: Grant | None, request: Request, *scopes: str) -> Caller:
    """The person behind a grant, or the fault that says what is missing."""
    if grant is None:
        raise _unauthorized(request)
    if grant.caller is None:
        raise ClientFault("user-token-required", "This method requires an authenticated user.", status=422)
    if not grant.confirmed:
        raise ClientFault("unconfirmed", "Your e-mail address is not confirmed yet.", status=403)
    _require_scope(grant, scopes)
    return grant.caller


async def require(request: Request, *scopes: str) -> Caller:
    """The person whose token has one of ``scopes`` (none given: any valid user token).

    Raises ``ClientFault`` 401 without a valid token, 403 outside the scopes or while the account is unconfirmed.
    """
    return caller_from(await find_grant(request), request, *scopes)


async def find_caller(request: Request, *scopes: str) -> Caller | None:
    """The person, if the request carries a token; None for anonymous readers and apps' own tokens.

    A token that was revoked is refused (401) rather than taken for anonymous: so an app learns that it must log in.
    """
    grant = await find_grant(request)
    if grant is None:
        if bearer_of(request) is not None:
            raise _unauthorized(request)
        return None
    if grant.caller is None or not grant.confirmed:
        return None
    _require_scope(grant, scopes)
    return grant.caller


async def require_app(request: Request, *scopes: str) -> Grant:
    """Any valid token, that of an app itself included."""
    grant = await find_grant(request)
    if grant is None:
        raise _unauthorized(request)
    _require_scope(grant, scopes)
    return grant


def _require_scope(grant: Grant, scopes: tuple[str, ...]) -> None:
    if scopes and not any(grant.may(scope) for scope in scopes):
        raise ClientFault(
            "outside-scope",
            "This action is outside the authorized scopes. It needs “%(scope)s”.",
            status=403,
            params={"scope": scopes[0]},
        )


def _unauthorized(request: Request) -> ClientFault:
    if bearer_of(request) is None:
        return ClientFault("no-token", "This method needs an access token.", status=401)
    return ClientFault("invalid-token", "The access token is invalid or was revoked.", status=401)
