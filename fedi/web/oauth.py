"""OAuth 2 as apps for the Mastodon API use it (RFC 6749, 7009, 7636, 8414): apps, consent, tokens.

Redirect URIs are compared and answered byte for byte. Tokens never expire; the scope is always echoed.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote_plus, urlencode, urlsplit

from aiohttp import web
from aiohttp.web import Request, Response, StreamResponse

from fedi.auth.grants import Issued, check_redirect_uri, is_challenge, is_within
from fedi.auth.scopes import KNOWN, OUT_OF_BAND, parse_scopes, render_scopes
from fedi.errors import ClientFault
from fedi.i18n import LOCALES, Translator, _
from fedi.store import accounts
from fedi.store.oauth import App
from fedi.web.callers import require, require_app
from fedi.web.forms import check_form, find_session
from fedi.web.keys import CONFIG, DATABASE, GRANTS, TOKENS, URIS
from fedi.web.locale import set_translator, translator_of
from fedi.web.pages.render import render_page
from fedi.web.params import Params, read_params
from fedi.web.redirects import redirect

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def routes() -> list[web.RouteDef]:
    return [
        web.post("/api/v1/apps", register_app),
        web.get("/api/v1/apps/verify_credentials", verify_app),
        *(
            route
            for path in ("/oauth/authorize", "/oauth/authorize/")
            for route in (web.get(path, show_consent), web.post(path, take_consent))
        ),
        web.get("/oauth/authorize/native", show_code),
        web.post("/oauth/token", exchange),
        web.post("/oauth/revoke", revoke),
        web.get("/oauth/userinfo", userinfo),
        web.post("/oauth/userinfo", userinfo),
        web.get("/.well-known/oauth-authorization-server", metadata),
    ]


# Apps ---------------------------------------------------------------------------------------------------------


async def register_app(request: Request) -> Response:
    """Needs no token, and has no limit by address: a web client registers for all its users from one."""
    params = await read_params(request)
    uris = [uri for text in params.texts("redirect_uris") or [] for uri in text.split()]
    scopes = parse_scopes(" ".join(params.texts("scopes") or []))
    new = await request.app[GRANTS].register(
        name=params.text("client_name") or "",
        website=_website(params.text("website")),
        redirect_uris=uris,
        scopes=scopes,
    )
    secrets = {"client_id": new.app.client_id, "client_secret": new.client_secret, "client_secret_expires_at": 0}
    return web.json_response(_render_app(new.app) | secrets, headers=_NO_STORE)


async def verify_app(request: Request) -> Response:
    grant = await require_app(request)
    app = await request.app[GRANTS].find_app_by_id(grant.app_id)
    if app is None:
        raise ClientFault("invalid-token", "The access token is invalid or was revoked.", status=401)
    return web.json_response(_render_app(app))


def _website(text: str | None) -> str | None:
    """Shown as a link, so only web addresses; what an app says beyond that is dropped, not refused."""
    return text if text and text.startswith(("https://", "http://")) and len(text) <= 2000 else None


def _render_app(app: App) -> dict[str, Any]:
    return {
        "id": str(app.id),
        "name": app.name,
        "website": app.website,
        "scopes": render_scopes(app.scopes).split(),
        "redirect_uri": "\n".join(app.redirect_uris),
        "redirect_uris": list(app.redirect_uris),
        "vapid_key": "",
    }


# Consent ------------------------------------------------------------------------------------------------------


class _Asked:
    """A checked authorization request."""

    def __init__(self, *, app: App, redirect_uri: str, scopes: frozenset[str], params: Params) -> None:
        self.app = app
        self.redirect_uri = redirect_uri
        self.scopes = scopes
        self.state = params.text("state")
        self.challenge = params.text("code_challenge") or None
        self.fields = {
            name: value
            for name in (
                "response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge",
                "code_challenge_method", "lang",
            )
            if (value := params.text(name)) is not None
        }  # fmt: skip

    def back(self, **answer: str) -> str:
        """The redirect URI with the answer added, nothing else changed."""
        if self.state is not None:
            answer["state"] = self.state
        mark = "&" if "?" in self.redirect_uri else "?"
        return f"{self.redirect_uri}{mark}{urlencode(answer, quote_via=quote)}"


async def _read_request(request: Request, params: Params) -> _Asked:
    """Checks an authorization request.

    Its faults are shown here rather than sent to the app: anybody may register an app, and a link to us must not
    forward people to an address of its author's choice (RFC 9700 §4.11).
    """
    app = await request.app[GRANTS].find_app(params.text("client_id") or "")
    if app is None:
        raise ClientFault(
            "unknown-app", _("This app is not registered here. Remove it there and log in again."), status=400
        )
    redirect_uri = params.text("redirect_uri")
    if redirect_uri is None and len(app.redirect_uris) == 1:
        redirect_uri = app.redirect_uris[0]
    if redirect_uri is None or redirect_uri not in app.redirect_uris:
        raise ClientFault(
            "redirect-mismatch", _("The app named an address to return to that it did not register."), status=400
        )
    check_redirect_uri(redirect_uri)
    if params.text("response_type") != "code":
        raise ClientFault(
            "unsupported-response-type", _("The app asked for a kind of answer that is not offered here."), status=400
        )
    try:
        scopes = parse_scopes(params.text("scope") or "")
    except ClientFault as fault:
        raise ClientFault(fault.code, fault.safe, status=400, params=fault.params) from None
    if not is_within(app, scopes):
        raise ClientFault("scope-not-registered", _("The app asked for more than it registered for."), status=400)
    challenge = params.text("code_challenge")
    method = params.text("code_challenge_method")
    if (challenge and (method != "S256" or not is_challenge(challenge))) or (method and not challenge):
        raise ClientFault("bad-challenge", _("The app used a code challenge that is not S256."), status=400)
    return _Asked(app=app, redirect_uri=redirect_uri, scopes=scopes, params=params)


async def show_consent(request: Request) -> StreamResponse:
    params = await read_params(request)
    if (lang := params.text("lang")) and lang.partition("-")[0].lower() in LOCALES:
        set_translator(request, lang)
    asked = await _read_request(request, params)
    session = await find_session(request)
    if session is None or params.flag("force_login"):
        again = f"/oauth/authorize?{urlencode(asked.fields)}"  # without force_login, or there would be no end
        words = {"next": again} | ({"lang": lang} if lang else {})
        raise redirect(f"/auth/sign-in?{urlencode(words)}")
    return render_page(
        request,
        "authorize.html",
        form_action=f"'self' {_form_target(asked.redirect_uri)}".strip(),
        app=asked.app,
        fields=asked.fields,
        again=f"/oauth/authorize?{urlencode(asked.fields)}",
        groups=_scope_groups(translator_of(request), asked.scopes),
        returns_to=None if asked.redirect_uri == OUT_OF_BAND else _shown_target(asked.redirect_uri),
    )


async def take_consent(request: Request) -> StreamResponse:
    params = await read_params(request)
    session = await find_session(request)
    check_form(request, params)
    asked = await _read_request(request, params)
    if session is None:
        raise redirect(f"/auth/sign-in?{urlencode({'next': f'/oauth/authorize?{urlencode(asked.fields)}'})}")
    out_of_band = asked.redirect_uri == OUT_OF_BAND
    if params.text("decision") != "allow":
        raise redirect("/" if out_of_band else asked.back(error="access_denied"))
    code = await request.app[GRANTS].consent(
        app=asked.app,
        account=session.account,
        redirect_uri=asked.redirect_uri,
        scopes=asked.scopes,
        challenge=asked.challenge,
    )
    raise redirect(f"/oauth/authorize/native?code={code}" if out_of_band else asked.back(code=code))


async def show_code(request: Request) -> Response:
    """For apps without an address to return to: the code, to be copied."""
    await find_session(request)
    return render_page(request, "authorize_native.html", code=request.query.get("code", "")[:200])


def _form_target(redirect_uri: str) -> str:
    """The source expression that lets the answer of the consent form leave for the app."""
    parts = urlsplit(redirect_uri)
    if parts.scheme in {"http", "https"}:
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}" if host.isascii() and not set(host) & set(" ;,'\"") else f"{parts.scheme}:"
    return f"{redirect_uri.partition(':')[0]}:"


def _shown_target(redirect_uri: str) -> str:
    """Where the answer goes, as people can judge it: a host, or the app's own scheme."""
    parts = urlsplit(redirect_uri)
    return parts.hostname or redirect_uri.partition(":")[0] if parts.scheme in {"http", "https"} else redirect_uri[:80]


