"""Search: accounts by name, handle or address, statuses by address, hashtags by their beginning."""

from typing import NamedTuple

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.activitypub.uris import LocalActor, LocalStatus, LocalUris
from fedi.activitypub.urls import is_same_server
from fedi.errors import PeerFault
from fedi.ids import AccountId, StatusId
from fedi.ledger.routing import tag_surface
from fedi.model.accounts import Account
from fedi.store import accounts, relations, search, statuses
from fedi.store.database import Tx
from fedi.web.callers import find_caller
from fedi.web.entities.others import render_search, tag_value
from fedi.web.keys import DATABASE, ENTITIES, URIS
from fedi.web.locale import translator_of
from fedi.web.lookups import LOOKUP, Found
from fedi.web.mastodon.answers import answer, limit_of
from fedi.web.params import Params, read_params

MOST = 40
_KINDS = frozenset({"accounts", "statuses", "hashtags"})


def setup_routes(app: web.Application) -> None:
    app.router.add_get("/api/v2/search", find)
    app.router.add_get("/api/v1/search", find)


class Query(NamedTuple):
    text: str
    kinds: frozenset[str]
    limit: int
    offset: int
    resolve: bool
    following: bool

    @property
    def is_url(self) -> bool:
        return self.text.startswith(("https://", "http://"))


async def find(request: Request) -> Response:
    """Anonymous readers search what is here; only people make us ask other servers."""
    caller = await find_caller(request, "read:search")
    query = _query(await read_params(request), known=caller is not None)
    viewer = caller.account_id if caller else None
    database, uris = request.app[DATABASE], request.app[URIS]
    found = Found()
    if query.is_url:
        found = await database.read(lambda tx: find_by_url(tx, query.text, uris))
        if found == Found() and query.resolve and not uris.is_local(query.text):
            found = await request.app[LOOKUP].find_by_url(query.text)
    elif query.resolve and "accounts" in query.kinds and (handle := handle_of(query.text, uris)) and handle[1]:
        await _resolve_handle(request, *handle)
    entities, t = request.app[ENTITIES], translator_of(request)

    async def unit(tx: Tx) -> bytes:
        people = await _accounts(tx, query, found, viewer) if "accounts" in query.kinds else []
        posts = [found.status] if found.status is not None and "statuses" in query.kinds else []
        tags = []
        if "hashtags" in query.kinds and not query.is_url and query.text and "@" not in query.text:
            prefix = tag_surface(query.text.removeprefix("#"))
            tags = await search.list_tags(tx, prefix, limit=query.limit, offset=query.offset)
        return render_search(
            accounts=await entities.render_accounts(tx, people),
            statuses=await entities.listing(tx, posts, viewer, t, own_filters=False),
            hashtags=[tag_value(tag.name, uris, following=None if viewer is None else False) for tag in tags],
        )

    return answer(await database.read(unit))


async def _resolve_handle(request: Request, username: str, domain: str) -> None:
    known = await request.app[DATABASE].read(lambda tx: accounts.find_by_handle(tx, username, domain))
    if known is None:
        await request.app[LOOKUP].find_by_handle(username, domain)


def _query(params: Params, *, known: bool) -> Query:
    kind = params.text("type")
    return Query(
        text=(params.text("q") or "").strip(),
        kinds=frozenset({kind}) & _KINDS if kind else _KINDS,
        limit=limit_of(params, 20, MOST),
        offset=max(params.integer("offset") or 0, 0) if known else 0,
        resolve=bool(params.flag("resolve")) and known,
        following=bool(params.flag("following")) and known,
    )


def handle_of(text: str, uris: LocalUris) -> tuple[str, str] | None:
    """``name@domain`` as (name, domain), the domain '' for ours; None for other text."""
    name, at, domain = text.removeprefix("acct:").removeprefix("@").partition("@")
    if not at or not name or " " in text or not ("." in domain or "localhost" in domain):
        return None
    folded = domain.strip().lower()
    return name, "" if uris.is_own_domain(folded) else folded


async def find_by_url(tx: Tx, url: str, uris: LocalUris) -> Found:
    """What we know under a URI, as a page of ours, or as the page of a post from elsewhere."""
    page = uris.find_page(url)
    if isinstance(page, LocalStatus):
        return Found(status=page.status_id)
    if isinstance(page, LocalActor):
        account = await accounts.find_by_handle(tx, page.name, "")
        return Found(account=account.id if account else None)
    account_id = await accounts.find_id_by_uri(tx, url)
    if account_id is not None:
        return Found(account=account_id)
    return Found(status=await statuses.find_id_by_uri(tx, url) or await find_at_page(tx, url))


async def find_at_page(tx: Tx, url: str) -> StatusId | None:
    """The one post whose page this is. A page is no identity: only posts of the page's own server, or by authors of it,
    may claim one, and none has it if two do."""
    claims = await search.list_statuses_at_page(tx, url)
    try:
        found = [one.id for one in claims if is_same_server(url, one.uri) or is_same_server(url, one.author)]
    except PeerFault:
        return None
    return found[0] if len(found) == 1 else None


async def _accounts(tx: Tx, query: Query, found: Found, viewer: AccountId | None) -> list[Account]:
    if query.is_url:
        named = await accounts.find_account(tx, found.account) if found.account is not None else None
        people = [named] if named is not None and named.gone_at is None else []
    else:
        people = await accounts.search(
            tx,
            query.text,
            viewer=viewer,
            following_only=query.following,
            limit=query.limit,
            offset=query.offset,
        )
    if viewer is None or not people:
        return people
    blockers = await relations.list_blockers(tx, viewer, {account.id for account in people})
    return [account for account in people if account.id not in blockers]
