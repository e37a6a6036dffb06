"""HTTP Message Signatures (RFC 9421), in the profile that fediverse servers use: one signature over method, target
and, with a body, its Content-Digest (RFC 9530).

``Signature-Input`` is a structured field (RFC 8941); only what the profile needs of that grammar is read here.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

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

ALGORITHM_OF = {"rsa": "rsa-v1_5-sha256", "ed25519": "ed25519"}
CONTENT_DIGEST = '"content-digest"'

_LABEL = re.compile(r"([a-z*][a-z0-9_.*-]*)=")
_STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
_ITEM = re.compile(_STRING)
_SPACES = re.compile(r" *")
_PARAMETER = re.compile(
    rf"; *([a-z*][a-z0-9_.*-]*)(?:=({_STRING}|-?[0-9]{{1,15}}(?:\.[0-9]{{1,3}})?|:[A-Za-z0-9+/=]*:|\?[01]"
    r"|[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*))?"
)
_SIGNATURE = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):")
_DIGEST = re.compile(r"[ \t]*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):[ \t]*(?:,|\Z)")
_TIME = re.compile(r"[0-9]{1,15}")
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")


@dataclass(frozen=True, slots=True)
class _InnerList:
    items: tuple[str, ...]
    parameters: dict[str, str]
    text: str
    """Serialised as RFC 8941 §4.1 wants it, whatever the spacing was: this is what was signed."""


def parse_signature(request: SignedRequest) -> SignatureClaim:
    """What ``Signature-Input`` and ``Signature`` claim. Raises ``PeerFault``: 400 if they can not be read."""
    label, inner = _parse_input(request.field_value("signature-input") or "")
    match = _SIGNATURE.fullmatch(request.field_value("signature") or "")
    if match is None:
        raise malformed("Signature is not one byte sequence")
    if match[1] != label:
        raise malformed("labels differ")
    signature = parse_base64(match[2])
    if len(set(inner.items)) != len(inner.items):
        raise malformed("a component is listed twice")
    key_id = _parse_string(inner.parameters, "keyid")
    if key_id is None:
        raise invalid("no keyid")
    check_key_id(key_id, request)
    return SignatureClaim(
        scheme="rfc9421",
        key_id=key_id,
        covered=inner.items,
        signature=signature,
        algorithm=_parse_string(inner.parameters, "alg"),
        created_s=_parse_time(inner.parameters, "created"),
        expires_s=_parse_time(inner.parameters, "expires"),
        parameters=inner.text,
    )


def _parse_input(header: str) -> tuple[str, _InnerList]:
    match = _LABEL.match(header)
    if match is None:
        raise malformed("Signature-Input has no label")
    inner, end = _parse_inner_list(header, match.end())
    rest = header[end:].lstrip(" \t")
    if not rest:
        return match[1], inner
    if rest.startswith(",") and _LABEL.match(rest[1:].lstrip(" \t")):
        raise invalid("more than one signature")  # which of them speaks for the sender?
    raise malformed("Signature-Input is no dictionary")


def _parse_inner_list(text: str, position: int) -> tuple[_InnerList, int]:
    if text[position : position + 1] != "(":
        raise malformed("no list of components")
    items: list[str] = []
    position += 1
    while True:
        after = _skip_spaces(text, position)
        if text[after : after + 1] == ")":
            parameters, written, end = _parse_parameters(text, after + 1)
            return _InnerList(tuple(items), parameters, f"({' '.join(items)}){written}"), end
        match = _ITEM.match(text, after)
        if match is None or (items and after == position):
            raise malformed(f"component at {after}")
        _, written, position = _parse_parameters(text, match.end())
        items.append(match[0] + written)


def _skip_spaces(text: str, position: int) -> int:
    match = _SPACES.match(text, position)
    return position if match is None else match.end()


def _parse_parameters(text: str, position: int) -> tuple[dict[str, str], str, int]:
    parameters: dict[str, str] = {}
    written = ""
    while text[position : position + 1] == ";":
        match = _PARAMETER.match(text, position)
        if match is None:
            raise malformed(f"parameter at {position}")
        name, value = match[1], match[2]
        if name in parameters:
            raise malformed(f"parameter {name} twice")
        parameters[name] = value or "?1"
        written += f";{name}" if value in (None, "?1") else f";{name}={value}"
        position = match.end()
    return parameters, written, position


def _parse_string(parameters: dict[str, str], name: str) -> str | None:
    text = parameters.get(name)
    if text is None:
        return None
    if not text.startswith('"'):
        raise malformed(f"{name} is no string")
    return _unquote(text)


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _parse_time(parameters: dict[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    if not _TIME.fullmatch(text):
        raise malformed(f"{name} is no time")
    return int(text)


def check_form(claim: SignatureClaim, request: SignedRequest, now_s: int) -> None:
    """Everything that can be judged without the key. Raises ``PeerFault`` (401)."""
    if claim.algorithm is not None and claim.algorithm not in ALGORITHM_OF.values():
        raise invalid(f"algorithm {claim.algorithm}")
    if '"@method"' not in claim.covered:
        raise invalid("@method is not covered")
    if '"@target-uri"' not in claim.covered:
        raise invalid("@target-uri is not covered")
    digested = CONTENT_DIGEST in claim.covered
    if request.has_signed_body and not digested:
        raise invalid("content-digest is not covered")
    check_window(claim, now_s)
    if digested:
        check_sha256(_sha256_digests(request.field_value("content-digest") or ""), request.body)


def _sha256_digests(header: str) -> list[str]:
    offered = []
    position = 0
    while position < len(header):
        match = _DIGEST.match(header, position)
        if match is None:
            raise invalid("Content-Digest is no dictionary")
        if match[1] == "sha-256":
            offered.append(match[2])
        position = match.end()
    return offered


def check_key(claim: SignatureClaim, request: SignedRequest, key: PublicKey) -> None:
    """The signature itself. The kind of key selects the algorithm; ``alg`` may only agree. Raises ``PeerFault`` (401)."""
    if key.id != claim.key_id:
        raise invalid("another key")
    if claim.algorithm is not None and claim.algorithm != ALGORITHM_OF[key.kind]:
        raise invalid("alg contradicts the key")
    if not key.is_signature(claim.signature, signature_base(claim, request)):
        raise invalid("signature does not match")


def signature_base(claim: SignatureClaim, request: SignedRequest) -> bytes:
    """The bytes that were signed (RFC 9421 §2.5)."""
    lines = [f"{component}: {_component_value(component, request)}" for component in claim.covered]
    lines.append(f'"@signature-params": {claim.parameters}')
    return encode_signed_text("\n".join(lines), len(lines))


def _component_value(component: str, request: SignedRequest) -> str:
    path, mark, query = request.raw_path.partition("?")
    match component:
        case '"@method"':
            return request.method
        case '"@target-uri"':
            return request.origin + request.raw_path
        case '"@authority"':
            return request.host
        case '"@scheme"':
            return request.origin.partition("://")[0]
        case '"@request-target"':
            return request.raw_path
        case '"@path"':
            return path
        case '"@query"':
            return "?" + query
    if component.startswith('"@query-param";name="'):
        return _query_parameter(component, query if mark else "")
    return _field_component(component, request)


def _query_parameter(component: str, query: str) -> str:
    """RFC 9421 §2.2.8: the parameter must be there exactly once; name and value are encoded anew."""
    wanted = _unquote(component.removeprefix('"@query-param";name='))
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=256)
    except ValueError:
        raise invalid("query can not be read") from None
    values = [value for name, value in pairs if quote(name, safe="*-._") == wanted]
    if len(values) != 1:
        raise invalid("query parameter is not there exactly once")
    return quote(values[0], safe="*-._")


def _field_component(component: str, request: SignedRequest) -> str:
    name, _, parameters = component[1:].partition('"')
    values = request.fields.get(name)
    if not _FIELD_NAME.fullmatch(name) or values is None:
        raise invalid(f"component {component} is unknown or absent")
    if parameters == "":
        return ", ".join(values)
    if parameters == ";bs":
        wrapped = (base64.b64encode(value.encode("utf-8", "surrogateescape")) for value in values)
        return ", ".join(f":{value.decode('ascii')}:" for value in wrapped)
    raise invalid(f"component {component} is not supported")


def render_content_digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode('ascii')}:"


def sign(
    *,
    method: str,
    origin: str,
    raw_path: str,
    body: bytes | None,
    key: SigningKey,
    now_s: int,
    covered: Mapping[str, str],
) -> dict[str, str]:
    """The headers of a signed request: ``Content-Digest`` with a body, then ``covered``, ``Signature-Input`` and
    ``Signature``. No ``alg``: as Mastodon, the key says it.
    """
    headers: dict[str, str] = {}
    names = ['"@method"', '"@target-uri"']
    lines = [f'"@method": {method}', f'"@target-uri": {origin}{raw_path}']
    if body is not None:
        headers["Content-Digest"] = render_content_digest(body)
    headers.update(covered)
    for name, value in headers.items():
        names.append(f'"{name.lower()}"')
        lines.append(f'"{name.lower()}": {value}')
    parameters = f'({" ".join(names)});created={now_s};keyid="{key.id}"'
    lines.append(f'"@signature-params": {parameters}')
    signature = base64.b64encode(key.sign("\n".join(lines).encode("utf-8"))).decode("ascii")
    headers["Signature-Input"] = f"sig1={parameters}"
    headers["Signature"] = f"sig1=:{signature}:"
    return headers
