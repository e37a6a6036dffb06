"""Bytes of JSON: encoding, and joining what is encoded already."""

from collections.abc import Iterable
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def encode(value: Any) -> bytes:
    """JSON of dicts, lists and scalars; a :class:`msgspec.Raw` inside is taken as it is."""
    return _encode(value)


def raw(body: bytes) -> msgspec.Raw:
    """Encoded JSON as a value inside a larger one."""
    return msgspec.Raw(body)


def array(items: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def extended(body: bytes, **members: Any) -> bytes:
    """An encoded object with further members; ``body`` is not empty."""
    return body[:-1] + b"," + _encode(members)[1:] if members else body


def flag(value: object) -> bytes:
    return b"true" if value else b"false"


def number_or_null(value: int | None) -> bytes:
    return b"null" if value is None else b"%d" % value


def id_or_null(value: int | None) -> str | None:
    """Ids are decimal strings: a JSON number would lose digits in a browser."""
    return None if value is None else str(value)
