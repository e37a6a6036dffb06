"""JSON Canonicalization Scheme (RFC 8785): the one way to write a JSON value, for hashing.

``json.dumps(sort_keys=True)`` is not it: member names are sorted by UTF-16 code units, and numbers are written as
ECMAScript writes them.
"""

import math
from json.encoder import encode_basestring
from typing import Any

from fedi.errors import PeerFault

# Beyond 2^53 not every integer is a number of its own in ECMAScript.
LARGEST_INTEGER = 2**53 - 1
DEEPEST = 128


def canonicalise(value: Any) -> bytes:
    """The canonical bytes of parsed JSON. Raises ``PeerFault`` for values that have none: huge integers, NaN and
    infinities, lone surrogates, or nesting deeper than any parser of ours lets through.
    """
    parts: list[str] = []
    _write(value, parts, DEEPEST)
    try:
        return "".join(parts).encode("utf-8")
    except UnicodeEncodeError:
        raise _fault("lone surrogate") from None


def _fault(internal: str) -> PeerFault:
    return PeerFault("json-not-canonical", internal=internal)


def _write(value: Any, parts: list[str], depth: int) -> None:
    if isinstance(value, str):
        parts.append(encode_basestring(value))
    elif value is None:
        parts.append("null")
    elif isinstance(value, bool):
        parts.append("true" if value else "false")
    elif isinstance(value, int):
        parts.append(_integer(value))
    elif isinstance(value, float):
        parts.append(_number(value))
    elif depth == 0:
        raise _fault("too deep")
    elif isinstance(value, dict):
        _write_object(value, parts, depth - 1)
    elif isinstance(value, (list, tuple)):
        _write_array(value, parts, depth - 1)
    else:
        raise TypeError(f"not JSON: {type(value).__name__}")


def _write_object(value: dict[str, Any], parts: list[str], depth: int) -> None:
    before = "{"
    # Python sorts by code points, which differs from UTF-16 only when surrogate pairs are involved.
    names = sorted(value) if all(map(str.isascii, value)) else sorted(value, key=_utf16)
    for name in names:
        parts.append(f"{before}{encode_basestring(name)}:")
        _write(value[name], parts, depth)
        before = ","
    parts.append("{}" if before == "{" else "}")


def _write_array(value: list[Any] | tuple[Any, ...], parts: list[str], depth: int) -> None:
    before = "["
    for item in value:
        parts.append(before)
        _write(item, parts, depth)
        before = ","
    parts.append("[]" if before == "[" else "]")


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _integer(value: int) -> str:
    if abs(value) > LARGEST_INTEGER:
        raise _fault("integer beyond 2^53")
    return str(value)


def _number(value: float) -> str:
    """ECMAScript's Number::toString. ``repr`` finds the same shortest digits; only their layout differs."""
    if not math.isfinite(value):
        raise _fault("number is not finite")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times ten to the power of `point`.
    point = int(exponent or 0) + (len(whole) if whole != "0" else len(fraction.lstrip("0")) - len(fraction))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"
