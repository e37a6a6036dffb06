"""HTTP signatures of either scheme behind one door.

An inbox calls ``read_signature`` (400 malformed, 401 absent), finds the key of ``claim.key_id``, then calls ``check``
(401, one sentence for all causes). ``check_form`` is the part of ``check`` that needs no key: run it first and a
request that can not verify costs no fetch.
"""

from collections.abc import Mapping

from fedi.activitypub import message_signatures, signatures
from fedi.activitypub.keys import PublicKey, SigningKey
from fedi.activitypub.signed_request import (
    Scheme,
    SignatureClaim,
    SignedRequest,
    check_single_fields,
    malformed,
    missing,
)

__all__ = [
    "ACTIVITY_TYPE",
    "Scheme",
    "SignatureClaim",
    "SignedRequest",
    "check",
    "check_form",
    "check_key",
    "read_signature",
    "sign_request",
]

ACTIVITY_TYPE = "application/activity+json"
# Further headers that are signed when they are sent: what they say must come from the signer.
COVERED_IF_SENT = frozenset({"collection-synchronization"})
_DEFAULT_PORT = {"https": ":443", "http": ":80"}


def read_signature(request: SignedRequest) -> SignatureClaim:
    """The claim in the request's signature headers; RFC 9421 if there is a ``Signature-Input``, else cavage.

    Raises ``PeerFault``: ``signature-missing`` 401, ``signature-malformed`` 400, and ``signature-invalid`` 401 for
    what is readable and can never hold.
    """
    if "signature" not in request.fields and "signature-input" not in request.fields:
        raise missing()
    check_single_fields(request)
    if not request.raw_path.startswith("/"):
        raise malformed("request target is no path")
    if "signature-input" in request.fields:
        return message_signatures.parse_signature(request)
    return signatures.parse_signature(request)


def check(claim: SignatureClaim, request: SignedRequest, key: PublicKey, now_s: int) -> None:
    """That the owner of ``key`` signed this request within its window. Raises ``PeerFault`` 401.

    ``claim.good_until_s`` is how long (claim.key_id, claim.signature) must be remembered against replays.
    """
    check_form(claim, request, now_s)
    check_key(claim, request, key)


def check_form(claim: SignatureClaim, request: SignedRequest, now_s: int) -> None:
    """What needs no key: covered components, window, digest of the raw body. Raises ``PeerFault`` 401."""
    if claim.scheme == "rfc9421":
        message_signatures.check_form(claim, request, now_s)
    else:
        signatures.check_form(claim, request, now_s)


def check_key(claim: SignatureClaim, request: SignedRequest, key: PublicKey) -> None:
    """The signature alone; used a second time when a key was fetched anew. Raises ``PeerFault`` 401."""
    if claim.scheme == "rfc9421":
        message_signatures.check_key(claim, request, key)
    else:
        signatures.check_key(claim, request, key)


def sign_request(
    scheme: Scheme,
    method: str,
    url: str,
    *,
    body: bytes | None,
    key: SigningKey,
    now_s: int,
    headers: Mapping[str, str] | None = None,
    content_type: str = ACTIVITY_TYPE,
    sign_query: bool = True,
) -> dict[str, str]:
    """All headers to send: ``headers``, ``Host``, with a body ``Content-Type``, and those of the signature.

    ``url`` must be the URL exactly as it will go on the wire (``yarl.URL(url, encoded=True)``); a fragment is left
    out. ``body`` is ``None`` where the request has none. ``sign_query=False`` signs the path alone, the second
    attempt for peers that answer 401 to a GET with a query (cavage only; RFC 9421 always signs the whole target).
    """
    origin, host, raw_path = _split(url)
    sent = dict(headers or {})
    covered = {name: sent.pop(name) for name in list(sent) if name.lower() in COVERED_IF_SENT}
    if scheme == "rfc9421":
        signed = message_signatures.sign(
            method=method, origin=origin, raw_path=raw_path, body=body, key=key, now_s=now_s, covered=covered
        )
        own = {"Host": host} if body is None else {"Host": host, "Content-Type": content_type}
        return sent | own | signed
    if body is not None:
        covered = {"Content-Type": content_type} | covered
    if not sign_query:
        raw_path = raw_path.partition("?")[0]
    return sent | signatures.sign(
        method=method, host=host, raw_path=raw_path, body=body, key=key, now_s=now_s, covered=covered
    )


def _split(url: str) -> tuple[str, str, str]:
    """Origin, host and path with query of an absolute URL; nothing but scheme and host is rewritten."""
    scheme, mark, rest = url.partition("#")[0].partition("://")
    scheme = scheme.lower()
    if not mark or scheme not in _DEFAULT_PORT:
        raise ValueError(f"not an http URL: {url!r}")
    cut = next((at for at, letter in enumerate(rest) if letter in "/?"), len(rest))
    host = rest[:cut].lower().removesuffix(_DEFAULT_PORT[scheme])
    target = rest[cut:]
    return f"{scheme}://{host}", host, target if target.startswith("/") else "/" + target
