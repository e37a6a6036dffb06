"""HTTP signatures after draft-cavage-http-signatures-12, the form that every server of the fediverse understands.

Stricter than the draft and than Mastodon: the signature must bind method, path, host, time and, with a body, its
digest, so that it can not be used for another request, another server or another time.
"""

import base64
import hashlib
import re
from collections.abc import Mapping

from fedi.activitypub.http_dates import find_http_date_s, render_http_date
from fedi.activitypub.keys import PublicKey, SigningKey
from fedi.activitypub.signed_request import (
    SignatureClaim,
    SignedRequest,
    check_key_id,
    check_sha256,
    check_window,
    encode_signed_text,
    invalid,
    malformed,
    parse_base64,
)

# `hs2019` says "the key decides"; a sender that leaves the parameter out says the same.
ALGORITHMS = frozenset({None, "rsa-sha256", "hs2019"})
TIMES = frozenset({"date", "(created)"})

_PARAMETER = re.compile(r'[ \t]*([A-Za-z]+)[ \t]*=[ \t]*(?:"([^"\\]*)"|([0-9]+))[ \t]*(?:,|\Z)')
_TIME = re.compile(r"0|[1-9][0-9]{0,14}")


def parse_signature(request: SignedRequest) -> SignatureClaim:
    """What the ``Signature`` header claims. Raises ``PeerFault``: 400 if it can not be read."""
    parameters = _parse_parameters(request.field_value("signature") or "")
    key_id = parameters.get("keyId")
    signature = parameters.get("signature")
    if not key_id or not signature:
        raise malformed("keyId or signature is missing")
    # The draft's default when `headers` is absent is `(created)`; such a signature covers too little anyway.
    covered = tuple(parameters.get("headers", "(created)").lower().split())
    if len(set(covered)) != len(covered):
        raise malformed("a header is listed twice")
    value = parse_base64(signature)
    check_key_id(key_id, request)
    algorithm = parameters.get("algorithm")
    return SignatureClaim(
        scheme="cavage",
        key_id=key_id,
        covered=covered,
        signature=value,
        algorithm=None if algorithm is None else algorithm.lower(),
        created_s=_signed_time(covered, parameters, request),
        # An expiry that is not covered could have been written by anybody.
        expires_s=_parse_time(parameters, "expires") if "(expires)" in covered else None,
    )


def _parse_parameters(header: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    position = 0
    while position < len(header):
        match = _PARAMETER.match(header, position)
        if match is None:
            raise malformed(f"parameter at {position}")
        name, quoted, number = match.groups()
        if name in parameters:
            raise malformed(f"parameter {name} twice")
        parameters[name] = number if quoted is None else quoted
        position = match.end()
    return parameters


def _parse_time(parameters: dict[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    if not _TIME.fullmatch(text):
        raise malformed(f"{name} is no time")
    return int(text)


def _signed_time(covered: tuple[str, ...], parameters: dict[str, str], request: SignedRequest) -> int | None:
    if "(created)" in covered:
        return _parse_time(parameters, "created")
    if "date" in covered:
        return find_http_date_s(request.field_value("date") or "")
    return None


def check_form(claim: SignatureClaim, request: SignedRequest, now_s: int) -> None:
    """Everything that can be judged without the key. Raises ``PeerFault`` (401)."""
    covered = frozenset(claim.covered)
    if claim.algorithm not in ALGORITHMS:
        raise invalid(f"algorithm {claim.algorithm}")
    if claim.algorithm == "rsa-sha256" and not covered.isdisjoint({"(created)", "(expires)"}):
        raise invalid("(created) and (expires) belong to hs2019")
    if "(expires)" in covered and claim.expires_s is None:
        raise invalid("(expires) has no value")
    if "(request-target)" not in covered:
        raise invalid("(request-target) is not covered")
    if "host" not in covered:
        raise invalid("host is not covered")
    if covered.isdisjoint(TIMES):
        raise invalid("no time is covered")
    if request.has_signed_body and "digest" not in covered:
        raise invalid("digest is not covered")
    if (request.field_value("host") or "").lower() != request.host:
        raise invalid("signed for another host")
    check_window(claim, now_s)
    if "digest" in covered:
        check_sha256(_sha256_digests(request), request.body)


def _sha256_digests(request: SignedRequest) -> list[str]:
    offers = (offer.strip().partition("=") for offer in (request.field_value("digest") or "").split(","))
    return [value for name, _, value in offers if name.lower() == "sha-256"]


def check_key(claim: SignatureClaim, request: SignedRequest, key: PublicKey) -> None:
    """The signature itself. Raises ``PeerFault`` (401)."""
    if key.id != claim.key_id:
        raise invalid("another key")
    if claim.algorithm == "rsa-sha256" and key.kind != "rsa":
        raise invalid("algorithm contradicts the key")
    if key.is_signature(claim.signature, signing_string(claim, request, request.raw_path)):
        return
    path, query, _ = request.raw_path.partition("?")
    # Pixelfed, and GoToSocial in its second attempt, sign the path of a GET alone.
    if (
        query
        and not request.has_signed_body
        and key.is_signature(claim.signature, signing_string(claim, request, path))
    ):
        return
    raise invalid("signature does not match")


def signing_string(claim: SignatureClaim, request: SignedRequest, raw_path: str) -> bytes:
    """The bytes that were signed (draft §2.3), with ``raw_path`` as the path of the request target."""
    lines = []
    for name in claim.covered:
        match name:
            case "(request-target)":
                value: object = f"{request.method.lower()} {raw_path}"
            case "(created)":
                value = claim.created_s
            case "(expires)":
                value = claim.expires_s
            case _:
                value = request.field_value(name)
        if value is None:
            raise invalid(f"{name} is covered and absent")
        lines.append(f"{name}: {value}")
    return encode_signed_text("\n".join(lines), len(lines))


def render_digest(body: bytes) -> str:
    return "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode("ascii")


def sign(
    *,
    method: str,
    host: str,
    raw_path: str,
    body: bytes | None,
    key: SigningKey,
    now_s: int,
    covered: Mapping[str, str],
) -> dict[str, str]:
    """The headers of a signed request: ``Host``, ``Date``, ``Digest`` with a body, then ``covered``, then ``Signature``.

    ``covered`` are the further headers to sign, by the name they are sent with. The algorithm is called
    ``rsa-sha256`` and not ``hs2019``, which PeerTube reads as RSA with SHA-512.
    """
    headers = {"Host": host, "Date": render_http_date(now_s)}
    if body is not None:
        headers["Digest"] = render_digest(body)
    headers.update(covered)
    names = ["(request-target)"]
    lines = [f"(request-target): {method.lower()} {raw_path}"]
    for name, value in headers.items():
        lowered = name.lower()
        names.append(lowered)
        lines.append(f"{lowered}: {value}")
    signature = base64.b64encode(key.sign("\n".join(lines).encode("utf-8"))).decode("ascii")
    algorithm = "rsa-sha256" if key.kind == "rsa" else "hs2019"
    headers["Signature"] = (
        f'keyId="{key.id}",algorithm="{algorithm}",headers="{" ".join(names)}",signature="{signature}"'
    )
    return headers
