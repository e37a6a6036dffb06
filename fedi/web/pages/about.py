"""What this server is: the front page, the page about it, and the files that pages need."""

from importlib.resources import files

from aiohttp import web
from aiohttp.web import Request, Response, StreamResponse
from babel import Locale, UnknownLocaleError
from babel.lists import format_list

from fedi.config import VERSION
from fedi.feeds.page import Cursor
from fedi.ids import StatusId
from fedi.store import accounts
from fedi.store.database import Tx
from fedi.web.forms import find_session
from fedi.web.keys import CONFIG, DATABASE, FEEDS
from fedi.web.locale import translator_of
from fedi.web.pages.cards import Card, Place
from fedi.web.pages.reading import find_decisions, make_shelf
from fedi.web.pages.render import render_page, stylesheet

LATEST = 5
_IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}


def routes() -> list[web.RouteDef]:
    return [
        web.get("/", show_landing),
        web.get("/about", show_about),
        web.get("/static/fedi.css", send_stylesheet),
        web.get("/static/icon.svg", send_icon),
    ]


async def show_landing(request: Request) -> StreamResponse:
    await find_session(request)
    shelf, feeds = make_shelf(request), request.app[FEEDS]

    async def unit(tx: Tx) -> tuple[list[Card | Place], int, int]:
        page = await feeds.surface(tx, "local", Cursor(), LATEST)
        await shelf.fetch(tx, [StatusId(entry.object) for entry in page.entries])
        people, statuses = await accounts.count_local(tx)
        return shelf.entries(page.entries, await find_decisions(tx, page.entries)), people, statuses

    entries, people, statuses = await request.app[DATABASE].read(unit)
    instance, t = request.app[CONFIG].instance, translator_of(request)
    return render_page(
        request,
        "landing.html",
        entries=entries,
        people=people,
        statuses=statuses,
        summary=instance.description[:200] or instance.title,
        languages=format_list([_language_name(language, t.lang) for language in instance.languages], locale=t.lang),
    )


def _language_name(language: str, shown_in: str) -> str:
    try:
        return Locale.parse(language.replace("-", "_")).get_display_name(shown_in) or language
    except (ValueError, UnknownLocaleError):
        return language


async def show_about(request: Request) -> StreamResponse:
    await find_session(request)
    config = request.app[CONFIG]
    hosts = await request.app[DATABASE].read(accounts.count_hosts)
    return render_page(
        request,
        "about.html",
        contact=config.instance.contact_account.removeprefix("@").partition("@")[0],
        hosts=hosts,
        version=VERSION,
        posts=config.posts,
    )


async def send_stylesheet(_request: Request) -> Response:
    return Response(body=stylesheet()[0], content_type="text/css", charset="utf-8", headers=_IMMUTABLE)


async def send_icon(_request: Request) -> Response:
    icon = (files("fedi.web") / "static" / "icon.svg").read_bytes()
    return Response(body=icon, content_type="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})
