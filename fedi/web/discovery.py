"""How others find us: WebFinger, host-meta, NodeInfo."""

from aiohttp.web import Request, Response

from fedi.activitypub.nodeinfo import Usage, render_nodeinfo, render_nodeinfo_links
from fedi.activitypub.render import render_bytes
from fedi.activitypub.uris import LocalActor, LocalUris
from fedi.activitypub.webfinger import JRD_TYPE, SELF_TYPES, XRD_TYPE, find_handle, render_host_meta, render_jrd
from fedi.config import VERSION
from fedi.errors import PeerFault
from fedi.model.accounts import Account
from fedi.store import accounts
from fedi.store.database import Tx
from fedi.web.again import may_repeat
from fedi.web.keys import CLOCK, CONFIG, DATABASE, MEDIA_URLS, URIS

PROFILE_REL = "http://webfinger.net/rel/profile-page"
AVATAR_REL = "http://webfinger.net/rel/avatar"
SERVICE_REL = "https://www.w3.org/ns/activitystreams#Service"
DAY_MS = 24 * 3600 * 1000
CACHE = {"Cache-Control": f"max-age={3 * 24 * 3600}, public"}


async def get_webfinger(request: Request) -> Response:
    """RFC 7033: ``acct:``, the actor's URI or its profile page; the server itself by its origin (FEP-d556)."""
    may_repeat(request)
    resource = request.query.get("resource", "")
    if not resource:
        raise PeerFault("no-resource", "Say which resource is meant.")
    uris = request.app[URIS]
    if resource.rstrip("/") == uris.origin:
        link = {"rel": SERVICE_REL, "type": SELF_TYPES[0], "href": uris.instance_actor}
        return _jrd(render_jrd(f"{uris.origin}/", [], [link]))
    name = _name_in(resource, uris)
    if name is None:
        raise _unknown()
    if name.casefold() in {uris.handle_domain.casefold(), uris.host.casefold()} or resource == uris.instance_actor:
        return _jrd(_instance_jrd(uris))
    found = await request.app[DATABASE].read_now(lambda tx: accounts.find_by_handle(tx, name))
    if found is None or not found.local or found.kind == "Application":
        raise _unknown()
    if found.gone_at is not None:
        raise PeerFault("gone", "What was here has been deleted.", status=410)
    return _jrd(_person_jrd(found, uris, request))


def _name_in(resource: str, uris: LocalUris) -> str | None:
    if resource.startswith(("https://", "http://")):
        if resource == uris.instance_actor:
            return uris.handle_domain
        page = uris.find_page(resource)
        return uris.find_username(resource) or (page.name if isinstance(page, LocalActor) else None)
    handle = find_handle(resource)
    return handle.user if handle is not None and uris.is_own_domain(handle.domain) else None


def _person_jrd(account: Account, uris: LocalUris, request: Request) -> bytes:
    links = [
        *({"rel": "self", "type": kind, "href": account.uri} for kind in SELF_TYPES),
        {"rel": PROFILE_REL, "type": "text/html", "href": uris.profile_page(account.username)},
    ]
    if account.avatar is not None:
        links.append({"rel": AVATAR_REL, "href": request.app[MEDIA_URLS].avatar(account.avatar)})
    aliases = [uris.profile_page(account.username), account.uri]
    return render_jrd(f"acct:{uris.handle(account.username)}", aliases, links)


def _instance_jrd(uris: LocalUris) -> bytes:
    links = [{"rel": "self", "type": kind, "href": uris.instance_actor} for kind in SELF_TYPES]
    return render_jrd(f"acct:{uris.handle(uris.handle_domain)}", [uris.instance_actor], links)


def _jrd(body: bytes) -> Response:
    return Response(body=body, headers={"Content-Type": JRD_TYPE, "Access-Control-Allow-Origin": "*", **CACHE})


def _unknown() -> PeerFault:
    return PeerFault("unknown-resource", "Nobody of this name is here.", status=404)


async def get_host_meta(request: Request) -> Response:
    may_repeat(request)
    return Response(
        body=render_host_meta(request.app[URIS].origin), headers={"Content-Type": f"{XRD_TYPE}; charset=utf-8", **CACHE}
    )


async def get_nodeinfo_links(request: Request) -> Response:
    may_repeat(request)
    return _json(render_bytes(render_nodeinfo_links(request.app[URIS])), "application/json")


async def get_nodeinfo(request: Request) -> Response:
    may_repeat(request)
    version = request.match_info["version"]
    config, now_ms = request.app[CONFIG], request.app[CLOCK].ms()

    async def unit(tx: Tx) -> Usage:
        people, posts = await accounts.count_local(tx)
        return Usage(
            people=people,
            posts=posts,
            active_month=await accounts.count_active(tx, now_ms - 30 * DAY_MS),
            active_half_year=await accounts.count_active(tx, now_ms - 180 * DAY_MS),
        )

    usage = await request.app[DATABASE].read(unit)
    contact = config.instance.contact_account
    document = render_nodeinfo(
        "2.0" if version == "2.0" else "2.1",
        software_version=VERSION,
        usage=usage,
        name=config.instance.title,
        description=config.instance.description,
        staff=(request.app[URIS].actor(contact),) if contact else (),
        policies=tuple({"id": policy} for policy in config.policies.order),
    )
    kind = f'application/json; profile="http://nodeinfo.diaspora.software/ns/schema/{version}#"'
    return _json(render_bytes(document), kind)


def _json(body: bytes, kind: str) -> Response:
    return Response(
        body=body,
        headers={"Content-Type": kind, "Access-Control-Allow-Origin": "*", "Cache-Control": "max-age=1800, public"},
    )
