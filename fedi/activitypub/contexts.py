"""The JSON-LD contexts we know, from files beside this module. Nothing else is ever loaded, and nothing fetched.

Plain reading of activities needs none of this; it serves signatures over RDF and the RDF views of our own objects.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

AS2 = "https://www.w3.org/ns/activitystreams"
SECURITY = "https://w3id.org/security/v1"
IDENTITY = "https://w3id.org/identity/v1"

_FILE_OF = {
    AS2: "activitystreams",
    SECURITY: "security-v1",
    IDENTITY: "identity-v1-signature-terms",
    "https://w3id.org/security/data-integrity/v1": "data-integrity-v1",
    "https://w3id.org/security/data-integrity/v2": "data-integrity-v2",
    "https://w3id.org/security/multikey/v1": "multikey-v1",
    "https://www.w3.org/ns/cid/v1": "cid-v1",
    "https://www.w3.org/ns/did/v1": "cid-v1",  # the terms for keys are the same
    "https://gotosocial.org/ns": "gotosocial",
    "https://join-lemmy.org/context.json": "lemmy",
    "https://joinmastodon.org/ns": "joinmastodon",  # the URL itself serves nothing
    "https://purl.archive.org/socialweb/webfinger": "webfinger",
    "https://purl.archive.org/miscellany": "miscellany",
    "https://schema.org": "schema-org-terms",
    "https://w3id.org/fep/044f": "fep-044f",
    "https://w3id.org/fep/5711": "fep-5711",
    "https://w3id.org/fep/7aa9": "fep-7aa9",
    "https://w3id.org/fep/844e": "fep-844e",
    "https://w3id.org/fep/ef61": "fep-ef61",
}
# Pleroma and Akkoma name a copy on their own host.
_LITEPUB = re.compile(r"https://[^/?#]+/schemas/litepub-0\.1\.jsonld")

# Their terms, in this order, are what a verified document is written in again.
_READING = (AS2, "https://joinmastodon.org/ns", "https://gotosocial.org/ns", "https://purl.archive.org/socialweb/webfinger",
            "https://w3id.org/fep/5711", "https://w3id.org/fep/7aa9", "https://w3id.org/fep/844e")  # fmt: skip


class UnknownContext(ValueError):  # noqa: N818 - a fact about the URL; the callers make it a fault or not
    """A context URL that is not bundled."""


def is_bundled(url: str) -> bool:
    return _find_file(url) is not None


def _find_file(url: str) -> str | None:
    name = _FILE_OF.get(url) or _FILE_OF.get(re.sub(r"^http:", "https:", url).rstrip("#/"))
    return name or ("litepub-0.1" if _LITEPUB.fullmatch(url) else None)


def get_context(url: str) -> dict[str, Any]:
    """The bundled document of a context URL. Raises ``UnknownContext``."""
    name = _find_file(url)
    if name is None:
        raise UnknownContext(url)
    return _load(name)


def list_bundled() -> tuple[str, ...]:
    """One URL of every bundled context."""
    return (*_FILE_OF, "https://host.example/schemas/litepub-0.1.jsonld")


@cache
def _load(name: str) -> dict[str, Any]:
    text = files(__package__).joinpath("contexts", f"{name}.jsonld").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def load_document(url: str, _options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A document loader for pyld that has only the bundled files. Raises ``UnknownContext``."""
    return {
        "contentType": "application/ld+json",
        "contextUrl": None,
        "documentUrl": url,
        "document": get_context(url),
    }


def expand_term(definition: Any, context: Mapping[str, Any]) -> str | None:
    """The full IRI that a term definition maps to, with the prefixes of ``context``; ``None`` for none."""
    iri = definition.get("@id") if isinstance(definition, Mapping) else definition
    if not isinstance(iri, str):
        return None
    prefix, mark, rest = iri.partition(":")
    base = context.get(prefix) if mark and not rest.startswith("//") else None
    return f"{base}{rest}" if isinstance(base, str) else iri


@cache
def core_terms() -> Mapping[str, str]:
    """ActivityStreams' own terms and prefixes → what each of them means."""
    context = get_context(AS2)["@context"]
    return {
        term: expand_term(definition, context) or "" for term, definition in context.items() if not term.startswith("@")
    }


@cache
def restructuring_terms() -> frozenset[str]:
    """Terms of the bundled contexts that do more than name: graphs, reversal, nesting, literal JSON."""
    return frozenset(
        term
        for name in {*_FILE_OF.values(), "litepub-0.1"}
        for term, definition in _definitions(_load(name)["@context"])
        if _restructures(definition)
    )


def _definitions(context: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for term, definition in context.items():
        if isinstance(definition, Mapping):
            yield term, definition
            if "@context" in definition:
                yield from _definitions(definition["@context"])


def _restructures(definition: Mapping[str, Any]) -> bool:
    container = definition.get("@container", ())
    containers = {container} if isinstance(container, str) else set(container)
    if "@reverse" in definition or "@nest" in definition or definition.get("@type") == "@json":
        return True
    return not containers <= {"@set", "@list", "@language"}


@cache
def reading_context() -> Mapping[str, Any]:
    """Our own context for documents that came out of RDF: usual names for full IRIs, no prefixes, no ``@vocab``.

    What it does not name keeps its full IRI as its name, so nobody reads it by mistake.
    """
    reading: dict[str, Any] = {}
    contexts = [get_context(url)["@context"] for url in _READING]
    for context in (*contexts, _load("reading-terms")["@context"]):
        for term, definition in context.items():
            iri = expand_term(definition, context)
            if term.startswith("@") or iri is None or iri.endswith(("#", "/")):
                continue
            if isinstance(definition, Mapping):
                type_ = expand_term(definition.get("@type"), context)
                reading.setdefault(term, {**definition, "@id": iri} | ({"@type": type_} if type_ else {}))
            else:
                reading.setdefault(term, iri)
    return reading
