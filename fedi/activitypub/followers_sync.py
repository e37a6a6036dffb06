"""Followers synchronisation (FEP-8fcf): telling a host which of its people follow, by a digest in a header."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from fedi.errors import PeerFault

HEADER = "Collection-Synchronization"
LONGEST_HEADER = 4_096

_PARAMETER = re.compile(r'[ \t]*([A-Za-z]+)[ \t]*=[ \t]*"([^"\\\x00-\x1f\x7f]*)"[ \t]*(?:,|\Z)')
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowersClaim:
    """``collection_id`` is the sender's followers collection, ``url`` serves the part that lives on our host, and
    ``digest`` (hex) is that part's.
    """

    collection_id: str
    url: str
    digest: str


def followers_digest(uris: Iterable[str]) -> str:
    """XOR of the SHA-256 of each follower's id, in hex; order does not matter, 64 zeros for nobody."""
    digest = 0
    for uri in set(uris):
        digest ^= int.from_bytes(hashlib.sha256(uri.encode("utf-8")).digest(), "big")
    return f"{digest:064x}"


def render_followers_claim(claim: FollowersClaim) -> str:
    return f'collectionId="{claim.collection_id}", url="{claim.url}", digest="{claim.digest}"'


def parse_followers_claim(header: str) -> FollowersClaim:
    """Raises ``PeerFault``. That both URLs live on the signer's host is for the caller to check."""
    parameters: dict[str, str] = {}
    position = 0
    while position < len(header) <= LONGEST_HEADER:
        match = _PARAMETER.match(header, position)
        if match is None or match[1] in parameters:
            break
        parameters[match[1]] = match[2]
        position = match.end()
    collection_id, url = parameters.get("collectionId"), parameters.get("url")
    digest = parameters.get("digest", "").lower()
    if position < len(header) or not collection_id or not url or not _DIGEST.fullmatch(digest):
        raise PeerFault("followers-synchronization-malformed", internal=header[:200])
    return FollowersClaim(collection_id=collection_id, url=url, digest=digest)
