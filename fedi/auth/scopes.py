"""What a token may do: the scope words of the Mastodon API and how they contain each other.

``read`` contains every ``read:x``, ``admin:read`` every ``admin:read:x``; the legacy ``follow`` contains reading and
writing of blocks, follows and mutes. ``profile`` is only the reading of one's own account.
"""

from collections.abc import Iterable
from functools import lru_cache

from fedi.errors import ClientFault

_READ = "accounts blocks bookmarks collections favourites filters follows lists mutes notifications search statuses"
_WRITE = (
    "accounts blocks bookmarks collections conversations favourites filters follows lists media mutes notifications "
    "reports statuses"
)
_ADMIN_READ = "accounts reports domain_allows domain_blocks ip_blocks email_domain_blocks canonical_email_blocks"

DEFAULT = frozenset({"read"})
OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"

KNOWN: tuple[str, ...] = (
    "read",
    *(f"read:{word}" for word in _READ.split()),
    "write",
    *(f"write:{word}" for word in _WRITE.split()),
    "follow",
    "push",
    "profile",
    "admin:read",
    *(f"admin:read:{word}" for word in _ADMIN_READ.split()),
    "admin:write",
    *(f"admin:write:{word}" for word in _ADMIN_READ.split()),
)
_KNOWN = frozenset(KNOWN)
_FOLLOW = frozenset(f"{verb}:{word}" for verb in ("read", "write") for word in ("blocks", "follows", "mutes"))


@lru_cache(maxsize=4096)  # asked at every request, with few different grants
def covers(granted: frozenset[str], needed: str) -> bool:
    """Whether ``needed`` lies within what was granted."""
    parts = needed.split(":")
    return any(":".join(parts[:n]) in granted for n in range(len(parts), 0, -1)) or (
        needed in _FOLLOW and "follow" in granted
    )


def parse_scopes(text: str, *, default: frozenset[str] = DEFAULT) -> frozenset[str]:
    """Space-separated scopes; empty text gives ``default``. Raises ``ClientFault`` naming an unknown word."""
    words = frozenset(text.split())
    for word in sorted(words - _KNOWN):
        raise ClientFault("unknown-scope", "There is no scope named “%(scope)s”.", params={"scope": word[:60]})
    return words or default


def render_scopes(scopes: Iterable[str]) -> str:
    """In the order of the documentation, so that the same grant always reads the same."""
    held = frozenset(scopes)
    return " ".join(word for word in KNOWN if word in held)
