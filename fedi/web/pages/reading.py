"""What every page that shows posts does before it shows them."""

from collections.abc import Iterable

from aiohttp.web import Request

from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.ids import StatusId
from fedi.ledger import decisions
from fedi.ledger.decisions import Decision
from fedi.ledger.pages import Entry
from fedi.model.accounts import Account
from fedi.store import accounts
from fedi.store.database import Tx
from fedi.web.keys import CLOCK, DECISIONS, MEDIA_URLS, URIS
from fedi.web.pages.cards import Shelf


def make_shelf(request: Request) -> Shelf:
    app = request.app
    return Shelf(uris=app[URIS], media_urls=app[MEDIA_URLS], now_ms=app[CLOCK].ms())


async def find_decisions(tx: Tx, entries: Iterable[Entry]) -> dict[str, Decision]:
    """The decisions that a page's placeholders name."""
    named = {key for entry in entries if entry.state == "hidden" for key in entry.decisions}
    found = {key: await decisions.find_decision(tx, key) for key in sorted(named)}
    return {key: decision for key, decision in found.items() if decision is not None}


async def get_local(tx: Tx, request: Request) -> Account:
    """The local account the path names. Raises ``ClientFault`` 404, or 410 for one its owner deleted."""
    account = await accounts.find_by_handle(tx, request.match_info["name"])
    if account is None:
        raise ClientFault("no-such-account", _("Nobody here has this name."), status=404)
    if account.gone_at is not None:
        raise ClientFault("account-gone", _("This account was deleted by its owner."), status=410)
    return account


def refusal_of(request: Request, account: Account) -> Decision | None:
    """The decision that suspends this account now, if there is one."""
    return request.app[DECISIONS].refusal_of(account.uri, request.app[CLOCK].ms())


def get_status_id(request: Request) -> StatusId:
    return StatusId(int(request.match_info["id"]))
