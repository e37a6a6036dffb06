"""JSON-LD by pyld, with the bundled contexts only. Imported in the worker process alone: pyld is big, slow and has no
limits of its own.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pyld import jsonld

from fedi.activitypub.contexts import IDENTITY, load_document, reading_context

MOST_BLANK_NODES = 64
# A node with one of these after expansion has a structure that the document does not show.
_HIDDEN = ("@graph", "@included", "@reverse", "@nest")

_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|^`\\]*")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")

# pyld resolves relative IRIs against a base of its own invention; without one they leave no trace, as elsewhere.
_OPTIONS = {"documentLoader": load_document, "expandContext": {"@context": {"@base": None}}}
_N_QUADS = {**_OPTIONS, "algorithm": "URDNA2015", "format": "application/n-quads"}


class Refused(ValueError):  # noqa: N818 - a verdict on the document
    """The document is JSON-LD, and of a kind that is not taken."""


def canonicalise(document: Mapping[str, Any]) -> str:
    """URDNA2015 N-Quads of a document with a bounded number of blank nodes. Raises ``Refused``."""
    dataset = jsonld.to_rdf(document, _OPTIONS)
    if set(dataset) != {"@default"}:
        raise Refused("named graphs")
    labels = set()
    for kind, value in _terms(dataset["@default"]):
        if kind == "blank node":
            labels.add(value)
        elif not (_LANGUAGE if kind == "language" else _IRI).fullmatch(value):
            raise Refused(f"malformed {kind}")
    if len(labels) > MOST_BLANK_NODES:
        raise Refused("too many blank nodes")
    text: str = jsonld.URDNA2015().main(dataset, _N_QUADS)
    return text


def _terms(quads: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """All that pyld writes into N-Quads as it is. A line break in one of them would let one quad pass for several."""
    for quad in quads:
        for place in ("subject", "predicate", "object"):
            term = quad[place]
            if term["type"] != "literal":
                yield term["type"], term["value"]
                continue
            yield "datatype", term["datatype"]
            if "language" in term:
                yield "language", term["language"]


def canonicalise_nquads(text: str) -> str:
    """URDNA2015 of N-Quads, without a bound on blank nodes."""
    canonical: str = jsonld.normalize(text, {**_N_QUADS, "inputFormat": "application/n-quads"})
    return canonical


def render_nquads(document: Mapping[str, Any]) -> str:
    """N-Quads of one of our own documents, as they come."""
    text: str = jsonld.to_rdf(document, {**_OPTIONS, "format": "application/n-quads"})
    return text


def signed_hashes(options: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """What RsaSignature2017 signs: the hash of the options, then that of the document, both in hex."""
    parts = (canonicalise({**options, "@context": IDENTITY}), canonicalise(document))
    return "".join(hashlib.sha256(part.encode("utf-8")).hexdigest() for part in parts)


def read_again(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with nothing but what its RDF says, in the names that we read. Raises ``Refused``."""
    top = _signed_part(jsonld.expand(document, _OPTIONS), set())
    if not isinstance(top, list) or len(top) != 1:
        raise Refused("not one top node")
    compacted: dict[str, Any] = jsonld.compact(top, {"@context": reading_context()}, _OPTIONS)
    return compacted


def _signed_part(value: Any, described: set[str]) -> Any:
    """Expanded JSON-LD without all that leaves no trace in RDF; ``None`` if nothing is left.

    That is more than ActivityStreams' ``_:`` names: relative IRIs leave no trace either. A node that is described
    in two places is refused, since what is said in one could have been moved to the other.
    """
    if isinstance(value, list):
        return [kept for item in value if (kept := _signed_part(item, described)) is not None]
    if "@value" in value:
        return _signed_literal(value)
    if "@list" in value:
        return {"@list": _signed_part(value["@list"], described)}
    if any(keyword in value for keyword in _HIDDEN):
        raise Refused("hidden structure")
    node: dict[str, Any] = {}
    for name, item in value.items():
        if name == "@type":
            types = [type_ for type_ in item if _is_named(type_)]
            if len(types) > 1:
                raise Refused("more than one type")
            if types:
                node["@type"] = types
        elif name != "@id" and _is_named(name) and (kept := _signed_part(item, described)):
            node[name] = kept
    identifier = value.get("@id")
    if identifier is None or identifier.startswith("_:"):
        return node
    if not _is_named(identifier):
        return None
    if node:
        if identifier in described:
            raise Refused("a node is described in two places")
        described.add(identifier)
    return {"@id": identifier, **node}


def _signed_literal(value: Mapping[str, Any]) -> dict[str, Any] | None:
    datatype = value.get("@type")
    if datatype == "@json":
        raise Refused("hidden structure")
    if datatype is not None and not _is_named(datatype):
        return None
    return {name: item for name, item in value.items() if name in {"@value", "@type", "@language"}}


def _is_named(iri: str) -> bool:
    """An absolute IRI; blank node labels are replaced when RDF is made canonical, so they are not signed."""
    return _IRI.fullmatch(iri) is not None
