"""Object integrity proofs (FEP-8b32): ``DataIntegrityProof`` with the suite ``eddsa-jcs-2022``.

A proof speaks for its document wherever it was found, so it is what lets a forwarded activity be believed.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fedi.activitypub.jcs import canonicalise
from fedi.activitypub.keys import PublicKey, SigningKey
from fedi.activitypub.multikey import parse_multibase, render_multibase
from fedi.activitypub.xsd_dates import find_xsd_date_s, render_xsd_date
from fedi.errors import PeerFault

SUITE = "eddsa-jcs-2022"
CONTEXT = "https://w3id.org/security/data-integrity/v2"
CONTEXTS = frozenset({CONTEXT, "https://w3id.org/security/data-integrity/v1"})
MOST_PROOFS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A proof of a kind we can check. ``key_id`` is its ``verificationMethod``."""

    key_id: str
    options: Mapping[str, Any]
    signature: bytes
    expires_s: int | None


def _invalid(internal: str) -> PeerFault:
    return PeerFault("proof-invalid", "The integrity proof does not hold.", status=401, internal=internal)


def read_proofs(document: Mapping[str, Any]) -> list[Proof]:
    """The proofs that may be checked, in their order; those of other suites or purposes are passed over.

    Empty if there is none. Raises ``PeerFault`` if there are proofs, and none of them can be checked.
    """
    found = document.get("proof")
    if found is None:
        return []
    candidates = found if isinstance(found, list) else [found]
    if len(candidates) > MOST_PROOFS:
        raise _invalid("too many proofs")
    causes: list[str] = []
    proofs = []
    for candidate in candidates:
        try:
            proofs.append(_read_proof(candidate))
        except PeerFault as fault:
            causes.append(fault.internal)
    if not proofs:
        raise _invalid("; ".join(causes) or "no proof")
    return proofs


def _read_proof(value: Any) -> Proof:
    if not isinstance(value, dict):
        raise _invalid("proof is no object")
    if value.get("type") != "DataIntegrityProof" or value.get("cryptosuite") != SUITE:
        raise _invalid("other suite")
    if value.get("proofPurpose") != "assertionMethod":
        raise _invalid("other purpose")
    if "previousProof" in value:
        raise _invalid("part of a chain")
    key_id, text = value.get("verificationMethod"), value.get("proofValue")
    if not isinstance(key_id, str) or not isinstance(text, str):
        raise _invalid("no verificationMethod or proofValue")
    try:
        signature = parse_multibase(text)
    except PeerFault as fault:
        raise _invalid(fault.internal) from None
    expires_s = find_xsd_date_s(value.get("expires"))
    if "expires" in value and expires_s is None:
        raise _invalid("expires is no date")
    options = {name: item for name, item in value.items() if name != "proofValue"}
    return Proof(key_id=key_id, options=options, signature=signature, expires_s=expires_s)


def check_proof(document: Mapping[str, Any], proof: Proof, key: PublicKey, actor: str, now_s: int) -> None:
    """That ``actor`` made ``document``; the document is not changed. Raises ``PeerFault`` 401.

    The caller has found ``key`` under ``proof.key_id`` and checked that ``key.owner`` lists it.
    """
    if key.id != proof.key_id:
        raise _invalid("another key")
    if key.owner != actor:
        raise _invalid("key of another actor")
    if key.kind != "ed25519":
        raise _invalid("suite contradicts the key")
    if proof.expires_s is not None and proof.expires_s < now_s:
        raise _invalid("expired")
    if not key.is_signature(proof.signature, hash_data(_unsecured(document, proof.options), proof.options)):
        raise _invalid("signature does not match")


def _unsecured(document: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The document as it was signed: neither proof nor LD signature, with the context the proof names.

    A later hand may have appended contexts; the proof's must be what the document's begins with.
    """
    bare = {name: value for name, value in document.items() if name not in {"proof", "signature"}}
    if "@context" in options:
        signed, present = _as_list(options["@context"]), _as_list(bare.get("@context"))
        if present[: len(signed)] != signed:
            raise _invalid("context is not the document's")
        bare["@context"] = options["@context"]
    return bare


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def hash_data(document: Mapping[str, Any], options: Mapping[str, Any]) -> bytes:
    """What is signed (vc-di-eddsa §3.3.4): the hash of the proof's options, then that of the document."""
    return hashlib.sha256(canonicalise(options)).digest() + hashlib.sha256(canonicalise(document)).digest()


def add_proof(document: Mapping[str, Any], key: SigningKey, now_s: int) -> dict[str, Any]:
    """A copy of our own document with a proof, and with the context that defines it.

    Not for documents that also carry an LD signature: the context makes that unreadable for Mastodon.
    """
    if key.kind != "ed25519" or "proof" in document or "signature" in document:
        raise ValueError("a proof needs an Ed25519 key and a document without proof or signature")
    contexts = _as_list(document.get("@context"))
    if not any(isinstance(context, str) and context in CONTEXTS for context in contexts):
        contexts = [*contexts, CONTEXT] if contexts != [None] else [CONTEXT]
    bare = {**document, "@context": contexts}
    options = {
        "@context": contexts,
        "type": "DataIntegrityProof",
        "cryptosuite": SUITE,
        "verificationMethod": key.id,
        "proofPurpose": "assertionMethod",
        "created": render_xsd_date(now_s),
    }
    signature = key.sign(hash_data(bare, options))
    return {**bare, "proof": {**options, "proofValue": render_multibase(signature)}}
