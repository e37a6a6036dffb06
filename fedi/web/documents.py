"""Our actors, posts and collections as ActivityPub documents.

Public and unlisted things are for everybody, unless the instance asks for signatures. Private ones are for signed
owners in their audience; for all others they are missing.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.activitypub.addressing import address
from fedi.activitypub.render import render_bytes
from fedi.activitypub.render_activities import render_announce, render_create, render_quote_authorization
from fedi.activitypub.render_actor import ActorView, render_actor, render_instance_actor, render_stub
from fedi.activitypub.render_collections import (
    render_collection,
    render_conversation,
    render_featured_posts,
    render_featured_tags,
    render_followers_part,
    render_page,
)
from fedi.activitypub.render_context import with_context
from fedi.activitypub.render_post import render_post
from fedi.activitypub.signed_request import SignedRequest
from fedi.activitypub.urls import host as host_of
from fedi.activitypub.vocab import PUBLIC
from fedi.errors import PeerFault
from fedi.ids import AccountId, StatusId
from fedi.inbox.receive import Inbox
from fedi.model.accounts import Account
from fedi.model.statuses import Status
from fedi.outbox.views import view_of
from fedi.store import accounts, deliveries, interactions, keys, quotes, relations, statuses, threads, timelines
from fedi.store.database import Tx
from fedi.store.paging import Window
from fedi.streaming.hub import Event
from fedi.web.again import may_repeat
from fedi.web.errors import wants_activity
from fedi.web.keys import CLOCK, CONFIG, DATABASE, DECISIONS, HUB, INBOX, URIS
from fedi.web.middleware import limit_of_address
from fedi.web.redirects import redirect

T = TypeVar("T")

DOCUMENT_TYPE = "application/activity+json; charset=utf-8"
VARY = "Accept, Signature"
PAGE = 20
REPLIES_PAGE = 60
FOLLOWERS_PAGE = 40
HOT_MS = 1_000  # how long the bytes of an actor are served without looking, where another process may change it
MAX_HOT = 1_000
_HOT: web.AppKey[dict[str, tuple[int, AccountId, bytes]]] = web.AppKey("hot_documents", dict)


def setup(app: web.Application) -> None:
    """Gives the application its small cache of hot documents. Needs HUB."""
    hot = app[_HOT] = {}

    def forget(event: Event) -> None:
        for name in [name for name, (_, account, _) in hot.items() if account == event.author]:
            del hot[name]

    app[HUB].on("actor", forget)  # who is told of new keys asks for them in the same second


# Answers ----------------------------------------------------------------------------------------------------


def document(body: Mapping[str, Any] | bytes, *, status: int = 200, cache: str = "max-age=0, private") -> Response:
    data = body if isinstance(body, bytes) else render_bytes(with_context(body))
    return Response(
        body=data, status=status, headers={"Content-Type": DOCUMENT_TYPE, "Vary": VARY, "Cache-Control": cache}
    )


def missing() -> PeerFault:
    return PeerFault("not-found", "Nothing is here.", status=404)


def gone(uri: str) -> Response:
    return document({"id": uri, "type": "Tombstone"}, status=410)


def _signed(request: Request) -> SignedRequest:
    return SignedRequest(
        method=request.method,
        raw_path=request.raw_path,
        headers=request.headers.items(),
        body=b"",
        origin=request.app[URIS].origin,
    )


def _inbox(request: Request) -> Inbox:
    return request.app[INBOX]


async def reader_of(request: Request, *, is_public: bool) -> str | None:
    """The URI of who signed. What is public needs no signature, unless the instance asks for one (401)."""
    if is_public and not request.app[CONFIG].federation.authorized_fetch:
        _inbox(request).refuse_reader(_signed(request))
        return None
    reader = await _inbox(request).identify(_signed(request), peer=partial(limit_of_address, request))
    if reader is None and is_public:
        raise PeerFault("signature-missing", "This request must carry an HTTP signature.", status=401)
    return reader


async def _read(request: Request, unit: Callable[[Tx], Awaitable[T]]) -> T:
    async def coroutine(tx: Tx) -> T:
        return await unit(tx)

    return await request.app[DATABASE].read(coroutine)


async def _local(tx: Tx, name: str) -> Account:
    """Raises 404."""
    found = await accounts.find_by_handle(tx, name)
    if found is None or not found.local or found.kind == "Application":
        raise missing()
    return found


# Actors -----------------------------------------------------------------------------------------------------


async def get_actor(request: Request) -> Response:
    name = request.match_info["name"]
    uris, now_ms = request.app[URIS], request.app[CLOCK].ms()
    if not wants_activity(request):
        raise redirect(uris.profile_page(name))
    if request.app[CONFIG].federation.authorized_fetch:
        return await _guarded_actor(request, name)
    _inbox(request).refuse_reader(_signed(request))
    may_repeat(request)
    hot = request.app[_HOT]
    # SQLite knows whether anything changed, and what is kept in front of us is exact.
    known = hot.get(name) if request.app[DATABASE].state_now() is None else None
    if known is not None and known[0] > now_ms:
        return document(known[2], cache="max-age=180, public")
    view = await _actor_view(request, name)
    if view.account.gone_at is not None:
        return gone(view.account.uri)
    body = render_bytes(with_context(render_actor(view, uris)))
    if len(hot) >= MAX_HOT:
        hot.clear()
    hot[name] = (now_ms + HOT_MS, view.account.id, body)
    return document(body, cache="max-age=180, public")


async def _guarded_actor(request: Request, name: str) -> Response:
    """Unsigned: enough to verify us by, or two such servers could never meet."""
    view = await _actor_view(request, name)
    if view.account.gone_at is not None:
        return gone(view.account.uri)
    reader = await _inbox(request).identify(_signed(request), peer=partial(limit_of_address, request))
    render = render_stub if reader is None else render_actor
    return document(render(view, request.app[URIS]))


async def _actor_view(request: Request, name: str) -> ActorView:
    async def unit(tx: Tx) -> ActorView:
        account = await _local(tx, name)
        return ActorView(
            account=account,
            keys=await keys.list_keys(tx, account.id),
            suspended=request.app[DECISIONS].refusal_of(account.uri, request.app[CLOCK].ms()) is not None,
            media_base=media_base(request),
        )

    return await _read(request, unit)


def media_base(request: Request) -> str:
    return f"{request.app[URIS].origin}/media/"


async def get_instance_actor(request: Request) -> Response:
    """Always unsigned."""
    may_repeat(request)
    uris = request.app[URIS]

    async def unit(tx: Tx) -> dict[str, Any]:
        account = await accounts.find_by_uri(tx, uris.instance_actor)
        if account is None:
            raise missing()
        title = request.app[CONFIG].instance.title
        return render_instance_actor(await keys.list_keys(tx, account.id), uris, name=title)

    return document(await _read(request, unit), cache="max-age=180, public")


async def get_instance_collection(request: Request) -> Response:
    return document(render_collection(request.app[URIS].origin + request.path, 0, first=None))


# Posts ------------------------------------------------------------------------------------------------------


async def get_status(request: Request) -> Response:
    name, number = request.match_info["name"], StatusId(int(request.match_info["id"]))
    uris, now_ms = request.app[URIS], request.app[CLOCK].ms()
    if not wants_activity(request):
        raise redirect(uris.status_page(name, number))
    status, author = await _readable(request, name, number)
    if status.deleted_at is not None:
        return gone(status.uri)
    if status.is_reblog:
        raise missing()
    view = await _read(request, lambda tx: view_of(tx, status, author, media_base(request)))
    return document(render_post(view, uris, now_ms), cache=_cache_of(status))


async def get_status_activity(request: Request) -> Response:
    """The Create of a post, or the Announce that a boost is."""
    name, number = request.match_info["name"], StatusId(int(request.match_info["id"]))
    uris, now_ms = request.app[URIS], request.app[CLOCK].ms()
    status, author = await _readable(request, name, number)
    if status.deleted_at is not None:
        return gone(uris.status_activity(name, number))

    async def unit(tx: Tx) -> dict[str, Any]:
        return await _activity_of(tx, request, status, author, now_ms)

    return document(await _read(request, unit), cache=_cache_of(status))


async def _activity_of(tx: Tx, request: Request, status: Status, author: Account, now_ms: int) -> dict[str, Any]:
    uris = request.app[URIS]
    if status.reblog_of is not None:
        boosted = await statuses.find_status(tx, status.reblog_of)
        by = await accounts.find_account(tx, boosted.account) if boosted is not None else None
        if boosted is None:
            raise missing()
        audience = address(
            status.visibility, followers=author.followers_uri or "", people=[by.uri] if by is not None else []
        )
        return render_announce(
            uri=status.uri,
            actor=author.uri,
            object_uri=boosted.uri,
            audience=audience,
            published_ms=status.created_at,
        )
    view = await view_of(tx, status, author, media_base(request))
    uri = uris.status_activity(author.username, status.id)
    return render_create(uri=uri, post=render_post(view, uris, now_ms))


def _cache_of(status: Status) -> str:
    return "max-age=180, public" if status.visibility in {"public", "unlisted"} else "private, no-store"


async def _readable(request: Request, name: str, number: StatusId) -> tuple[Status, Account]:
    """A local status that the reader may see, or a deleted one that anybody might have seen. Raises 404."""

    async def find(tx: Tx) -> tuple[Status, Account]:
        author = await _local(tx, name)
        status = await statuses.find_status(tx, number)
        if status is None or not status.local or status.account != author.id:
            raise missing()
        return status, author

    status, author = await _read(request, find)
    is_public = status.visibility in {"public", "unlisted"}
    reader = await reader_of(request, is_public=is_public)
    if is_public:
        return status, author
    if reader is None or status.deleted_at is not None:
        raise missing()

    async def may_see(tx: Tx) -> bool:
        viewer = await accounts.find_id_by_uri(tx, reader)
        return viewer is not None and await statuses.may_see(tx, status, viewer)

    if not await _read(request, may_see):
        raise missing()
    return status, author


async def get_replies(request: Request) -> Response:
    """One's own replies first, then those of others, page by page."""
    name, number = request.match_info["name"], StatusId(int(request.match_info["id"]))
    status, author = await _readable(request, name, number)
    uri = request.app[URIS].replies(name, number)
    after = _number(request.query.get("min_id"))
    others_only = request.query.get("only_other_accounts") == "true"
    stats = await _read(request, lambda tx: statuses.find_stats(tx, status.id))
    if "page" not in request.query:
        first = f"{uri}?page=true"
        return document({"id": uri, "type": "Collection", "totalItems": stats.replies, "first": first})
    found = await _read(request, lambda tx: statuses.list_reply_uris(tx, status.id, after=after, limit=REPLIES_PAGE))
    own = f"{author.uri}/"
    items = [reply for _, reply in found if reply.startswith(own) != others_only]
    marks = "only_other_accounts=true&" if others_only else ""
    page = f"{uri}?{marks}page=true"
    if len(found) == REPLIES_PAGE:
        following: str | None = f"{uri}?{marks}min_id={found[-1][0]}&page=true"
    else:
        following = None if others_only else f"{uri}?only_other_accounts=true&page=true"
    return document(render_page(page, part_of=uri, items=items, next_page=following, ordered=False))