# What a scope means, in words; those of a group are shown as one line.
_MEANINGS: tuple[tuple[str, str], ...] = (
    ("read", _("Read everything you can read here, private messages included")),
    ("write", _("Post, edit and delete in your name, and change your profile and lists")),
    ("follow", _("Follow, mute and block in your name")),
    ("push", _("Receive your notifications")),
    ("profile", _("See who you are")),
    ("admin:read", _("Read what the people who run this server can read")),
    ("admin:write", _("Change what the people who run this server can change")),
)


def _scope_groups(t: Translator, scopes: frozenset[str]) -> list[tuple[str, list[str]]]:
    """``[(meaning, narrower scopes asked for)]``; no narrower ones: the whole."""
    held = [scope for scope in KNOWN if scope in scopes]
    groups: list[tuple[str, list[str]]] = []
    for word, meaning in _MEANINGS:
        if word in held:
            groups.append((t.gettext(meaning), []))
        elif narrow := [scope for scope in held if scope.startswith(f"{word}:")]:
            groups.append((t.gettext(_NARROWED[word]), narrow))
    return groups


_NARROWED = {
    "read": _("Read only:"),
    "write": _("Change only:"),
    "admin:read": _("Read, as one of the people who run this server, only:"),
    "admin:write": _("Change, as one of the people who run this server, only:"),
}


