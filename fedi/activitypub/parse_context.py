"""The rules for ``@context`` on documents that are read as plain JSON (never fetched, never expanded here)."""

from collections.abc import Mapping
from typing import Any

from fedi.activitypub.vocab import AS2
from fedi.errors import PeerFault

_AS2_SPELLINGS = frozenset(
    f"{scheme}://www.w3.org/ns/activitystreams{tail}" for scheme in ("http", "https") for tail in ("", "#")
)
_AS2_PREFIXES = (f"{AS2}#", "http://www.w3.org/ns/activitystreams#", "as:")

# The terms of ActivityStreams by which we decide who says what to whom. Whoever gives one of them another meaning
# would have us read a different document from the one that was signed.
_TERMS = frozenset({
    "actor", "object", "target", "origin", "instrument", "result", "to", "cc", "bto", "bcc", "audience",
    "attributedTo", "inReplyTo", "content", "contentMap", "name", "nameMap", "summary", "summaryMap", "tag",
    "attachment", "url", "href", "rel", "mediaType", "published", "updated", "endTime", "closed", "oneOf", "anyOf",
    "replies", "likes", "shares", "context", "icon", "image", "inbox", "outbox", "followers", "following",
    "endpoints", "sharedInbox", "preferredUsername", "items", "orderedItems", "first", "next", "prev", "partOf",
    "totalItems", "formerType", "deleted", "source", "Note", "Article", "Page", "Question", "Image", "Video",
    "Audio", "Event", "Document", "Link", "Mention", "Tombstone", "Person", "Service", "Group", "Organization",
    "Application", "Collection", "OrderedCollection", "CollectionPage", "OrderedCollectionPage", "Create", "Update",
    "Delete", "Undo", "Follow", "Accept", "Reject", "Announce", "Like", "Dislike", "Block", "Flag", "Move", "Add",
    "Remove",
})  # fmt: skip
_KEYWORDS = {"id": "@id", "type": "@type"}


def check_context(raw: Mapping[str, Any], *, required: bool = True) -> None:
    """Raises :class:`PeerFault` ``bad-context`` if the document does not name ActivityStreams, or redefines it.

    Without ``required`` a missing context is fine (stubs, keys, embedded objects).
    """
    context = raw.get("@context")
    if context is None:
        if required:
            raise PeerFault("bad-context", internal="missing")
        return
    parts = context if isinstance(context, list) else [context]
    for part in parts:
        if isinstance(part, dict):
            _refuse_redefinition(part)
    if required and not any(isinstance(part, str) and part in _AS2_SPELLINGS for part in parts):
        raise PeerFault("bad-context", internal="does not name ActivityStreams")


def _refuse_redefinition(terms: Mapping[str, Any]) -> None:
    for term, meaning in terms.items():
        iri = meaning.get("@id", term) if isinstance(meaning, dict) else meaning
        if term in _TERMS:
            if iri == term and isinstance(meaning, dict):  # another type or container alone
                continue
            if not isinstance(iri, str) or not any(iri == prefix + term for prefix in _AS2_PREFIXES):
                raise PeerFault("bad-context", internal=f"redefines {term}")
        elif term in _KEYWORDS:
            if iri != _KEYWORDS[term]:
                raise PeerFault("bad-context", internal=f"redefines {term}")
        elif term == "as" and iri not in _AS2_PREFIXES[:2]:
            raise PeerFault("bad-context", internal="redefines the prefix as")