async def get_likes(request: Request) -> Response:
    return await _total(request, "likes")


async def get_shares(request: Request) -> Response:
    return await _total(request, "shares")


async def _total(request: Request, part: str) -> Response:
    """How many, not who."""
    name, number = request.match_info["name"], StatusId(int(request.match_info["id"]))
    status, _ = await _readable(request, name, number)
    stats = await _read(request, lambda tx: statuses.find_stats(tx, status.id))
    total = stats.favourites if part == "likes" else stats.reblogs
    uri = f"{request.app[URIS].status(name, number)}/{part}"
    return document({"id": uri, "type": "Collection", "totalItems": total})


async def get_context(request: Request) -> Response:
    """A conversation whose root is ours: public and unlisted posts, oldest first (FEP-7888)."""
    token = request.match_info["token"]
    root_id = StatusId(_number(token))
    after = _number(request.query.get("min_id"))

    async def unit(tx: Tx) -> tuple[Status, Account, int, list[tuple[StatusId, str]]]:
        root = await statuses.find_status(tx, root_id)
        author = await accounts.find_account(tx, root.account) if root is not None else None
        if root is None or author is None or not root.local or root.deleted_at is not None:
            raise missing()
        if root.visibility not in {"public", "unlisted"}:
            raise missing()
        total, page = await threads.list_uris(tx, root.thread, after=after, limit=REPLIES_PAGE)
        return root, author, total, page

    root, author, total, found = await _read(request, unit)
    await reader_of(request, is_public=True)
    uri = request.app[URIS].context(root.id)
    if "page" not in request.query:
        return document(render_conversation(uri, author.uri, total, first=f"{uri}?page=true"))
    following = f"{uri}?min_id={found[-1][0]}&page=true" if len(found) == REPLIES_PAGE else None
    items = [item for _, item in found]
    return document(render_page(f"{uri}?page=true", part_of=uri, items=items, next_page=following, total=total))


