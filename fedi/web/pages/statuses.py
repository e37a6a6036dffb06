"""One post with its conversation, and for its author where it went."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web
from aiohttp.web import Request, StreamResponse

from fedi.clock import api_time
from fedi.errors import ClientFault
from fedi.i18n import Translator, _
from fedi.ids import AccountId, StatusId
from fedi.model.accounts import Account
from fedi.model.statuses import Status
from fedi.store import deliveries, statuses, threads
from fedi.store.database import Tx
from fedi.store.deliveries import ActivityReport, DeliveryState, DeliveryTotal, HostReport
from fedi.store.threads import Completeness
from fedi.web.errors import wants_activity
from fedi.web.forms import find_session, require_session
from fedi.web.keys import CLOCK, DATABASE, DECISIONS, URIS
from fedi.web.locale import translator_of
from fedi.web.pages.cards import MAX_DEPTH, Card, Place, Shelf, excerpt_of, opened, reasons_of
from fedi.web.pages.profiles import NAME
from fedi.web.pages.reading import get_local, get_status_id, make_shelf
from fedi.web.pages.render import render_page
from fedi.web.redirects import redirect

ANCESTORS, DESCENDANTS = 40, 200
MAX_ROWS = 2000  # of one delivery report


def routes() -> list[web.RouteDef]:
    status = rf"/@{NAME}/{{id:[0-9]{{1,18}}}}"
    return [web.get(status, show_status), web.get(f"{status}/deliveries", show_deliveries)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What one read unit brings for the page."""

    author: Account
    status: Status
    ancestors: list[Card | Place]
    descendants: list[Card | Place]
    known: int  # replies in the whole conversation
    fetch: Completeness | None
    report: list[ActivityReport]


async def show_status(request: Request) -> StreamResponse:
    name, number = request.match_info["name"], get_status_id(request)
    if wants_activity(request):
        raise redirect(request.app[URIS].status(name, number))
    session = await find_session(request)
    viewer = session.account if session is not None else None
    shelf = make_shelf(request)

    async def unit(tx: Tx) -> _Read:
        author, status = await _get_status(tx, request, viewer)
        ancestors = await statuses.list_ancestors(tx, status.id, limit=ANCESTORS)
        descendants = await statuses.list_descendants(tx, status.id, limit=DESCENDANTS)
        await shelf.add(tx, [status, *ancestors, *descendants])
        visible = await statuses.list_visible(tx, [*ancestors, *descendants], viewer)
        return _Read(
            author=author,
            status=status,
            ancestors=_arranged(request, shelf, ancestors, visible),
            descendants=_arranged(request, shelf, descendants, visible, root=status.id),
            known=await threads.count_known(tx, status.thread) - 1,
            fetch=await threads.find_completeness(tx, status.thread),
            report=await deliveries.report(tx, status.id, author.id) if viewer == author.id else [],
        )

    found = await request.app[DATABASE].read(unit)
    if found.status.reblog_of is not None:
        raise redirect(await _page_of_boosted(request, found.status.reblog_of))
    post = opened(_explained(request, shelf, found.status, shelf.card(found.status)))
    t = translator_of(request)
    response = render_page(
        request,
        "status.html",
        author=shelf.person(found.author),
        post=post,
        uri=found.status.uri,
        url=request.app[URIS].status_page(found.author.username, number),
        indexable=found.author.indexable and found.status.visibility == "public",
        ancestors=found.ancestors,
        descendants=found.descendants,
        completeness=_completeness(t, found, request.app[CLOCK].ms()),
        deliveries=_summary(t, found.report) if found.report else None,
    )
    response.headers["Link"] = f'<{found.status.uri}>; rel="alternate"; type="application/activity+json"'
    return response


async def _get_status(tx: Tx, request: Request, viewer: AccountId | None) -> tuple[Account, Status]:
    """The post the path names, if ``viewer`` may read it. One that is not for them does not exist for them (404)."""
    author = await get_local(tx, request)
    status = await statuses.find_status(tx, get_status_id(request))
    if status is None or status.account != author.id:
        raise _not_here()
    if status.deleted_at is not None:
        raise ClientFault("status-deleted", _("This post was deleted by its author."), status=410)
    if not await statuses.may_see(tx, status, viewer):
        raise _not_here()
    return author, status


def _not_here() -> ClientFault:
    return ClientFault("no-such-status", _("There is no such post, or it is not for you to read."), status=404)


async def _page_of_boosted(request: Request, number: StatusId) -> str:
    shelf = make_shelf(request)
    await request.app[DATABASE].read(lambda tx: shelf.fetch(tx, [number]))
    card = shelf.card(shelf.statuses[number]) if number in shelf.statuses else None
    if not isinstance(card, Card):
        raise ClientFault("status-deleted", _("This post was deleted by its author."), status=410)
    return card.url


def _arranged(
    request: Request,
    shelf: Shelf,
    found: list[Status],
    visible: Collection[StatusId],
    *,
    root: StatusId | None = None,
) -> list[Card | Place]:
    """The posts of a conversation in their order. What its author shows to others only is not mentioned."""
    depths: dict[StatusId | None, int] = {root: -1}
    above = root
    arranged: list[Card | Place] = []
    for status in found:
        depth = depths[status.id] = depths.get(status.in_reply_to, -1) + 1
        if status.deleted_at is None and status.id not in visible:
            continue
        card = shelf.card(status, depth=min(depth, MAX_DEPTH) if root is not None else 0)
        if isinstance(card, Card) and status.in_reply_to == above:
            card = replace(card, reply_to=None)  # what it answers stands right above it
        above = status.id
        arranged.append(_explained(request, shelf, status, card))
    return arranged