# Tokens -------------------------------------------------------------------------------------------------------


async def exchange(request: Request) -> Response:
    params = await read_params(request)
    app = await _require_client(request, params)
    grants = request.app[GRANTS]
    match params.text("grant_type"):
        case "authorization_code":
            issued = await grants.exchange(
                app=app,
                code=params.text("code") or "",
                redirect_uri=params.text("redirect_uri") or _only_uri(app),
                verifier=params.text("code_verifier"),
            )
            if issued is None:
                raise _fault("invalid_grant", _("The authorization code is wrong, used or too old. Log in again."))
        case "client_credentials":
            try:
                scopes = parse_scopes(
                    params.text("scope") or "", default=frozenset({"read"}) & app.scopes or app.scopes
                )
            except ClientFault as fault:
                raise _fault("invalid_scope", fault.safe, params=fault.params) from None
            if not is_within(app, scopes):
                raise _fault("invalid_scope", _("The app asked for more than it registered for."))
            issued = await grants.issue_to_app(app=app, scopes=scopes)
        case _:
            raise _fault("unsupported_grant_type", _("This kind of grant is not offered here."))
    return web.json_response(_render_token(issued), headers=_NO_STORE)


def _only_uri(app: App) -> str:
    return app.redirect_uris[0] if len(app.redirect_uris) == 1 else ""


def _render_token(issued: Issued) -> dict[str, Any]:
    return {
        "access_token": issued.token,
        "token_type": "Bearer",
        "scope": render_scopes(issued.scopes),
        "created_at": issued.created_at // 1000,
    }


async def revoke(request: Request) -> Response:
    """RFC 7009. A token nobody knows is as good as revoked; that of another app is none of its business."""
    params = await read_params(request)
    app = await _require_client(request, params)
    secret = params.text("token") or ""
    grant = await request.app[TOKENS].find(secret)
    if grant is not None and grant.app_id != app.id:
        raise _fault("unauthorized_client", _("This token belongs to another app."), status=403)
    await request.app[TOKENS].revoke(secret, app=app.id)
    return web.json_response({}, headers=_NO_STORE)


async def _require_client(request: Request, params: Params) -> App:
    """The app, by HTTP Basic or by ``client_id`` and ``client_secret`` in the body (RFC 6749 §2.3.1)."""
    client_id, client_secret = _basic(request) or (params.text("client_id"), params.text("client_secret"))
    app = None
    if client_id and client_secret:
        app = await request.app[GRANTS].find_authenticated(client_id, client_secret)
    if app is None:
        raise _fault("invalid_client", _("The app is unknown here, or its secret is wrong."), status=401)
    return app


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _sep, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _sep, client_secret = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return unquote_plus(client_id).replace("\0", ""), unquote_plus(client_secret)


def _fault(
    oauth_error: str, sentence: str, *, status: int = 400, params: Mapping[str, str] | None = None
) -> ClientFault:
    return ClientFault(
        oauth_error.replace("_", "-"), sentence, status=status, params=params, extra={"oauth_error": oauth_error}
    )


async def userinfo(request: Request) -> Response:
    caller = await require(request, "profile", "read:accounts")
    account = await request.app[DATABASE].read_now(lambda tx: accounts.find_account(tx, caller.account_id))
    if account is None:
        raise ClientFault("invalid-token", "The access token is invalid or was revoked.", status=401)
    uris = request.app[URIS]
    body = {
        "iss": f"{uris.origin}/",
        "sub": account.uri,
        "name": account.display_name or account.username,
        "preferred_username": account.username,
        "profile": uris.profile_page(account.username),
    }
    return web.json_response(body, headers=_NO_STORE)


async def metadata(request: Request) -> Response:
    """RFC 8414."""
    origin = request.app[CONFIG].origin
    return web.json_response(
        {
            "issuer": f"{origin}/",
            "authorization_endpoint": f"{origin}/oauth/authorize",
            "token_endpoint": f"{origin}/oauth/token",
            "revocation_endpoint": f"{origin}/oauth/revoke",
            "userinfo_endpoint": f"{origin}/oauth/userinfo",
            "app_registration_endpoint": f"{origin}/api/v1/apps",
            "scopes_supported": list(KNOWN),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "service_documentation": f"{origin}/about",
        },
        headers={"Cache-Control": "public, max-age=3600"},
    )
