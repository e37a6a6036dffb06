"""Public keys as Multikey text: base58btc with a prefix that names the kind (FEP-521a, W3C Controlled Identifiers)."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from fedi.errors import PeerFault

ED25519_PREFIX = b"\xed\x01"
RSA_PREFIX = b"\x85\x24"  # the unsigned varint of 0x1205, before the PKCS#1 DER
# An RSA key of 8,192 bits takes about 1,420 characters; decoding grows with the square of the length.
LONGEST_MULTIBASE = 1_500

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGIT_OF = {letter: value for value, letter in enumerate(_ALPHABET)}


def render_base58btc(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    letters = []
    while number:
        number, digit = divmod(number, 58)
        letters.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(letters))


def parse_base58btc(text: str) -> bytes:
    number = 0
    for letter in text:
        digit = _DIGIT_OF.get(letter)
        if digit is None:
            raise PeerFault("base58-malformed", internal=f"letter {letter!r}")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def render_multibase(data: bytes) -> str:
    return "z" + render_base58btc(data)


def parse_multibase(text: str) -> bytes:
    """``z`` and base58btc; no other base is in use between servers."""
    if not text.startswith("z") or len(text) > LONGEST_MULTIBASE:
        raise PeerFault("multibase-malformed", internal="no base58btc prefix, or too long")
    return parse_base58btc(text[1:])


def render_multikey(key: RSAPublicKey | Ed25519PublicKey) -> str:
    if isinstance(key, Ed25519PublicKey):
        return render_multibase(ED25519_PREFIX + key.public_bytes_raw())
    return render_multibase(RSA_PREFIX + key.public_bytes(Encoding.DER, PublicFormat.PKCS1))


def parse_multikey(text: str) -> RSAPublicKey | Ed25519PublicKey:
    """The key in ``publicKeyMultibase``; the size of an RSA key is not judged here. Raises ``PeerFault``."""
    data = parse_multibase(text)
    prefix, body = data[:2], data[2:]
    try:
        if prefix == ED25519_PREFIX:
            return Ed25519PublicKey.from_public_bytes(body)
        if prefix == RSA_PREFIX:
            key = load_der_public_key(body)
            # The loader also takes SPKI; the prefix promises PKCS#1.
            if isinstance(key, RSAPublicKey) and key.public_bytes(Encoding.DER, PublicFormat.PKCS1) == body:
                return key
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PeerFault("key-malformed", internal=str(error)) from None
    raise PeerFault("key-unsupported", internal=f"multikey prefix {prefix.hex()}")
