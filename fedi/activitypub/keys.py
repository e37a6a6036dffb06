"""Keys as the rest of the server handles them: loaded once, named by their id, with the two algorithms that servers
use between each other (RSA PKCS#1 v1.5 with SHA-256, and Ed25519).

Loading costs more than verifying, so callers keep these values and not the text they came from.
"""

from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from fedi.activitypub.multikey import parse_multikey, render_multikey
from fedi.errors import PeerFault

KeyKind = Literal["rsa", "ed25519"]

SMALLEST_RSA_BITS = 2_048
LARGEST_RSA_BITS = 8_192
LONGEST_PEM = 4_096

_PKCS1_V15 = padding.PKCS1v15()
_SHA256 = SHA256()


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that somebody publishes. ``owner`` is the actor that claims it; the caller has checked the claim both ways."""

    id: str
    owner: str
    kind: KeyKind
    key: RSAPublicKey | Ed25519PublicKey

    def is_signature(self, signature: bytes, data: bytes) -> bool:
        try:
            if isinstance(self.key, RSAPublicKey):
                self.key.verify(signature, data, _PKCS1_V15, _SHA256)
            else:
                self.key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key of one of our actors; ``id`` is what peers find as ``keyId``."""

    id: str
    kind: KeyKind
    key: RSAPrivateKey | Ed25519PrivateKey

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(data, _PKCS1_V15, _SHA256)
        return self.key.sign(data)

    def public(self, owner: str) -> PublicKey:
        return PublicKey(id=self.id, owner=owner, kind=self.kind, key=self.key.public_key())


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A fresh key in the forms that are stored and published."""

    kind: KeyKind
    private_pem: str
    public_pem: str
    public_multibase: str


def parse_public_pem(pem: str, *, id: str, owner: str) -> PublicKey:  # noqa: A002 - the property's name on the wire
    """A key from ``publicKeyPem``: PKCS#1 or SPKI. Raises ``PeerFault``."""
    if len(pem) > LONGEST_PEM:
        raise PeerFault("key-malformed", internal="PEM too long")
    try:
        key = load_pem_public_key(pem.encode("ascii"))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PeerFault("key-malformed", internal=str(error)) from None
    if not isinstance(key, (RSAPublicKey, Ed25519PublicKey)):
        raise PeerFault("key-unsupported", internal=type(key).__name__)
    return _public_key(key, id, owner)


def parse_public_multikey(text: str, *, id: str, owner: str) -> PublicKey:  # noqa: A002
    """A key from ``publicKeyMultibase`` (FEP-521a). Raises ``PeerFault``."""
    return _public_key(parse_multikey(text), id, owner)


def _public_key(key: RSAPublicKey | Ed25519PublicKey, id: str, owner: str) -> PublicKey:  # noqa: A002
    if isinstance(key, Ed25519PublicKey):
        return PublicKey(id=id, owner=owner, kind="ed25519", key=key)
    if not SMALLEST_RSA_BITS <= key.key_size <= LARGEST_RSA_BITS:
        raise PeerFault("key-unsupported", internal=f"RSA of {key.key_size} bits")
    return PublicKey(id=id, owner=owner, kind="rsa", key=key)


def load_signing_key(private_pem: str, *, id: str) -> SigningKey:  # noqa: A002
    """One of our own keys. Its numbers are not checked again: that takes 26 ms and more, and it was made here."""
    key = load_pem_private_key(private_pem.encode("ascii"), password=None, unsafe_skip_rsa_key_validation=True)
    if isinstance(key, RSAPrivateKey):
        return SigningKey(id=id, kind="rsa", key=key)
    if isinstance(key, Ed25519PrivateKey):
        return SigningKey(id=id, kind="ed25519", key=key)
    raise TypeError(f"not a key of ours: {type(key).__name__}")


def generate_rsa() -> KeyPair:
    """RSA of 2,048 bits: what every peer verifies. Takes about 33 ms, so not on the event loop."""
    return _key_pair("rsa", rsa.generate_private_key(public_exponent=65_537, key_size=2_048))


def generate_ed25519() -> KeyPair:
    return _key_pair("ed25519", Ed25519PrivateKey.generate())


def _key_pair(kind: KeyKind, key: RSAPrivateKey | Ed25519PrivateKey) -> KeyPair:
    public = key.public_key()
    return KeyPair(
        kind=kind,
        private_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"),
        public_pem=public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii"),
        public_multibase=render_multikey(public),
    )
