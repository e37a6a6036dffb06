"""URLs as identities: read strictly, compared in a folded form, never rewritten.

An id stays the text its origin wrote. What is folded here (case, IDNA, trailing dot, default port) serves
comparison, block checks and the wire only.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

import idna

from fedi.errors import PeerFault

MAX_URL_CHARS = 2048
DEFAULT_PORT = {"https": 443, "http": 80}

_URL = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://(?P<authority>[^/?#]+)(?P<target>[^#]*)(?P<fragment>#.*)?", re.ASCII
)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\<>\"\u2028\u2029\ud800-\udfff]")
_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]@%]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_ASCII_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
# Kept as written on the wire: everything a URL may hold, and percent signs, which are already escapes.
_WIRE_SAFE = "%/:?#[]@!$&'()*+,;=~"


class Origin(NamedTuple):
    """Scheme, host and port, folded: what must agree for one document to speak for another (FEP-fe34)."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlRules:
    """Which schemes and ports count. A test instance on loopback may use http and any port among its like."""

    allow_http_loopback: bool = False
    ports: frozenset[int] = frozenset({443})


STRICT = UrlRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """The parts of a URL, folded for comparison. ``target`` is path and query as written."""

    scheme: str
    host: str
    port: int
    target: str
    fragment: str

    @property
    def origin(self) -> Origin:
        return Origin(self.scheme, self.host, self.port)

    @property
    def authority(self) -> str:
        """Host and, unless it is the scheme's own, port: the form of the ``Host`` header."""
        return self.host if self.port == DEFAULT_PORT[self.scheme] else f"{self.host}:{self.port}"


@lru_cache(maxsize=4096)  # an activity names the same few URLs again and again
def parse_url(text: str) -> Url:
    """Reads an http(s) URL without a word on whether we like it (see :func:`check_url`).

    Raises :class:`PeerFault` ``bad-url``: other scheme, userinfo, zone id, control character, white space or
    backslash, no host, broken IDNA, an IPv4 address in any other spelling than the usual one, or too long.
    """
    if len(text) > MAX_URL_CHARS:
        raise _bad(text, "too long")
    match = _URL.fullmatch(text)
    if match is None or _FORBIDDEN.search(text):
        raise _bad(text, "not an http(s) URL")
    scheme, authority, target, fragment = match.groups()
    scheme = scheme.lower()
    host, port = _host_and_port(authority)
    return Url(
        scheme=scheme, host=host, port=port or DEFAULT_PORT[scheme], target=target, fragment=fragment or ""
    )  # fmt: skip


@lru_cache(maxsize=4096)  # every post has a URL of its own, but few have a host of their own
def _host_and_port(authority: str) -> tuple[str, int | None]:
    """Folded. Raises :class:`PeerFault` ``bad-url``."""
    where = _HOST_PORT.fullmatch(authority)
    if where is None:
        raise _bad(authority, "bad authority")
    port = int(where["port"]) if where["port"] else None
    if port is not None and not 0 < port < 65536:
        raise _bad(authority, "bad port")
    return normal_host(where["host"]), port


def check_url(text: str, rules: UrlRules = STRICT) -> Url:
    """A URL that ids may have and that may be asked: https on a listed port, or loopback where that is allowed.

    Raises :class:`PeerFault` ``bad-url``.
    """
    url = parse_url(text)
    if rules.allow_http_loopback and is_loopback_host(url.host):
        return url
    if url.scheme != "https" or url.port not in rules.ports or is_loopback_host(url.host):
        raise _bad(text, "scheme, port or host is not allowed")
    return url


def is_url(text: object, rules: UrlRules = STRICT) -> bool:
    """Whether ``text`` passes :func:`check_url`."""
    return isinstance(text, str) and _is_url(text, rules.allow_http_loopback, rules.ports)


@lru_cache(maxsize=8192)  # actors, collections and the Public address come with every activity
def _is_url(text: str, allow_http_loopback: bool, ports: frozenset[int]) -> bool:
    try:
        check_url(text, UrlRules(allow_http_loopback=allow_http_loopback, ports=ports))
    except PeerFault:
        return False
    return True


def origin(url: str) -> Origin:
    return parse_url(url).origin


def host(url: str) -> str:
    return parse_url(url).host


def same_origin(one: str, other: str) -> bool:
    return parse_url(one).origin == parse_url(other).origin


def is_same_server(url: str, own: str) -> bool:
    """Whether ``url`` is on the host of ``own``, whatever its scheme and port. On loopback the port counts too: test
    instances share a name. Raises :class:`PeerFault` ``bad-url``."""
    one, other = parse_url(url), parse_url(own)
    return one.host == other.host and (one.port == other.port or not is_loopback_host(other.host))


def wire_url(text: str) -> str:
    """The ASCII form to request and to sign: host folded, no fragment, escapes exactly as written."""
    url = parse_url(text)
    target = url.target if url.target.startswith("/") else "/" + url.target
    return f"{url.scheme}://{url.authority}{target if target.isascii() else quote(target, safe=_WIRE_SAFE)}"


def without_fragment(url: str) -> str:
    return url.partition("#")[0]


def normal_host(name: str) -> str:
    """A host name or address literal in the one form used for comparison: lower case, A-labels, no trailing dot.

    Raises :class:`PeerFault` ``bad-url``.
    """
    if name.startswith("[") and name.endswith("]"):
        try:
            return f"[{ipaddress.IPv6Address(name[1:-1]).compressed}]"
        except ValueError as wrong:
            raise _bad(name, "bad IPv6 literal") from wrong
    folded = name.lower().removesuffix(".")
    if not folded.isascii() or "xn--" in folded:
        folded = _a_labels(folded)
    if len(folded) > 253 or not _ASCII_HOST.fullmatch(folded):
        raise _bad(name, "bad host name")
    # "127.1", "0177.0.0.1" and "0x7f000001" are addresses to some resolvers (WHATWG URL: ends in a number).
    if _NUMBER.fullmatch(folded.rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(folded))
        except ValueError as wrong:
            raise _bad(name, "unusual spelling of an address") from wrong
    return folded


def is_loopback_host(folded: str) -> bool:
    """Whether a folded host names this very machine (``localhost``, ``*.localhost``, 127.0.0.0/8, ``[::1]``)."""
    if folded == "localhost" or folded.endswith(".localhost") or folded == "[::1]":
        return True
    return folded.startswith("127.") and folded.replace(".", "").isdigit()


def parent_domains(folded: str) -> Iterator[str]:
    """The domain itself, then its parents up to the last label: where a block of it may be written."""
    while True:
        yield folded
        _, dot, folded = folded.partition(".")
        if not dot:
            return


def is_under_domain(folded: str, domain: str) -> bool:
    """Whether ``folded`` is ``domain`` or below it, at a dot: ``evilexample.com`` is not under ``example.com``."""
    return folded == domain or folded.endswith("." + domain)


def _a_labels(name: str) -> str:
    try:
        return idna.encode(name, uts46=True, transitional=False).decode("ascii").lower().removesuffix(".")
    except (idna.IDNAError, ValueError, IndexError) as wrong:
        raise _bad(name, "broken IDNA") from wrong


def _bad(text: str, why: str) -> PeerFault:
    return PeerFault("bad-url", internal=f"{why}: {text[:200]!r}")
