"""The routing rule: on which surfaces an accepted post gets a position.

The rule is public and blind. It may look at the kind of activity, the audience class, whether the post answers
another, its tags, its age, whether its author is local, and whether it was delivered or fetched. It has no words
for a particular author, host, text or score, so nobody can be left out by it.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

Audience = Literal["public", "unlisted", "private", "direct"]

NEWS_AGE_MS = 7 * 24 * 3600 * 1000  # what is older when it arrives is no news: it stands with its author only
MAX_TAGS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """What the rule may know of a post. ``author`` and ``in_reply_to`` only name surfaces; nothing asks who it is."""

    author: str
    audience: Audience
    local: bool
    delivered: bool  # False: fetched by us, or imported by its author
    age_ms: int
    in_reply_to: str | None = None
    tags: tuple[str, ...] = ()
    boost: bool = False


def surfaces_of(post: Routed) -> tuple[str, ...]:
    """Names of the surfaces, sorted: the order in which their heads are locked."""
    return tuple(sorted(set(_surfaces(post))))


def _surfaces(post: Routed) -> Iterator[str]:
    match post.audience:
        case "direct":
            return
        case "private":
            # A followers-only post that we fetched belongs to no stream: it would come out of order.
            if post.delivered:
                yield f"author-f:{post.author}"
            return
        case "public" | "unlisted":
            pass
    if not post.delivered:
        yield f"archive:{post.author}"
    else:
        yield f"author:{post.author}"
    if post.boost:
        return
    if post.in_reply_to is not None:
        yield f"replies:{post.in_reply_to}"
    if post.delivered and post.audience == "public" and post.age_ms <= NEWS_AGE_MS:
        yield from (tag_surface(tag) for tag in post.tags[:MAX_TAGS])
        if post.in_reply_to is None:
            yield "public"
            if post.local:
                yield "local"


def tag_surface(tag: str) -> str:
    """``tag`` without ``#``, in any case and width: ``#Café``, ``#café`` and ``#ＣＡＦÉ`` are one surface."""
    folded = unicodedata.normalize("NFKC", tag).lower()
    return f"tag:{quote(folded, safe='')}"


def kind_of(surface: str) -> str:
    """The part before the colon: what a restriction may name instead of one surface."""
    return surface.partition(":")[0]