async def get_activity(request: Request) -> Response:
    """An activity that was sent: if it was for everybody, or to who asks."""
    uri = request.app[URIS].activity(request.match_info["name"], request.match_info["token"])
    found = await _read(request, lambda tx: deliveries.find_outgoing(tx, uri))
    if found is None or not found.body:
        raise missing()
    body = json.loads(found.body)
    audience = [*body.get("to", ()), *body.get("cc", ())]
    is_public = PUBLIC in audience
    reader = await reader_of(request, is_public=is_public)
    if not is_public and reader not in audience:
        raise missing()
    return document(found.body)


async def get_stamp(request: Request) -> Response:
    """The leave to quote (FEP-044f), while it stands."""
    name, token = request.match_info["name"], request.match_info["token"]
    uri = request.app[URIS].quote_authorization(name, token)

    async def unit(tx: Tx) -> dict[str, Any]:
        author = await _local(tx, name)
        stamp = await quotes.find_stamp(tx, token)
        if stamp is not None:
            quoted = await statuses.find_status(tx, stamp.status)
            quoting = await statuses.find_by_uri(tx, stamp.object)
            revoked = stamp.revoked_at is not None or (quoting is not None and quoting.quote_state == "revoked")
            quote_uri = stamp.object
        else:
            quoting = await statuses.find_status(tx, StatusId(_number(token)))
            quoted = await statuses.find_status(tx, quoting.quote_of) if quoting and quoting.quote_of else None
            revoked = quoting is None or quoting.quote_authorization != uri or quoting.quote_state != "accepted"
            quote_uri = quoting.uri if quoting is not None else ""
        if quoted is None or revoked or quoted.account != author.id or quoted.deleted_at is not None:
            raise missing()
        return render_quote_authorization(uri=uri, author=author.uri, quote_uri=quote_uri, quoted_uri=quoted.uri)

    found = await _read(request, unit)
    await reader_of(request, is_public=True)
    return document(found)


