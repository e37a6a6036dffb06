"""``@context`` for what we publish: only the terms a document uses, each with exactly the definition that Mastodon has.

Mastodon passes a signed document on only when compacting it to its own context changes nothing, so another
definition of the same word, or a word it does not know, would cost replies their way through the network. Words of
that kind stand in ``BEYOND_MASTODON`` and must not appear on activities that are forwarded.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

AS2 = "https://www.w3.org/ns/activitystreams"
SECURITY = "https://w3id.org/security/v1"

_TOOT = {"toot": "http://joinmastodon.org/ns#"}
_OSTATUS = {"ostatus": "http://ostatus.org#"}
_GTS = {"gts": "https://gotosocial.org/ns#"}
_SCHEMA = {"schema": "http://schema.org#"}
_LITEPUB = {"litepub": "http://litepub.social/ns#"}


def _link(iri: str) -> dict[str, str]:
    return {"@id": iri, "@type": "@id"}


# Term → what must stand in the context for it.
MASTODON: Mapping[str, Mapping[str, Any]] = {
    "manuallyApprovesFollowers": {"manuallyApprovesFollowers": "as:manuallyApprovesFollowers"},
    "sensitive": {"sensitive": "as:sensitive"},
    "Hashtag": {"Hashtag": "as:Hashtag"},
    "movedTo": {"movedTo": _link("as:movedTo")},
    "alsoKnownAs": {"alsoKnownAs": _link("as:alsoKnownAs")},
    "Emoji": {**_TOOT, "Emoji": "toot:Emoji"},
    "featured": {**_TOOT, "featured": _link("toot:featured")},
    "featuredTags": {**_TOOT, "featuredTags": _link("toot:featuredTags")},
    "PropertyValue": {**_SCHEMA, "PropertyValue": "schema:PropertyValue"},
    "value": {**_SCHEMA, "value": "schema:value"},
    "conversation": {**_OSTATUS, "conversation": "ostatus:conversation"},
    "focalPoint": {**_TOOT, "focalPoint": {"@container": "@list", "@id": "toot:focalPoint"}},
    "blurhash": {**_TOOT, "blurhash": "toot:blurhash"},
    "discoverable": {**_TOOT, "discoverable": "toot:discoverable"},
    "indexable": {**_TOOT, "indexable": "toot:indexable"},
    "memorial": {**_TOOT, "memorial": "toot:memorial"},
    "votersCount": {**_TOOT, "votersCount": "toot:votersCount"},
    "suspended": {**_TOOT, "suspended": "toot:suspended"},
    "attributionDomains": {**_TOOT, "attributionDomains": _link("toot:attributionDomains")},
    "QuoteRequest": {"QuoteRequest": "https://w3id.org/fep/044f#QuoteRequest"},
    "quote": {"quote": _link("https://w3id.org/fep/044f#quote")},
    "quoteUri": {"quoteUri": "http://fedibird.com/ns#quoteUri"},
    "_misskey_quote": {"_misskey_quote": "https://misskey-hub.net/ns#_misskey_quote"},
    "quoteAuthorization": {"quoteAuthorization": _link("https://w3id.org/fep/044f#quoteAuthorization")},
    "interactionPolicy": {**_GTS, "interactionPolicy": _link("gts:interactionPolicy")},
    "canQuote": {**_GTS, "canQuote": _link("gts:canQuote")},
    "automaticApproval": {**_GTS, "automaticApproval": _link("gts:automaticApproval")},
}
BEYOND_MASTODON: Mapping[str, Mapping[str, Any]] = {
    "QuoteAuthorization": {"QuoteAuthorization": "https://w3id.org/fep/044f#QuoteAuthorization"},
    "interactingObject": {**_GTS, "interactingObject": _link("gts:interactingObject")},
    "interactionTarget": {**_GTS, "interactionTarget": _link("gts:interactionTarget")},
    "EmojiReact": {**_LITEPUB, "EmojiReact": "litepub:EmojiReact"},
    "directMessage": {**_LITEPUB, "directMessage": "litepub:directMessage"},
    "webfinger": {"webfinger": "https://purl.archive.org/socialweb/webfinger#webfinger"},
    "canFeature": {"canFeature": _link("https://w3id.org/fep/7aa9#canFeature")},
    "implements": {"implements": {**_link("https://w3id.org/fep/844e#implements"), "@container": "@list"}},
    "assertionMethod": {
        "assertionMethod": {**_link("https://w3id.org/security#assertionMethod"), "@container": "@set"}
    },
    "Multikey": {"Multikey": "https://w3id.org/security#Multikey"},
    "controller": {"controller": _link("https://w3id.org/security#controller")},
    "publicKeyMultibase": {
        "publicKeyMultibase": {
            "@id": "https://w3id.org/security#publicKeyMultibase",
            "@type": "https://w3id.org/security#multibase",
        }
    },
}
_TERMS: Mapping[str, Mapping[str, Any]] = {**MASTODON, **BEYOND_MASTODON}
_NEEDS_SECURITY = frozenset({"publicKey", "signature"})


def with_context(document: Mapping[str, Any], *, for_signature: bool = False) -> dict[str, Any]:
    """The document with its ``@context`` in front; ``for_signature``: an LD signature will be added to it."""
    used = set(_words(document))
    terms: dict[str, Any] = {}
    for word in _TERMS:  # in a fixed order, so that the same document always gives the same bytes
        if word in used:
            terms.update(_TERMS[word])
    context: list[Any] = [AS2]
    if for_signature or used & _NEEDS_SECURITY:
        context.append(SECURITY)
    if terms:
        context.append(terms)
    return {"@context": context if len(context) > 1 else AS2, **document}


def is_forwardable(document: Mapping[str, Any]) -> bool:
    """Whether every word in it is one that Mastodon knows."""
    return not set(_words(document)) & BEYOND_MASTODON.keys()


def _words(value: object) -> Iterator[str]:
    """Every member name, and every name of a type."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "contentMap":
                continue  # its names are languages
            yield name
            if name == "type":
                yield from [inner] if isinstance(inner, str) else inner
            elif isinstance(inner, Mapping | list | tuple):
                yield from _words(inner)
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for inner in value:
            if isinstance(inner, Mapping | list | tuple):
                yield from _words(inner)
