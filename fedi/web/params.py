"""One decoder for what apps send: query, JSON, urlencoded and multipart, merged, for every verb.

Clients mix them: some send POST parameters in the query, some a body with DELETE, some ``id[]`` and some ``id``.
Names may nest with brackets: ``poll[options][]``, ``fields_attributes[0][name]``, ``media_attributes[][id]``.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.web import FileField, Request

from fedi.errors import ClientFault
from fedi.i18n import _

MAX_FIELDS = 1000
BODY_S = 300  # a picture from a telephone far out in the country
MAX_DEPTH = 6  # of brackets; the deepest documented name has three

_SURROGATE = re.compile("[\ud800-\udfff]")
_TRUE = frozenset({"true", "1", "on", "t", "yes"})
_FALSE = frozenset({"false", "0", "off", "f", "no", ""})


class Params(Mapping[str, Any]):
    """Decoded parameters: values are text, numbers, booleans, lists and mappings as the app sent them.

    The accessors below accept each spelling the known apps use and raise ``ClientFault`` (422) for the others.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Params({sorted(self._values)})"  # values may be passwords

    def text(self, name: str) -> str | None:
        """A string; a number is taken as its digits. ``None`` when absent or null."""
        match self._values.get(name):
            case None:
                return None
            case str() as value:
                return value
            case bool() as value:
                return "true" if value else "false"
            case int() | float() as value:
                return str(value)
            case _:
                raise _invalid(name)

    def flag(self, name: str) -> bool | None:
        """A boolean; ``None`` when absent, null or empty."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        return parse_bool(name, value)

    def integer(self, name: str) -> int | None:
        value = self._values.get(name)
        if value is None or value == "":
            return None
        return _integer(name, value)

    def texts(self, name: str) -> list[str] | None:
        """A list of strings, however it was sent; a lone value is a list of one. ``None`` when absent or null."""
        match self._values.get(name):
            case None:
                return None
            case list() as values:
                return [Params({name: value}).text(name) or "" for value in values]
            case dict() as indexed:  # id[0]=1&id[1]=2
                return [Params({name: value}).text(name) or "" for value in indexed.values()]
            case value:
                return [Params({name: value}).text(name) or ""]

    def integers(self, name: str) -> list[int] | None:
        """As :meth:`texts`, of ids."""
        values = self.texts(name)
        return None if values is None else [_integer(name, value) for value in values if value != ""]

    def group(self, name: str) -> "Params | None":
        """A nested mapping, such as ``poll``."""
        match self._values.get(name):
            case None | "":
                return None
            case Mapping() as values:
                return Params(values)
            case _:
                raise _invalid(name)

    def groups(self, name: str) -> "list[Params] | None":
        """A list of mappings, sent as an array or with numbered names (``fields_attributes[0][name]``)."""
        match self._values.get(name):
            case None | "":
                return None
            case list() as values:
                items: list[Any] = values
            case Mapping() as indexed:
                items = [indexed[key] for key in sorted(indexed, key=_index_order)]
            case _:
                raise _invalid(name)
        if not all(isinstance(item, Mapping) for item in items):
            raise _invalid(name)
        return [Params(item) for item in items]

    def file(self, name: str) -> FileField | None:
        """An uploaded file. Its bytes are in ``.file``."""
        value = self._values.get(name)
        return value if isinstance(value, FileField) else None


def parse_bool(name: str, value: object) -> bool:
    """``true``, ``1``, ``on``, ``"true"`` and their negatives."""
    word = str(value).strip().lower() if isinstance(value, bool | int | str) else "?"
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise _invalid(name)


def _integer(name: str, value: object) -> int:
    if isinstance(value, bool):
        raise _invalid(name)
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    # int() alone would take "1_0", " 1" and other scripts' digits; 19 digits hold 63 bits.
    if isinstance(value, str) and len(value) <= 20 and value.isascii() and value.removeprefix("-").isdigit():
        return int(value)
    raise _invalid(name)


def _index_order(key: str) -> tuple[int, int, str]:
    return (0, int(key), "") if key.isascii() and key.isdigit() and len(key) < 10 else (1, 0, key)


def _invalid(name: str) -> ClientFault:
    return ClientFault("parameter-invalid", "The parameter “%(name)s” cannot be read.", params={"name": name[:80]})


_PARAMS = web.RequestKey("params", Params)


async def read_params(request: Request) -> Params:
    """Everything the app sent, decoded once per request. The body wins over the query.

    Raises ``ClientFault`` 400 for a body that cannot be read, 413 (by aiohttp) for one that is too long.
    """
    known = request.get(_PARAMS)
    if known is None:
        values = nest(list(request.query.items()))
        if request.can_read_body:
            try:
                async with asyncio.timeout(BODY_S):
                    body = await _read_body(request)
            except TimeoutError:
                raise ClientFault("too-slow", _("The request cannot be read."), status=408) from None
            _check_text(body)
            values = _merged(values, body)
        known = request[_PARAMS] = Params(values)
    return known


async def _read_body(request: Request) -> Mapping[str, Any]:
    content_type = request.content_type
    if content_type == "multipart/form-data":
        return nest(await _read_multipart(request))
    if content_type == "application/x-www-form-urlencoded":
        body = await request.read()
        return nest(_pairs(body))
    body = await request.read()
    if not body.strip():
        return {}
    if content_type == "application/json" or content_type.endswith("+json") or body.lstrip()[:1] == b"{":
        return _parse_json(body)
    if content_type in {"application/octet-stream", "text/plain"}:  # sent without, or with a careless, type
        return nest(_pairs(body))
    raise ClientFault("unsupported-media-type", "Send parameters as JSON or as a form.", status=415)


def _check_text(value: object) -> None:
    """Raises ``ClientFault`` 422 for what no database here stores: NUL, and halves of characters."""
    match value:
        case str():
            if "\0" in value or (not value.isascii() and _SURROGATE.search(value)):
                raise ClientFault("bad-text", "The text contains characters that are not allowed.")
        case list():
            for item in value:
                _check_text(item)
        case Mapping():
            for name, item in value.items():
                _check_text(name)
                _check_text(item)


def _pairs(body: bytes) -> list[tuple[str, Any]]:
    try:
        return list(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except (UnicodeDecodeError, ValueError) as fault:
        raise ClientFault("unreadable-body", "The form cannot be read.", status=400, internal=str(fault)) from None


def _parse_json(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise ClientFault("unreadable-body", "The JSON cannot be read.", status=400, internal=str(fault)) from None
    if not isinstance(value, dict):
        raise ClientFault("unreadable-body", "Send a JSON object.", status=400)
    # Some apps put bracket names into JSON, too.
    if any("[" in name for name in value):
        return _merged(
            {name: item for name, item in value.items() if "[" not in name},
            nest([(name, item) for name, item in value.items() if "[" in name]),
        )
    return value


async def _read_multipart(request: Request) -> list[tuple[str, Any]]:
    try:
        form = await request.post()
    except web.HTTPException:
        raise
    except (ValueError, AssertionError, LookupError, RuntimeError) as fault:
        raise ClientFault("unreadable-body", "The form cannot be read.", status=400, internal=str(fault)) from None
    if len(form) > MAX_FIELDS:
        raise ClientFault("unreadable-body", "The form has too many fields.", status=400)
    pairs: list[tuple[str, Any]] = []
    for name, value in form.items():
        if isinstance(value, bytes | bytearray):
            pairs.append((name, value.decode("utf-8", "replace")))
        elif isinstance(value, str | FileField):
            pairs.append((name, value))
    return pairs


def nest(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """``[("poll[options][]", "a"), ("poll[options][]", "b")]`` → ``{"poll": {"options": ["a", "b"]}}``.

    ``a[][id]=1&a[][x]=2&a[][id]=3`` starts a new item when a name repeats, as Rack does. A plain name that repeats
    takes its last value. Raises ``ClientFault`` where one name is used as two shapes.
    """
    if len(pairs) > MAX_FIELDS:
        raise ClientFault("unreadable-body", "The form has too many fields.", status=400)
    root: dict[str, Any] = {}
    for name, value in pairs:
        _put(root, _path(name), value, name)
    return root


def _path(name: str) -> list[str]:
    head, bracket, rest = name.partition("[")
    if not bracket or not head or not rest.endswith("]"):
        return [name]
    path = [head, *rest[:-1].split("][")]
    if len(path) > MAX_DEPTH:
        raise _invalid(name)
    return path


def _put(node: dict[str, Any], path: list[str], value: Any, name: str) -> None:
    for at, key in enumerate(path[:-1]):
        following = path[at + 1]
        if following == "":
            items = node.setdefault(key, [])
            if not isinstance(items, list):
                raise _invalid(name)
            if at + 2 == len(path):
                items.extend(value if isinstance(value, list) else [value])
                return
            inner = path[at + 2]
            if not items or not isinstance(items[-1], dict) or (at + 3 == len(path) and inner in items[-1]):
                items.append({})
            _put(items[-1], path[at + 2 :], value, name)
            return
        node = node.setdefault(key, {})
        if not isinstance(node, dict):
            raise _invalid(name)
    last = path[-1]
    if isinstance(node.get(last), dict | list) and not isinstance(value, dict | list):
        raise _invalid(name)
    node[last] = value


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        known = merged.get(name)
        merged[name] = _merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return merged
