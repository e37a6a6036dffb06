"""Reads actors, posts and collections of other servers: signed, checked for whose they are, never stored here.

A fetched document counts only if its ``id`` is the URL that was asked; otherwise that ``id`` is asked at its own host,
once. ``url`` is never identity (CVE-2024-23832, CVE-2025-25306).
"""

import copy
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from fedi.activitypub import httpsig
from fedi.activitypub.json_body import parse_json
from fedi.activitypub.keys import SigningKey
from fedi.activitypub.parse import parse_collection, parse_object
from fedi.activitypub.urls import UrlRules, check_url, is_loopback_host, parse_url, same_origin
from fedi.activitypub.urls import host as host_of
from fedi.activitypub.vocab import ActorDocument, Collection, CollectionPage, Embedded, ParsedObject
from fedi.activitypub.webfinger import (
    JRD_TYPE,
    Finger,
    Handle,
    find_handle,
    find_lrdd_template,
    parse_jrd,
    webfinger_path,
)
from fedi.clock import Clock
from fedi.errors import PeerFault, Unreachable
from fedi.ids import Uri
from fedi.remote.client import RemoteClient, Response, Sign

MAX_FETCHES = 20  # caused by one inbound activity
MAX_HOSTS = 10_000
HOUR_MS = 3600 * 1000
SCHEME_TTL_MS = 7 * 24 * HOUR_MS
MISSING = frozenset({"remote-missing", "remote-gone"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedActor:
    """An actor and the domain of its handle. ``verified``: WebFinger agrees in both directions."""

    document: ActorDocument
    domain: str
    verified: bool


@dataclass(slots=True)
class _HostScheme:
    scheme: httpsig.Scheme
    at_ms: int
    probed_at_ms: int = 0


class Resolver:
    """``may_ask`` raises :class:`PeerFault` for hosts that are refused; ``instance_key`` signs every request."""

    def __init__(
        self,
        *,
        client: RemoteClient,
        rules: UrlRules,
        clock: Clock,
        may_ask: Callable[[str], None],
        instance_key: Callable[[], Awaitable[SigningKey]],
        max_fetches: int = MAX_FETCHES,
    ) -> None:
        self._client = client
        self._rules = rules
        self._clock = clock
        self._may_ask = may_ask
        self._instance_key = instance_key
        self._max_fetches = max_fetches
        self._schemes: OrderedDict[str, _HostScheme] = OrderedDict()
        self._left: list[int] | None = None

    def with_budget(self, fetches: int | None = None) -> Self:
        """The same, for the work of one activity: further requests are :class:`PeerFault` ``too-many-fetches``."""
        limited = copy.copy(self)
        limited._left = [self._max_fetches if fetches is None else fetches]  # noqa: SLF001 - a copy of ourselves
        return limited

    # Documents ----------------------------------------------------------------------------------------------

    async def fetch_object(self, uri: str, *, signer: SigningKey | None = None) -> ParsedObject:
        """The object that ``uri`` names, from its origin; its ``id`` may differ from ``uri``.

        ``signer`` is a local addressee's key: asked with a second time where the instance actor may not read.
        Raises :class:`Unreachable`, and :class:`PeerFault`: ``remote-gone``, ``remote-missing``,
        ``remote-forbidden``, ``id-mismatch``, ``not-activitypub``, and what parsing raises.
        """
        return parse_object(await self.fetch_document(uri, signer=signer), self._rules)

    async def fetch_document(self, uri: str, *, signer: SigningKey | None = None) -> dict[str, Any]:
        """As :meth:`fetch_object`, unparsed."""
        if "#" in uri:
            raise PeerFault("not-dereferenceable", internal=uri)
        document, final_url = await self._fetch_as_any(uri, signer)
        found = document.get("id")
        if not isinstance(found, str):
            raise PeerFault("id-mismatch", internal=f"{uri}: no id")
        if found != uri:
            document, final_url = await self._fetch_as_any(found, signer)
            if document.get("id") != found:
                raise PeerFault("id-mismatch", internal=f"{uri}: says {found}")
        if not same_origin(final_url, found):
            raise PeerFault("id-mismatch", internal=f"{found} was served by {final_url}")
        return document

    async def fetch_key_document(self, url: str) -> tuple[dict[str, Any], str]:
        """The document behind a ``keyId`` (without its fragment) and where it came from. Ids are for the caller."""
        return await self._fetch(url.partition("#")[0], await self._instance_key())

    async def fetch_actor(self, uri: str) -> ResolvedActor:
        """An actor and, by WebFinger in both directions, its handle.

        Raises as :meth:`fetch_object`, and :class:`PeerFault` ``handle-mismatch`` when the domain of its handle says
        that the handle is somebody else's.
        """
        found = await self.fetch_object(uri)
        if not isinstance(found, ActorDocument):
            raise PeerFault("bad-type", internal=f"{uri} is no actor")
        return await self.with_handle(found)

    async def with_handle(self, actor: ActorDocument) -> ResolvedActor:
        """Finds the handle of a fetched actor; see :meth:`fetch_actor`."""
        home = parse_url(actor.id).authority
        claimed = find_handle(actor.webfinger) if actor.webfinger else None
        if claimed is not None and claimed.domain != home and claimed.user.casefold() == actor.username.casefold():
            try:
                if await self._is_handle_of(claimed, actor.id):
                    return ResolvedActor(document=actor, domain=claimed.domain, verified=True)
            except (PeerFault, Unreachable):
                pass
        if not actor.username:
            return ResolvedActor(document=actor, domain=home, verified=False)
        try:
            finger = await self._finger(Handle(user=actor.username, domain=home))
        except (PeerFault, Unreachable):
            # A host that does not answer WebFinger still speaks for handles at its own name.
            return ResolvedActor(document=actor, domain=home, verified=False)
        if finger.actor != actor.id:
            raise PeerFault("handle-mismatch", internal=f"{actor.username}@{home} is {finger.actor}, not {actor.id}")
        subject = find_handle(finger.subject)
        if subject is None or subject.domain == home:
            return ResolvedActor(document=actor, domain=home, verified=True)
        if subject.user.casefold() == actor.username.casefold() and await self._agrees(subject, actor.id):
            return ResolvedActor(document=actor, domain=subject.domain, verified=True)
        return ResolvedActor(document=actor, domain=home, verified=False)

    async def resolve_handle(self, handle: Handle) -> ResolvedActor:
        """The actor behind ``user@domain``. Raises as :meth:`fetch_actor`, and ``bad-webfinger``."""
        finger = await self._finger(handle)
        return await self.fetch_actor(finger.actor)

    # WebFinger ----------------------------------------------------------------------------------------------

    async def _agrees(self, handle: Handle, actor: str) -> bool:
        try:
            return await self._is_handle_of(handle, actor)
        except (PeerFault, Unreachable):
            return False

    async def _is_handle_of(self, handle: Handle, actor: str) -> bool:
        return (await self._finger(handle)).actor == actor

    async def _finger(self, handle: Handle) -> Finger:
        base = self._base_of(handle.domain)
        response = await self._get(base + webfinger_path(handle), f"{JRD_TYPE}, application/json")
        if response.status == 404:
            response = await self._finger_by_host_meta(base, handle)
        _check_status(response)
        return parse_jrd(parse_json(response.body), self._rules)

    async def _finger_by_host_meta(self, base: str, handle: Handle) -> Response:
        meta = await self._get(f"{base}/.well-known/host-meta", "application/xrd+xml, application/xml")
        _check_status(meta)
        template = find_lrdd_template(meta.body.decode("utf-8", "replace"))
        if template is None:
            raise PeerFault("bad-webfinger", internal="host-meta names no lrdd")
        return await self._get(template.replace("{uri}", f"acct:{handle}"), f"{JRD_TYPE}, application/json")

    def _base_of(self, domain: str) -> str:
        try:
            url = parse_url(f"https://{domain}/")
        except PeerFault as wrong:
            raise PeerFault("bad-webfinger", internal=f"domain {domain[:100]!r}") from wrong
        scheme = "http" if self._rules.allow_http_loopback and is_loopback_host(url.host) else "https"
        return f"{scheme}://{url.authority}"

    async def _get(self, url: str, accept: str) -> Response:
        self._spend(url)
        return await self._client.get(url, accept=accept)

    # Collections --------------------------------------------------------------------------------------------

    async def fetch_collection(self, uri: str, *, signer: SigningKey | None = None) -> Collection | CollectionPage:
        """A collection or page, which need not name itself exactly: whatever it lists is a hint."""
        document, _ = await self._fetch_as_any(uri, signer)
        return parse_collection(document, self._rules)

    async def list_pages(
        self, uri: str, *, max_pages: int, signer: SigningKey | None = None
    ) -> AsyncIterator[tuple[tuple[Uri | Embedded, ...], int | None]]:
        """Items page by page, with the total where it is told. Pages of another host are not followed."""
        top = await self.fetch_collection(uri, signer=signer)
        total = top.total_items
        yield top.items, total
        page: Uri | CollectionPage | None = top.next if isinstance(top, CollectionPage) else top.first
        seen = {uri}
        for _ in range(max_pages):
            if isinstance(page, str):
                if page in seen or host_of(page) != host_of(uri):
                    return
                seen.add(page)
                fetched = await self.fetch_collection(page, signer=signer)
                if not isinstance(fetched, CollectionPage):
                    return
                page = fetched
            if page is None:
                return
            yield page.items, total
            page = page.next

    # Requests -----------------------------------------------------------------------------------------------

    async def _fetch_as_any(self, url: str, signer: SigningKey | None) -> tuple[dict[str, Any], str]:
        try:
            return await self._fetch(url, await self._instance_key())
        except PeerFault as fault:
            if signer is None or fault.code not in {"remote-forbidden", "remote-missing"}:
                raise
        return await self._fetch(url, signer)

    async def _fetch(self, url: str, key: SigningKey) -> tuple[dict[str, Any], str]:
        self._spend(url)
        host = host_of(url)
        scheme = self._scheme_of(host)
        response = await self._client.get_document(url, sign=_signing(scheme, key, self._clock))
        if response.status == 401 and "?" in url and scheme == "cavage":
            response = await self._client.get_document(url, sign=_signing(scheme, key, self._clock, sign_query=False))
        if response.status in {400, 401} and self._may_probe(host):
            other: httpsig.Scheme = "rfc9421" if scheme == "cavage" else "cavage"
            response = await self._client.get_document(url, sign=_signing(other, key, self._clock))
            scheme = other
        if response.ok:
            self._remember(host, scheme)
        _check_status(response)
        self._may_ask(response.final_url)  # a redirect may have led elsewhere
        return parse_json(response.body), response.final_url

    def _spend(self, url: str) -> None:
        check_url(url, self._rules)
        self._may_ask(url)
        if self._left is not None:
            if self._left[0] <= 0:
                raise PeerFault("too-many-fetches", internal=url)
            self._left[0] -= 1

    def _scheme_of(self, host: str) -> httpsig.Scheme:
        known = self._schemes.get(host)
        if known is None or self._clock.ms() - known.at_ms > SCHEME_TTL_MS:
            return "cavage"
        return known.scheme

    def _may_probe(self, host: str) -> bool:
        """One probe of the other scheme per host and hour."""
        now = self._clock.ms()
        known = self._known(host, now)
        if now - known.probed_at_ms < HOUR_MS:
            return False
        known.probed_at_ms = now
        return True

    def _remember(self, host: str, scheme: httpsig.Scheme) -> None:
        known = self._known(host, 0)
        known.scheme, known.at_ms = scheme, self._clock.ms()

    def _known(self, host: str, at_ms: int) -> _HostScheme:
        """What is remembered of a host, which is of bounded number: names cost their owner nothing."""
        known = self._schemes.setdefault(host, _HostScheme("cavage", at_ms))
        self._schemes.move_to_end(host)
        if len(self._schemes) > MAX_HOSTS:
            self._schemes.popitem(last=False)
        return known


def _signing(scheme: httpsig.Scheme, key: SigningKey, clock: Clock, *, sign_query: bool = True) -> Sign:
    def sign(method: str, url: str, body: bytes) -> Mapping[str, str]:
        return httpsig.sign_request(
            scheme, method, url, body=body or None, key=key, now_s=clock.ms() // 1000, sign_query=sign_query
        )

    return sign


def _check_status(response: Response) -> None:
    """Raises :class:`PeerFault` for answers that will stay, :class:`Unreachable` for those that may change."""
    if response.ok:
        return
    url = response.final_url
    match response.status:
        case 410:
            raise PeerFault("remote-gone", internal=url)
        case 404:
            raise PeerFault("remote-missing", internal=url)
        case 401 | 403:
            raise PeerFault("remote-forbidden", internal=url)
        case 408 | 425 | 429:
            raise Unreachable(host_of(url), f"status {response.status}", retry_after_s=_retry_after_s(response))
        case status if status >= 500:
            raise Unreachable(host_of(url), f"status {status}", retry_after_s=_retry_after_s(response))
        case status:
            raise PeerFault("remote-refused", internal=f"{url}: status {status}")


def _retry_after_s(response: Response) -> int | None:
    text = response.headers.get("Retry-After", "")
    return min(int(text), 24 * 3600) if text.isascii() and text.isdigit() else None
