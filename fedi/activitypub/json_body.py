"""Reads JSON from strangers. What the standard parser lets through or chokes on is refused here.

The rules are those of I-JSON (RFC 7493) plus limits: one object, no duplicate names, no NaN or overflow, no lone
surrogates, no NUL, at most 64 levels and 1 MiB.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from fedi.errors import PeerFault

MAX_BODY_BYTES = 1024 * 1024  # also bounds all strings together: decoding never makes them longer
MAX_DEPTH = 64

# Every string, even one that never ends, is consumed once: possessive, so linear.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_BRACKET = re.compile(rb"[^\[\]{}]++")
_SUSPICIOUS_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_BAD_CHARACTER = re.compile("[\x00\ud800-\udfff]")
_OPENING = frozenset(b"[{")


def parse_json(raw: bytes) -> dict[str, Any]:
    """One JSON object from untrusted bytes. Raises :class:`PeerFault`: ``too-large`` (413) or ``bad-json`` (400)."""
    if len(raw) > MAX_BODY_BYTES:
        raise PeerFault("too-large", status=413, internal=f"{len(raw)} bytes")
    _refuse_deep(raw)
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError) as wrong:  # includes JSONDecodeError, UnicodeDecodeError, huge integers
        raise PeerFault("bad-json", internal=str(wrong)[:200]) from wrong
    if not isinstance(value, dict):
        raise PeerFault("bad-json", internal="not an object")
    if _SUSPICIOUS_ESCAPE.search(raw) and any(_BAD_CHARACTER.search(text) for text in _strings(value)):
        raise PeerFault("bad-json", internal="NUL or lone surrogate")
    return value


def _refuse_deep(raw: bytes) -> None:
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _NOT_BRACKET.sub(b"", _STRING.sub(b"", raw)):
        depth += 1 if bracket in _OPENING else -1
        if depth > MAX_DEPTH:
            raise PeerFault("bad-json", internal=f"deeper than {MAX_DEPTH}")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from _strings(item)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate name")
    return value


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("number out of range")
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_refuse_constant)