# Collections of an actor ------------------------------------------------------------------------------------


async def get_outbox(request: Request) -> Response:
    """Public and unlisted posts and boosts, newest first."""
    name = request.match_info["name"]
    uri, now_ms = request.app[URIS].outbox(name), request.app[CLOCK].ms()
    below = _number(request.query.get("max_id")) or timelines.MAX_ID
    await reader_of(request, is_public=True)
    if "page" not in request.query:

        async def count(tx: Tx) -> int:
            return (await accounts.find_stats(tx, (await _local(tx, name)).id)).statuses

        return document(render_collection(uri, await _read(request, count), first=f"{uri}?page=true"))

    async def unit(tx: Tx) -> tuple[list[dict[str, Any]], int | None]:
        author = await _local(tx, name)
        rows = await timelines.list_account(tx, author.id, timelines.Range(below=below), PAGE, followers=False)
        ids = list(dict.fromkeys(StatusId(row.object) for row in rows))
        found = await statuses.find_many(tx, ids)
        shown = [found[one] for one in ids if one in found and found[one].deleted_at is None]
        items = [await _activity_of(tx, request, status, author, now_ms) for status in shown]
        return items, ids[-1] if len(ids) == PAGE else None

    items, last = await _read(request, unit)
    following = f"{uri}?max_id={last}&page=true" if last is not None else None
    return document(render_page(f"{uri}?page=true", part_of=uri, items=items, next_page=following))


