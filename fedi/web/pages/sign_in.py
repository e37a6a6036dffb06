"""Signing in and out with a browser, and the choice of language."""

from aiohttp import web
from aiohttp.web import Request, StreamResponse

from fedi.auth.sign_in import find_signed_in
from fedi.config import Rate
from fedi.errors import ClientFault
from fedi.i18n import LOCALES, _
from fedi.web.forms import (
    FORM_COOKIE,
    SESSION_AGE_S,
    SESSION_COOKIE,
    check_form,
    cookie_name,
    drop_cookie,
    find_session,
    safe_next,
    set_cookie,
)
from fedi.web.keys import CONFIG, DATABASE, LIMITS, PASSWORDS, SESSIONS
from fedi.web.locale import COOKIE as LANGUAGE_COOKIE
from fedi.web.locale import translator_of
from fedi.web.middleware import limit_of_address
from fedi.web.pages.render import render_page
from fedi.web.params import Params, read_params
from fedi.web.redirects import redirect

_YEAR_S = 365 * 86_400
_WRONG = _("This name and password do not belong together.")


def routes() -> list[web.RouteDef]:
    return [
        web.get("/auth/sign-in", show_sign_in),
        web.post("/auth/sign-in", sign_in),
        web.get("/auth/sign-out", show_sign_out),
        web.post("/auth/sign-out", sign_out),
        web.post("/language", choose_language),
    ]


async def show_sign_in(request: Request) -> StreamResponse:
    params = await read_params(request)
    await find_session(request)
    return _form(request, params)


async def sign_in(request: Request) -> StreamResponse:
    params = await read_params(request)
    check_form(request, params)
    login = (params.text("login") or "").strip()
    try:
        _count_attempt(request, login)
    except ClientFault as fault:
        return _form(request, params, fault=fault)
    user = await find_signed_in(
        request.app[DATABASE], request.app[PASSWORDS], login=login, password=params.text("password") or ""
    )
    if user is None:
        return _form(request, params, fault=ClientFault("wrong-password", _WRONG))
    await _end_session(request)
    secret = await request.app[SESSIONS].start(user.account)
    answer = redirect(safe_next(params.text("next")))
    set_cookie(request, answer, SESSION_COOKIE, secret, max_age_s=SESSION_AGE_S)
    drop_cookie(request, answer, FORM_COOKIE)
    raise answer


def _form(request: Request, params: Params, *, fault: ClientFault | None = None) -> StreamResponse:
    following = safe_next(params.text("next"))
    response = render_page(
        request,
        "sign_in.html",
        status=fault.status if fault is not None else 200,
        fault=translator_of(request).problem(fault) if fault is not None else None,
        next=following,
        for_app=following.startswith("/oauth/authorize"),
        login=(params.text("login") or "")[:320],
    )
    if fault is not None and fault.retry_after_s is not None:
        response.headers["Retry-After"] = str(fault.retry_after_s)
    return response


def _count_attempt(request: Request, login: str) -> None:
    # Per name and address, so that nobody can lock out somebody else; more widely per address, against one password
    # tried on many names; and per name, against guessing from many addresses.
    limits, rate = request.app[LIMITS], request.app[CONFIG].limits.sign_ins
    address, name = limit_of_address(request), login.casefold()[:320]
    limits.require("sign-in", (address, name), rate)
    limits.require("sign-in-address", address, Rate(rate.count * 3, rate.per_s))
    limits.require("sign-in-name", name, Rate(rate.count * 10, rate.per_s))


async def show_sign_out(request: Request) -> StreamResponse:
    if await find_session(request) is None:
        raise redirect("/")
    return render_page(request, "sign_out.html")


async def sign_out(request: Request) -> StreamResponse:
    check_form(request, await read_params(request))
    await _end_session(request)
    answer = redirect("/")
    drop_cookie(request, answer, SESSION_COOKIE)
    raise answer


async def _end_session(request: Request) -> None:
    secret = request.cookies.get(cookie_name(request, SESSION_COOKIE))
    if secret:
        await request.app[SESSIONS].end(secret)


async def choose_language(request: Request) -> StreamResponse:
    """The address of a page does not change with its language, so the choice is kept in a cookie."""
    params = await read_params(request)
    lang = params.text("lang") or ""
    if lang not in LOCALES:
        raise ClientFault("unknown-language", _("This language is not available here."))
    answer = redirect(safe_next(params.text("next")))
    answer.set_cookie(
        LANGUAGE_COOKIE,
        lang,
        max_age=_YEAR_S,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=not request.app[CONFIG].instance.http,
    )
    raise answer
