"""``RsaSignature2017``: the older signature inside a document, which Mastodon still uses for what it forwards.

It signs RDF and not the document, and many documents have the same RDF: terms can be renamed, hidden, moved, or added
where RDF does not see them. So only plain shapes are taken, and what is handed on is not the document but what its
RDF says, written in our own terms. Any fault here means "not authenticated": ask the origin instead.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fedi.activitypub.contexts import AS2, IDENTITY, SECURITY, core_terms, expand_term, is_bundled, restructuring_terms
from fedi.activitypub.keys import PublicKey, SigningKey
from fedi.activitypub.xsd_dates import find_xsd_date_s, render_xsd_date
from fedi.errors import PeerFault

MOST_BLANK_NODES = 64
DEEPEST = 64

_KEYWORDS = frozenset({"@context", "@id", "@type", "@value", "@language", "@list", "@set"})
_CONTEXT_KEYWORDS = frozenset({"@language", "@version", "@vocab"})
_DEFINITION_KEYWORDS = frozenset({"@id", "@type", "@container", "@language", "@prefix"})
_CONTAINERS = frozenset({"@set", "@list", "@language"})
_NOT_SIGNED_OPTIONS = frozenset({"@context", "type", "id", "signatureValue"})


class Worker(Protocol):
    """Runs JSON-LD jobs elsewhere, with a limit: ``fedi.activitypub.rdf_worker.RdfWorker``."""

    async def run(self, job: Mapping[str, Any]) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LdSignature:
    """A signature on a document of an acceptable shape; nothing is verified yet. ``key_id`` is its ``creator``."""

    key_id: str
    options: Mapping[str, str]
    value: bytes
    expires_s: int | None
    document: Mapping[str, Any]
    """The document without its signature."""


def _refused(internal: str) -> PeerFault:
    return PeerFault(
        "ld-signature-invalid", "The signature in the document does not hold.", status=401, internal=internal
    )


def find_ld_signature(document: Mapping[str, Any]) -> LdSignature | None:
    """The signature to check, ``None`` if there is none or a proof goes before it.

    Raises ``PeerFault`` 401 for a document of another shape than a signer would have sent.
    """
    signature = document.get("signature")
    if signature is None or document.get("proof") is not None:
        return None
    options = _read_options(signature)
    bare = {name: value for name, value in document.items() if name != "signature"}
    check_shape(bare)
    try:
        value = base64.b64decode(signature["signatureValue"], validate=True)
    except (binascii.Error, ValueError):
        raise _refused("signatureValue is not base64") from None
    expires_s = find_xsd_date_s(options.get("expires"))
    if "expires" in options and expires_s is None:
        raise _refused("expires is no date")
    return LdSignature(key_id=options["creator"], options=options, value=value, expires_s=expires_s, document=bare)


def _read_options(signature: Any) -> dict[str, str]:
    """Whatever options are present are signed; they must be plain names and texts to be what they look like."""
    if not isinstance(signature, dict) or signature.get("type") != "RsaSignature2017":
        raise _refused("other kind of signature")
    for name, value in signature.items():
        if name == "@context" and value == IDENTITY:
            continue  # what every signer hashes with, said again
        if not isinstance(value, str) or not (name.isascii() and name.isalpha()) or value.startswith("_:"):
            raise _refused("option is not plain")
    if "creator" not in signature or "signatureValue" not in signature:
        raise _refused("no creator or signatureValue")
    return {name: value for name, value in signature.items() if name not in _NOT_SIGNED_OPTIONS}


async def open_ld_signature(signature: LdSignature, key: PublicKey, now_s: int, worker: Worker) -> dict[str, Any]:
    """The activity that the owner of ``key`` signed, in plain terms; process this one and never the original.

    Raises ``PeerFault``. The caller has found ``key`` under ``signature.key_id`` and checked that its owner lists it.
    """
    if key.id != signature.key_id or key.kind != "rsa":
        raise _refused("another key")
    if signature.expires_s is not None and signature.expires_s < now_s:
        raise _refused("expired")
    document = signature.document
    hashes = await worker.run({"op": "hashes", "options": signature.options, "document": document})
    if not key.is_signature(signature.value, hashes.encode("ascii")):
        raise _refused("signature does not match")
    read = await worker.run({"op": "read-again", "document": document})
    for name in ("id", "type", "actor", "object"):
        if _identity(read.get(name)) != _identity(document.get(name)):
            raise _refused(f"{name} is not what it looks like")
    if _identity(read.get("actor")) != key.owner:
        raise _refused("key of another actor")
    return {**read, "@context": AS2}


def _identity(value: Any) -> Any:
    """A value as its id: the same for a text, an object with that id, and a list of one of them."""
    if isinstance(value, list) and len(value) == 1:
        return _identity(value[0])
    if isinstance(value, dict):
        return value.get("id", value.get("@id"))
    return value


async def add_ld_signature(document: Mapping[str, Any], key: SigningKey, now_s: int, worker: Worker) -> dict[str, Any]:
    """A copy of our own document with a signature by its actor; made once per activity, not per inbox.

    Only ``creator`` and ``created`` are sent: older verifiers do not hash ``expires``. Not for documents with a proof.
    """
    if key.kind != "rsa" or "proof" in document or "signature" in document:
        raise ValueError("an LD signature needs an RSA key and a document without proof or signature")
    contexts = document.get("@context", AS2)
    contexts = contexts if isinstance(contexts, list) else [contexts]
    if SECURITY not in contexts:
        contexts = [*contexts[:1], SECURITY, *contexts[1:]]
    bare = {**document, "@context": contexts}
    options = {"creator": key.id, "created": render_xsd_date(now_s)}
    hashes = await worker.run({"op": "hashes", "options": options, "document": bare})
    value = base64.b64encode(key.sign(hashes.encode("ascii"))).decode("ascii")
    return {**bare, "signature": {"type": "RsaSignature2017", **options, "signatureValue": value}}


def check_shape(document: Mapping[str, Any]) -> None:
    """Refuse what restructures, hides or renames, blank nodes with labels, and too many without. ``PeerFault`` 401."""
    if _count_blank_nodes(document, DEEPEST) > MOST_BLANK_NODES:
        raise _refused("too many blank nodes")


def _count_blank_nodes(value: Any, depth: int) -> int:
    if depth == 0:
        raise _refused("too deep")
    if isinstance(value, list):
        return sum(_count_blank_nodes(item, depth - 1) for item in value)
    if isinstance(value, dict):
        return _count_in_object(value, depth)
    if isinstance(value, str) and value.startswith("_:"):
        raise _refused("blank node label")
    return 0


def _count_in_object(value: Mapping[str, Any], depth: int) -> int:
    count = 0 if "id" in value or "@id" in value or "@value" in value else 1
    for name, item in value.items():
        if name == "@context":
            _check_contexts(item)
            continue
        if name.startswith(("@", "_:")) and name not in _KEYWORDS:
            raise _refused(f"{name} in the document")
        if name in restructuring_terms():
            raise _refused(f"{name} restructures")
        if name in {"type", "@type"} and _names_keyword(item):
            raise _refused("keyword as a type")
        count += _count_blank_nodes(item, depth - 1)
    return count


def _names_keyword(types: Any) -> bool:
    return any(
        isinstance(type_, str) and type_.startswith("@") for type_ in (types if isinstance(types, list) else [types])
    )


def _check_contexts(contexts: Any) -> None:
    for context in contexts if isinstance(contexts, list) else [contexts]:
        if isinstance(context, str):
            if not is_bundled(context):
                raise _refused("unknown context")
        elif isinstance(context, dict):
            for term, definition in context.items():
                _check_term(term, definition, context)
        else:
            raise _refused("context is neither URL nor terms")


def _check_term(term: str, definition: Any, context: Mapping[str, Any]) -> None:
    if term.startswith("@"):
        plain = definition is None or isinstance(definition, (str, int, float))
        if term not in _CONTEXT_KEYWORDS or not plain or (term == "@vocab" and definition != "_:"):
            raise _refused(f"{term} in a context")
        return
    if isinstance(definition, dict):
        if not definition.keys() <= _DEFINITION_KEYWORDS:
            raise _refused(f"definition of {term}")
        _check_containers(definition.get("@container", []))
        if definition.get("@type") in {"@json", "@none"}:
            raise _refused(f"type of {term}")
    elif definition is not None and not isinstance(definition, str):
        raise _refused(f"definition of {term}")
    iri = expand_term(definition, {**core_terms(), **context})
    core = core_terms().get(term)
    if core is not None:
        if iri != core:
            raise _refused(f"{term} means something else")
    elif iri is not None and iri.startswith(("@", "_:")):
        raise _refused(f"{term} is an alias")


def _check_containers(containers: Any) -> None:
    for container in containers if isinstance(containers, list) else [containers]:
        if container not in _CONTAINERS:
            raise _refused("container")
