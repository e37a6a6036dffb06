"""What other servers meet: inboxes, and the documents of our actors, posts and collections.

Inboxes answer only after the activity is on disk. Documents look the same for what is private and what is missing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.activitypub.json_body import MAX_BODY_BYTES
from fedi.activitypub.signed_request import SignedRequest
from fedi.errors import PeerFault
from fedi.i18n import _
from fedi.remote.client import is_document_type
from fedi.web import discovery, documents
from fedi.web.keys import INBOX, URIS
from fedi.web.middleware import limit_of_address

VARY = "Accept, Signature"
BODY_S = 30  # for at most a mebibyte, from a server
NAME = r"{name:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?}"
NUMBER = r"{id:[0-9]{1,18}}"
TOKEN = r"{token:[A-Za-z0-9_-]{1,64}}"  # noqa: S105 - a path segment

Handler = Callable[[Request], Awaitable[Response]]


def routes() -> list[web.RouteDef]:
    """All of it. Needs ``documents.setup``."""
    user, status = f"/users/{NAME}", f"/users/{NAME}/statuses/{NUMBER}"
    return [
        web.post("/inbox", post_inbox),
        web.post(f"{user}/inbox", post_inbox),
        web.post("/actor/inbox", post_inbox),
        web.get(user, documents.get_actor),
        web.get(f"{user}/outbox", documents.get_outbox),
        web.get(f"{user}/followers", documents.get_followers),
        web.get(f"{user}/following", documents.get_following),
        web.get(f"{user}/followers_synchronization", documents.get_followers_part),
        web.get(f"{user}/collections/featured", documents.get_featured),
        web.get(f"{user}/collections/tags", documents.get_featured_tags),
        web.get(f"{user}/activities/{TOKEN}", documents.get_activity),
        web.get(f"{user}/quote_authorizations/{TOKEN}", documents.get_stamp),
        web.get(status, documents.get_status),
        web.get(f"{status}/activity", documents.get_status_activity),
        web.get(f"{status}/replies", documents.get_replies),
        web.get(f"{status}/likes", documents.get_likes),
        web.get(f"{status}/shares", documents.get_shares),
        web.get(f"/contexts/{TOKEN}", documents.get_context),
        web.get("/actor", documents.get_instance_actor),
        web.get("/actor/{part:outbox|followers|following}", documents.get_instance_collection),
        web.get("/.well-known/webfinger", discovery.get_webfinger),
        web.get("/.well-known/host-meta", discovery.get_host_meta),
        web.get("/.well-known/nodeinfo", discovery.get_nodeinfo_links),
        web.get("/nodeinfo/{version:2\\.[01]}", discovery.get_nodeinfo),
    ]


async def post_inbox(request: Request) -> Response:
    """202 once it is durable; every other answer says why, as problem+json."""
    signed = await read_signed(request)
    await request.app[INBOX].receive(signed, peer=partial(limit_of_address, request))
    return Response(status=202, headers={"Vary": VARY})


async def read_signed(request: Request) -> SignedRequest:
    """The request with its raw body. Raises :class:`PeerFault` 408, 413 and 415."""
    # The server inflates compressed bodies before us: a digest would be taken over other bytes than were sent.
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise PeerFault("compressed", "Send the body as it is, without compression.", status=415)
    if not is_document_type(request.headers.get("Content-Type", "")):
        raise PeerFault("not-activitypub", "Only ActivityPub documents are taken here.", status=415)
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise _too_large()
    if request.content.is_eof():  # most come in one piece with their head
        body = request.content.read_nowait()
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    else:
        body = await _read_body(request)
    return SignedRequest(
        method=request.method,
        raw_path=request.raw_path,
        headers=request.headers.items(),
        body=body,
        origin=request.app[URIS].origin,
    )


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise PeerFault("too-slow", _("The request cannot be read."), status=408) from None
    return bytes(body)


def _too_large() -> PeerFault:
    return PeerFault("too-large", "An activity has at most 1 MiB.", status=413)