def _explained(request: Request, shelf: Shelf, status: Status, card: Card | Place) -> Card | Place:
    """A placeholder with the reason where a decision keeps the post's author or server out."""
    author = shelf.accounts.get(status.account)
    decision = request.app[DECISIONS].refusal_of(author.uri, shelf.now_ms) if author is not None else None
    if decision is None or isinstance(card, Place):
        return card
    return Place(
        id=card.id, state="hidden", until_ms=decision.until * 1000, reasons=reasons_of([decision]), depth=card.depth
    )


def _completeness(t: Translator, found: _Read, now_ms: int) -> str:
    """How much of the conversation is here, in one line."""
    known, fetch = found.known, found.fetch
    replies = (
        fetch.estimate - 1 if fetch is not None and fetch.estimate is not None else None
    )  # it counts the root, too
    if not known and not replies:
        return t.gettext(_("No replies are known here."))
    if fetch is None or fetch.fetched_at is None:
        return t.ngettext(
            "%(num)s reply known in this conversation", "%(num)s replies known in this conversation", known
        )
    when = t.ago(fetch.fetched_at, now_ms=now_ms)
    if fetch.complete:
        line = t.ngettext("All of %(num)s reply known", "All of %(num)s replies known", known)
    elif replies is not None and replies > known:
        line = t.gettext(_("%(known)s of about %(all)s replies known"), known=t.number(known), all=t.number(replies))
    else:
        line = t.ngettext(
            "%(num)s reply known; whether there are more cannot be told",
            "%(num)s replies known; whether there are more cannot be told",
            known,
        )
    parts = [line, t.gettext(_("looked for %(when)s"), when=when)]
    missing = sum(fetch.missing.values())
    if missing:
        parts.append(t.ngettext("%(num)s could not be fetched", "%(num)s could not be fetched", missing))
    return " · ".join(parts)


# Where it went ------------------------------------------------------------------------------------------------

_STATES: dict[DeliveryState, str] = {
    "sent": _("delivered"),
    "queued": _("waiting"),
    "retrying": _("will be tried again"),
    "refused": _("refused"),
    "gone": _("gone"),
    "expired": _("given up"),
}
_ORDER: tuple[DeliveryState, ...] = ("refused", "gone", "expired", "retrying", "queued", "sent")
_KINDS = {
    "Create": _("The post"),
    "Update": _("An edit"),
    "Delete": _("The deletion"),
    "Announce": _("The boost"),
    "Undo": _("Taking it back"),
}
_REASONS = {
    "host-unreachable": _("not reachable for a long time"),
    "refused-here": _("refused by this server"),
}


async def show_deliveries(request: Request) -> StreamResponse:
    """For the author alone; to anybody else the page does not exist."""
    session = await require_session(request)

    async def unit(tx: Tx) -> tuple[Account, Status, list[ActivityReport], list[DeliveryTotal]]:
        author = await get_local(tx, request)
        status = await statuses.find_status(tx, get_status_id(request))
        if status is None or status.account != author.id or session.account != author.id:
            raise _not_here()
        report = await deliveries.report(tx, status.id, author.id)
        return author, status, report, await deliveries.list_totals(tx, status.id)

    author, status, report, totals = await request.app[DATABASE].read(unit)
    t = translator_of(request)
    return render_page(
        request,
        "deliveries.html",
        url=request.app[URIS].status_page(author.username, status.id),
        excerpt=excerpt_of(status) or t.gettext(_("The post")),
        summary=_summary(t, report) if report else None,
        activities=[_activity(t, one) for one in report],
        totals=[
            {"state": t.gettext(_STATES[total.state]), "hosts": total.hosts, "recipients": total.recipients}
            for total in totals
        ],
    )


def _activity(t: Translator, report: ActivityReport) -> dict[str, Any]:
    hosts = sorted(report.hosts, key=lambda host: (_ORDER.index(host.state), host.host))
    return {
        "kind": t.gettext(_KINDS[report.kind]) if report.kind in _KINDS else report.kind,
        "rows": [_row(t, host) for host in hosts[:MAX_ROWS]],
        "left_out": max(0, len(hosts) - MAX_ROWS),
    }


def _row(t: Translator, host: HostReport) -> dict[str, Any]:
    reason = host.error or ""
    words = [t.gettext(_REASONS[reason]) if reason in _REASONS else reason]
    if host.code is not None and host.state != "sent":
        words.insert(0, f"HTTP {host.code}")
    return {
        "host": host.host,
        "state": t.gettext(_STATES[host.state]),
        "good": host.state == "sent",
        "at": host.updated_at,
        "at_iso": api_time(host.updated_at),
        "next_at": host.next_at if host.state == "retrying" else None,
        "reason": " · ".join(word for word in words if word),
    }


def _summary(t: Translator, report: list[ActivityReport]) -> str:
    """``Delivered to 41 of 44 servers · 2 waiting or tried again · 1 refused``, of the first activity."""
    hosts = report[0].hosts
    count = {state: sum(host.state == state for host in hosts) for state in _ORDER}
    parts = [
        t.ngettext(
            "Delivered to %(sent)s of %(num)s server",
            "Delivered to %(sent)s of %(num)s servers",
            len(hosts),
            sent=t.number(count["sent"]),
        )
    ]
    if waiting := count["queued"] + count["retrying"]:
        parts.append(t.ngettext("%(num)s waiting", "%(num)s waiting", waiting))
    if refused := count["refused"]:
        parts.append(t.ngettext("%(num)s refused", "%(num)s refused", refused))
    if lost := count["gone"] + count["expired"]:
        parts.append(t.ngettext("%(num)s could not be reached", "%(num)s could not be reached", lost))
    return " · ".join(parts)
