"""What both schemes of HTTP signatures share: the request as it came over the wire, what its signature claims,
how long such a claim is good, and the two answers to a bad one.

Causes never leave the server: everything that fails after parsing says the same sentence, and the cause stands in
``internal`` for the log.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

from fedi.errors import PeerFault

Scheme = Literal["cavage", "rfc9421"]

# Mastodon's window: without `expires` five minutes, never more than twelve hours, clocks an hour apart at most.
LIFE_S = 5 * 60
LONGEST_LIFE_S = 12 * 60 * 60
CLOCK_SKEW_S = 60 * 60

LONGEST_KEY_ID = 2048
BODILESS_METHODS = frozenset({"GET", "HEAD"})
# A second line of one of these could be the one that another reader of the request sees.
SINGLE_FIELDS = ("signature", "signature-input", "digest", "content-digest", "date", "host")

_KEY_ID = re.compile(r"https?://[^\x00-\x20\x7f\"\\@/?#]+(?:[/?#][^\x00-\x20\x7f\"\\]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """An incoming request before anything of it is believed.

    ``raw_path`` is path and query exactly as on the request line, never decoded: a decoded ``%0A`` would inject
    lines into the signing string. ``origin`` is our configured public origin (``https://host``); it is never taken
    from the request.
    """

    method: str
    raw_path: str
    headers: Iterable[tuple[str, str]]
    body: bytes
    origin: str
    fields: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    """Lower-case name → the values of its lines, in order, without white space around them."""

    def __post_init__(self) -> None:
        fields: dict[str, tuple[str, ...]] = {}
        for name, value in self.headers:
            lowered = name.lower()
            fields[lowered] = (*fields.get(lowered, ()), value.strip(" \t"))
        object.__setattr__(self, "fields", fields)

    def field_value(self, name: str) -> str | None:
        """All lines of a field joined as HTTP allows (RFC 9110 §5.3), ``None`` if there is none."""
        values = self.fields.get(name)
        if values is None:
            return None
        return values[0] if len(values) == 1 else ", ".join(values)

    @property
    def host(self) -> str:
        """Host (and port, if not the scheme's own) of our public origin."""
        return self.origin.partition("://")[2]

    @property
    def has_signed_body(self) -> bool:
        return self.method.upper() not in BODILESS_METHODS


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureClaim:
    """What a signature header says about itself; nothing of it is verified yet.

    ``covered`` holds header names (cavage) or serialised component identifiers (RFC 9421). ``created_s`` is the
    signed time: the covered ``(created)`` or ``Date`` (cavage), or the ``created`` parameter (RFC 9421).
    ``parameters`` is the serialised value of ``@signature-params`` (RFC 9421 only).
    """

    scheme: Scheme
    key_id: str
    covered: tuple[str, ...]
    signature: bytes
    algorithm: str | None
    created_s: int | None
    expires_s: int | None
    parameters: str = ""

    @property
    def good_until_s(self) -> int:
        """When the claim's own window closes (Unix seconds): replays need be remembered until then."""
        if self.created_s is None:
            return 0
        expires_s = self.created_s + LIFE_S if self.expires_s is None else self.expires_s
        return min(expires_s, self.created_s + LONGEST_LIFE_S) + CLOCK_SKEW_S


def missing() -> PeerFault:
    return PeerFault("signature-missing", "This request must carry an HTTP signature.", status=401)


def malformed(internal: str) -> PeerFault:
    return PeerFault("signature-malformed", "The HTTP signature can not be read.", status=400, internal=internal)


def invalid(internal: str) -> PeerFault:
    """The one answer to every claim that was read and does not hold."""
    return PeerFault("signature-invalid", "The HTTP signature does not hold.", status=401, internal=internal)


def check_single_fields(request: SignedRequest) -> None:
    for name in SINGLE_FIELDS:
        if len(request.fields.get(name, ())) > 1:
            raise malformed(f"two lines of {name}")


def check_key_id(key_id: str, request: SignedRequest) -> None:
    """A key id must be a URL we would fetch: https, or http where we ourselves are a test instance on http."""
    _check_url(key_id)
    if not key_id.startswith("https://") and not request.origin.startswith("http://"):
        raise invalid("key id is not https")


@lru_cache(maxsize=4096)  # who sends once sends again
def _check_url(key_id: str) -> None:
    if len(key_id) > LONGEST_KEY_ID or not _KEY_ID.fullmatch(key_id):
        raise invalid("key id is no URL")
    try:
        host = urlsplit(key_id).hostname
    except ValueError:
        host = None
    if not host:
        raise invalid("key id has no host")


def check_window(claim: SignatureClaim, now_s: int) -> None:
    if claim.created_s is None:
        raise invalid("no signed time")
    if claim.created_s > now_s + CLOCK_SKEW_S:
        raise invalid("from the future")
    if now_s > claim.good_until_s:
        raise invalid("too old")


def check_sha256(offered: list[str], body: bytes) -> None:
    """Exactly one SHA-256 digest must be offered and be that of the raw body."""
    if len(offered) != 1:
        raise invalid("no single sha-256 digest")
    try:
        digest = base64.b64decode(offered[0], validate=True)
    except (binascii.Error, ValueError):
        raise invalid("digest is not base64") from None
    if not hmac.compare_digest(digest, hashlib.sha256(body).digest()):
        raise invalid("digest differs from the body")


def encode_signed_text(text: str, lines: int) -> bytes:
    """The bytes that are signed; header bytes outside UTF-8 come as surrogate escapes and go back to themselves.

    A line break inside a value would let one line pass for two, so the count must be right.
    """
    if text.count("\n") != lines - 1 or "\r" in text:
        raise invalid("line break inside a signed value")
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise invalid("signed value is not text") from None


def parse_base64(text: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise malformed("signature is not base64") from None
    if not value:
        raise malformed("empty signature")
    return value
