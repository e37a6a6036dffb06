"""Reads one property at a time from foreign JSON-LD in its plain form.

Any property may be absent, a scalar or a list; an object may stand for its id. What is of no use (a number where a
text belongs, a URL nobody may ask) is read as absent, except where a caller says it is required.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fedi.activitypub.urls import UrlRules, is_url
from fedi.activitypub.vocab import AS2, PUBLIC
from fedi.clock import to_ms
from fedi.errors import PeerFault
from fedi.ids import Uri

MAX_RECIPIENTS = 1_000
_MAX_COUNT = 2**53
_PUBLIC_ALIASES = frozenset({PUBLIC, "as:Public", "Public", f"http{AS2.removeprefix('https')}#Public"})
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,100}", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object and the rules for the URLs in it."""

    raw: Mapping[str, Any]
    rules: UrlRules

    def values(self, key: str) -> list[Any]:
        """The members of a list, a scalar as the only member, or nothing."""
        value = self.raw.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            return [value]
        return [item for item in value if item is not None] if None in value else value

    def objects(self, key: str) -> "Iterator[Fields]":
        for value in self.values(key):
            if isinstance(value, dict):
                yield Fields(value, self.rules)

    def child(self, key: str) -> "Fields | None":
        if key not in self.raw:  # most of what may be there is not: no generator is made for it
            return None
        return next(self.objects(key), None)

    def types(self) -> list[str]:
        """``as:`` is the other spelling that the ActivityStreams context knows for its own names."""
        return [value.removeprefix("as:") for value in self.values("type") if isinstance(value, str)]

    def id(self) -> Uri | None:
        """Its own id. Present but unusable is a :class:`PeerFault` ``bad-id``: nobody may be named by it."""
        value = self.raw.get("id")
        if value is None:
            return None
        if not isinstance(value, str) or not is_url(value, self.rules):
            raise PeerFault("bad-id", internal=repr(value)[:200])
        return Uri(value)

    def required_id(self) -> Uri:
        value = self.id()
        if value is None:
            raise PeerFault("bad-id", internal="no id")
        return value

    def uri(self, key: str) -> Uri | None:
        """The first usable id."""
        if key not in self.raw:
            return None
        return next(self._uris(key), None)

    def uris(self, key: str, most: int) -> tuple[Uri, ...]:
        """The usable ids without repetition, at most ``most``."""
        if key not in self.raw:
            return ()
        found: dict[Uri, None] = {}
        for uri in self._uris(key):
            found[uri] = None
            if len(found) == most:
                break
        return tuple(found)

    def required_uri(self, key: str) -> Uri:
        """The only id under ``key``; none, several or an unusable one are ``bad-<key>``."""
        values = self.values(key)
        uri = self._uri(values[0]) if len(values) == 1 else None
        if uri is None:
            raise PeerFault(f"bad-{key.lower()}", internal=repr(self.raw.get(key))[:200])
        return uri

    def recipients(self) -> "tuple[tuple[Uri, ...], tuple[Uri, ...], tuple[Uri, ...]]":
        """``to``, ``cc`` and ``audience``; the Public collection in its full form. Too many: :class:`PeerFault`."""
        if len(self.values("to")) + len(self.values("cc")) + len(self.values("audience")) > MAX_RECIPIENTS:
            raise PeerFault("too-many-recipients")
        most = MAX_RECIPIENTS
        return self.uris("to", most), self.uris("cc", most), self.uris("audience", most)

    def url(self, key: str) -> str | None:
        """A web address for display or download: a text, an object with ``url`` or ``href``, or a list of them."""
        if key not in self.raw:
            return None
        return next(self.hrefs(key), None)

    def hrefs(self, key: str) -> Iterator[str]:
        for value in self.values(key):
            if isinstance(value, str):
                if is_url(value, self.rules):
                    yield value
            elif isinstance(value, dict):
                yield from Fields(value, self.rules).hrefs("href" if "href" in value else "url")

    def text(self, key: str, most: int) -> str:
        """A text, cut at ``most`` characters; ``<key>Map`` stands in for it. Empty if there is none."""
        whole = self.raw.get(key)
        if isinstance(whole, str):
            return whole[:most]
        for value in self.values(key):
            if isinstance(value, str):
                return value[:most]
        for text in self.text_map(f"{key}Map", most).values():
            return text
        return ""

    def text_map(self, key: str, most: int) -> dict[str, str]:
        """Texts by language."""
        value = self.raw.get(key)
        if not isinstance(value, dict):
            return {}
        pairs = ((language_tag(tag), text) for tag, text in list(value.items())[:50] if isinstance(text, str))
        return {tag: text[:most] for tag, text in pairs if tag is not None}

    def flag(self, key: str) -> bool:
        return self.raw.get(key) in (True, "true")

    def count(self, key: str) -> int | None:
        """A whole number, not negative and small enough for every database and for JSON."""
        value = number(self.raw.get(key))
        return int(value) if value is not None and 0 <= value <= _MAX_COUNT else None

    def instant(self, key: str) -> int | None:
        """Milliseconds since 1970, from the form of RFC 3339; a time without a zone is taken as UTC."""
        value = self.raw.get(key)
        if not isinstance(value, str) or len(value) > 64 or not _DATE.match(value):
            return None
        try:
            at = datetime.fromisoformat(value)
            ms = to_ms(at if at.tzinfo else at.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            return None
        return ms if ms >= 0 else None

    def media_type(self, key: str = "mediaType") -> str | None:
        """Without parameters, in lower case."""
        value = self.raw.get(key)
        match = _MEDIA_TYPE.match(value) if isinstance(value, str) else None
        return match[0].lower() if match else None

    def _uris(self, key: str) -> Iterator[Uri]:
        for value in self.values(key):
            uri = self._uri(value)
            if uri is not None:
                yield uri

    def _uri(self, value: object) -> Uri | None:
        if isinstance(value, dict):
            value = value.get("id") or value.get("href")
        if not isinstance(value, str):
            return None
        if value in _PUBLIC_ALIASES:
            return PUBLIC
        return Uri(value) if is_url(value, self.rules) else None


def number(value: object) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def language_tag(value: object) -> str | None:
    """A language tag whose first part is in lower case; ``und`` and what is no tag are None."""
    if not isinstance(value, str) or not _LANGUAGE.fullmatch(value):
        return None
    primary, dash, rest = value.partition("-")
    return None if primary.lower() == "und" else primary.lower() + dash + rest
