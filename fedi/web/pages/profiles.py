"""A person's page: who they are, and their posts, page by page."""

from aiohttp import web
from aiohttp.web import Request, StreamResponse

from fedi.clock import api_time
from fedi.feeds.page import Cursor, Page
from fedi.ids import StatusId
from fedi.model.accounts import Account, AccountStats
from fedi.store import accounts, relations
from fedi.store.database import Tx
from fedi.text.markup import html_to_text
from fedi.web.errors import wants_activity
from fedi.web.forms import find_session
from fedi.web.keys import DATABASE, FEEDS, URIS
from fedi.web.pages.cards import Card, Place, reasons_of
from fedi.web.pages.reading import find_decisions, get_local, make_shelf, refusal_of
from fedi.web.pages.render import render_page
from fedi.web.params import read_params
from fedi.web.redirects import redirect

PAGE = 20
NAME = r"{name:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?}"


def routes() -> list[web.RouteDef]:
    return [web.get(rf"/@{NAME}", show_profile)]


async def show_profile(request: Request) -> StreamResponse:
    name = request.match_info["name"]
    if wants_activity(request):
        raise redirect(request.app[URIS].actor(name))
    session = await find_session(request)
    params = await read_params(request)
    max_id = params.integer("max_id")
    shelf, feeds = make_shelf(request), request.app[FEEDS]

    async def unit(tx: Tx) -> tuple[Account, AccountStats, Page | None, list[Card | Place]]:
        account = await get_local(tx, request)
        stats = await accounts.find_stats(tx, account.id)
        if refusal_of(request, account) is not None:
            return account, stats, None, []
        viewer = session.account if session is not None else None
        close = viewer == account.id or (viewer is not None and await relations.is_following(tx, viewer, account.id))
        page = await feeds.account(tx, account.id, Cursor(max_id=max_id), PAGE, followers=close)
        await shelf.fetch(tx, [StatusId(entry.object) for entry in page.entries])
        return account, stats, page, shelf.entries(page.entries, await find_decisions(tx, page.entries))

    account, stats, page, entries = await request.app[DATABASE].read(unit)
    if account.kind == "Application":  # the server itself speaks through this one
        raise redirect("/about")
    decision = refusal_of(request, account)
    person = shelf.person(account)
    response = render_page(
        request,
        "profile.html",
        account=person,
        stats=stats,
        fields=account.fields,
        moved_to=account.moved_to,
        joined=api_time(account.created_at),
        summary=" ".join(html_to_text(account.note).split())[:200] or f"@{account.username}",
        indexable=account.indexable,
        suspended=None if decision is None else {"until_ms": decision.until * 1000, "reasons": reasons_of([decision])},
        entries=entries,
        older=page.older if page is not None and entries else None,
        is_older_page=max_id is not None,
    )
    response.headers["Link"] = f'<{account.uri}>; rel="alternate"; type="application/activity+json"'
    return response
