"""Rows become values here, and values parameters: the columns of a table are the fields of its dataclass.

Booleans are 0 or 1 in a row; tuples and nested dataclasses are JSON.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from operator import attrgetter
from types import NoneType
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec

T = TypeVar("T")


class Shape(Generic[T]):
    """How one dataclass lies in its table. ``make`` is for ``Tx.all_as`` with ``columns`` (or ``columns_of``)."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        hints = get_type_hints(kind)
        self.names = tuple(field.name for field in fields(kind))  # type: ignore[arg-type]  # T is a dataclass
        self.columns = ", ".join(self.names)
        self.parameters = ", ".join(f":{name}" for name in self.names)
        self._read = attrgetter(*self.names)
        # Most fields are what their columns are; only the others cost a call.
        self._decode = [(name, decode) for name in self.names if (decode := _decoder(hints[name])) is not None]
        self._encode = [(name, int if decode is bool else column_of) for name, decode in self._decode]

    def columns_of(self, alias: str) -> str:
        return ", ".join(f"{alias}.{name}" for name in self.names)

    def make(self, *row: Any) -> T:
        values = dict(zip(self.names, row, strict=True))
        for name, decode in self._decode:
            values[name] = decode(values[name])
        return self._kind(**values)

    def values(self, value: T) -> dict[str, Any]:
        """The parameters of an INSERT of ``parameters``."""
        values = dict(zip(self.names, self._read(value), strict=True))
        for name, encode in self._encode:
            values[name] = encode(values[name])
        return values


def column_of(value: Any) -> str | None:
    """What a tuple or a nested dataclass is in its column."""
    return None if value is None else to_json(value)


def to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def from_json(text: str) -> Any:
    return msgspec.json.decode(text)


def _decoder(hint: Any) -> Callable[[Any], Any] | None:
    """None for what is in its column as it is in its field."""
    if hint is bool:
        return bool
    parts = [part for part in get_args(hint) if part is not NoneType] if NoneType in get_args(hint) else [hint]
    if any(get_origin(part) is tuple or is_dataclass(part) for part in parts):
        decode = msgspec.json.Decoder(hint, strict=False).decode
        if len(parts) < len(get_args(hint)):
            return lambda text: None if text is None else decode(text)
        return decode
    return None