async def get_followers(request: Request) -> Response:
    return await _people(request, "followers")


async def get_following(request: Request) -> Response:
    return await _people(request, "following")


async def _people(request: Request, part: str) -> Response:
    """Who, unless the account hides it; how many, always."""
    name = request.match_info["name"]
    uri = f"{request.app[URIS].actor(name)}/{part}"
    below = _number(request.query.get("max_id"))
    await reader_of(request, is_public=True)

    async def unit(tx: Tx) -> tuple[Account, int, list[tuple[int, str]]]:
        account = await _local(tx, name)
        stats = await accounts.find_stats(tx, account.id)
        if "page" not in request.query or account.hide_collections:
            return account, stats.followers if part == "followers" else stats.following, []
        window = Window(limit=FOLLOWERS_PAGE, max_id=below or None)
        listed = relations.list_followers if part == "followers" else relations.list_following
        rows = await listed(tx, account.id, window)
        return account, stats.followers, [(row, person.uri) for row, person in rows]

    account, total, found = await _read(request, unit)
    if account.hide_collections or "page" not in request.query:
        first = None if account.hide_collections else f"{uri}?page=true"
        return document(render_collection(uri, total, first=first))
    following = f"{uri}?max_id={found[-1][0]}&page=true" if len(found) == FOLLOWERS_PAGE else None
    people = [person for _, person in found]
    return document(render_page(f"{uri}?page=true", part_of=uri, items=people, next_page=following))


async def get_followers_part(request: Request) -> Response:
    """To a server that asks, those of its people who follow (FEP-8fcf)."""
    name = request.match_info["name"]
    reader = await _inbox(request).identify(_signed(request), peer=partial(limit_of_address, request))
    if reader is None:
        raise PeerFault("signature-missing", "This request must carry an HTTP signature.", status=401)

    async def unit(tx: Tx) -> list[str]:
        return await relations.list_follower_uris(tx, (await _local(tx, name)).id, host_of(reader))

    found = await _read(request, unit)
    return document(render_followers_part(request.app[URIS].followers_synchronization(name), found))


async def get_featured(request: Request) -> Response:
    name = request.match_info["name"]
    uri, now_ms = request.app[URIS].featured(name), request.app[CLOCK].ms()
    await reader_of(request, is_public=True)

    async def unit(tx: Tx) -> list[dict[str, Any]]:
        author = await _local(tx, name)
        pinned = await interactions.list_pinned(tx, author.id)
        shown = [status for status in pinned if status.visibility in {"public", "unlisted"} and not status.is_reblog]
        views = [await view_of(tx, status, author, media_base(request)) for status in shown]
        return [render_post(view, request.app[URIS], now_ms) for view in views]

    return document(render_featured_posts(uri, await _read(request, unit)))


async def get_featured_tags(request: Request) -> Response:
    name = request.match_info["name"]
    await _read(request, lambda tx: _local(tx, name))
    return document(render_featured_tags(request.app[URIS].featured_tags(name), []))


def _number(text: str | None) -> int:
    """0 for what is no id."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else 0
