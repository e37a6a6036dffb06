"""Finds links, mentions and hashtags in what our authors write."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

MAX_TAG_CHARS = 256

# One alternative per kind; nothing in it can match the same characters in two ways, so it cannot backtrack far.
_START = re.compile(
    r"(?P<url>(?<![A-Za-z0-9_/@.])[Hh][Tt][Tt][Pp][Ss]?://[^\s<>\"“”«»\x00-\x1f]{1,2000})"
    r"|(?P<mention>(?<![\w/@.])@(?P<user>[A-Za-z0-9_]+(?:[.-]+[A-Za-z0-9_]+)*)"
    r"(?:@(?P<domain>[^\W_]+(?:[.-]+[^\W_]+)*(?::[0-9]{1,5})?))?)"
    r"|(?P<hash>(?<![\w&/=#])[#＃])"
)
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_TRAILING = frozenset(".,;:!?'*_~…؟،؛。、！？，：；»”’")
_JOINERS = frozenset("_·・\u200c\u200d")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebLink:
    start: int
    end: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """``@username`` or ``@username@domain`` as typed; ``domain`` is '' for the short form."""

    start: int
    end: int
    username: str
    domain: str

    @property
    def acct(self) -> str:
        """In lower case, without the leading ``@``."""
        return (f"{self.username}@{self.domain}" if self.domain else self.username).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashtag:
    """``name`` as typed, without ``#``."""

    start: int
    end: int
    name: str


Token = WebLink | Mention | Hashtag


def find_tokens(text: str) -> Iterator[Token]:
    """In the order of the text, never overlapping: a ``#`` or ``@`` inside a link belongs to the link."""
    at = 0
    while (match := _START.search(text, at)) is not None:
        start, at = match.span()
        if match["url"]:
            url = _trimmed(match["url"])
            at = start + len(url)
            if url.partition("://")[2]:
                yield WebLink(start=start, end=at, url=url)
            else:
                at = match.end()
        elif match["mention"]:
            yield Mention(start=start, end=at, username=match["user"], domain=match["domain"] or "")
        else:
            name = _tag_name(text, at)
            at += len(name)
            if name:
                yield Hashtag(start=start, end=at, name=name)


def find_mentions(text: str) -> list[Mention]:
    """Each account once, in order."""
    found: dict[str, Mention] = {}
    for token in find_tokens(text):
        if isinstance(token, Mention):
            found.setdefault(token.acct, token)
    return list(found.values())


def find_hashtags(text: str) -> list[str]:
    """Each tag once, as first written."""
    found: dict[str, str] = {}
    for token in find_tokens(text):
        if isinstance(token, Hashtag):
            found.setdefault(normal_tag(token.name), token.name)
    return list(found.values())


def find_urls(text: str) -> list[str]:
    return list(dict.fromkeys(token.url for token in find_tokens(text) if isinstance(token, WebLink)))


def normal_tag(name: str) -> str:
    """What makes two hashtags one: compatibility forms, case and the accents of Latin letters do not count
    (``Été`` = ``ete``); the marks of other scripts do."""
    kept: list[str] = []
    for character in unicodedata.normalize("NFKD", name.casefold()):
        if unicodedata.combining(character) and kept and kept[-1].isascii():
            continue
        kept.append(character)
    return unicodedata.normalize("NFKC", "".join(kept))


def _trimmed(url: str) -> str:
    """Without the punctuation of the sentence around it; closing brackets stay as long as they were opened inside."""
    spare = {closer: url.count(closer) - url.count(opener) for closer, opener in _CLOSERS.items()}
    end = len(url)
    while end:
        last = url[end - 1]
        if last in _TRAILING:
            end -= 1
        elif spare.get(last, 0) > 0:
            spare[last] -= 1
            end -= 1
        else:
            break
    return url[:end]


def _tag_name(text: str, start: int) -> str:
    """The longest run of letters, digits, marks and joiners that holds a letter; '' if there is none."""
    end = start
    while end < len(text) and end - start < MAX_TAG_CHARS and _is_tag_character(text[end]):
        end += 1
    name = text[start:end].rstrip("·・\u200c\u200d")
    return name if any(character.isalpha() for character in name) else ""


def _is_tag_character(character: str) -> bool:
    return character.isalnum() or character in _JOINERS or unicodedata.category(character) in {"Mn", "Mc"}
