"""WebFinger (RFC 7033) and host-meta (RFC 6415): from a handle to an actor, read and written."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from fedi.activitypub.urls import UrlRules, is_url
from fedi.activitypub.vocab import AS2
from fedi.errors import PeerFault
from fedi.ids import Uri

JRD_TYPE = "application/jrd+json"
XRD_TYPE = "application/xrd+xml"
SELF_TYPES = ("application/activity+json", f'application/ld+json; profile="{AS2}"')
MAX_LINKS = 100

# The attributes of one <Link> of an XRD, in any order; no XML parser sees foreign documents.
_XRD_LINK = re.compile(r"<(?:\w+:)?Link\b([^<>]{0,2048})>")
_XRD_ATTRIBUTE = re.compile(r"""\b(rel|template)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_ACCT = re.compile(r"(?:acct:)?@?(?P<user>[^@\s/?#]{1,2048})@(?P<domain>[^@\s/?#]{1,260})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """``user@domain``, as written."""

    user: str
    domain: str

    def __str__(self) -> str:
        return f"{self.user}@{self.domain}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finger:
    """What a WebFinger answer says: who it is about, and which actor that is."""

    subject: str
    actor: Uri


def find_handle(text: str) -> Handle | None:
    """From ``acct:user@domain``, ``@user@domain`` or ``user@domain``."""
    match = _ACCT.fullmatch(text)
    return Handle(user=match["user"], domain=match["domain"].lower()) if match else None


def parse_jrd(document: Mapping[str, Any], rules: UrlRules) -> Finger:
    """Raises :class:`PeerFault` ``bad-webfinger``: no subject, or no link to an ActivityPub actor."""
    subject = document.get("subject")
    if not isinstance(subject, str) or not subject:
        raise PeerFault("bad-webfinger", internal="no subject")
    links = document.get("links")
    for link in links[:MAX_LINKS] if isinstance(links, list) else ():
        if not isinstance(link, dict) or link.get("rel") != "self" or not isinstance(link.get("type"), str):
            continue
        if _is_activity_type(link["type"]) and is_url(link.get("href"), rules):
            return Finger(subject=subject, actor=Uri(link["href"]))
    raise PeerFault("bad-webfinger", internal="no link to an actor")


def _is_activity_type(kind: str) -> bool:
    media_type, _, parameters = kind.lower().partition(";")
    media_type = media_type.strip()
    return media_type == SELF_TYPES[0] or (media_type == "application/ld+json" and AS2 in parameters)


def find_lrdd_template(xrd: str) -> str | None:
    """The WebFinger template of a host-meta document."""
    for link in _XRD_LINK.finditer(xrd[:65_536]):
        attributes: dict[str, str] = {name: one or other for name, one, other in _XRD_ATTRIBUTE.findall(link[1])}
        if attributes.get("rel") == "lrdd" and "{uri}" in attributes.get("template", ""):
            return attributes["template"].replace("&amp;", "&")
    return None


def webfinger_path(handle: Handle) -> str:
    return f"/.well-known/webfinger?resource=acct:{quote(str(handle), safe='@:')}"


def render_jrd(subject: str, aliases: Sequence[str], links: Iterable[Mapping[str, str]]) -> bytes:
    document = {"subject": subject, "aliases": list(aliases), "links": list(links)}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def render_host_meta(origin: str) -> bytes:
    """The XRD that leads old software to WebFinger."""
    template = quoteattr(f"{origin}/.well-known/webfinger?resource={{uri}}")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0">\n'
        f'  <Link rel="lrdd" type="{JRD_TYPE}" template={template}/>\n'
        "</XRD>\n"
    ).encode()
