"""What every answer of the client API shares: its type, its ids in the path, and the pages of its lists."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from aiohttp.web import Request, Response

from fedi.errors import ClientFault
from fedi.feeds.page import Cursor
from fedi.i18n import _
from fedi.ids import StatusId
from fedi.store.paging import Window
from fedi.web.entities.encode import array, encode
from fedi.web.keys import CONFIG
from fedi.web.params import Params

T = TypeVar("T")
STATUSES, MOST_STATUSES = 20, 40
ACCOUNTS, MOST_ACCOUNTS = 40, 80

_JSON = "application/json; charset=utf-8"
_CUTS = frozenset({"max_id", "min_id", "since_id", "offset", "access_token"})
MAX_INT = 2**63 - 1


def answer(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON that is encoded already; never empty."""
    return Response(body=body, status=status, headers={"Content-Type": _JSON, **(headers or {})})


def answer_value(value: Any, *, status: int = 200) -> Response:
    return answer(encode(value), status=status)


def answer_list(
    request: Request, items: Sequence[bytes], *, older: int | None = None, newer: int | None = None
) -> Response:
    """A page. ``older`` and ``newer`` are the ``max_id`` and ``min_id`` of the pages beside it."""
    links = page_links(request, older=older, newer=newer)
    return answer(array(items), headers={"Link": links} if links else None)


def page_links(request: Request, *, older: int | None, newer: int | None) -> str:
    """The ``Link`` header: absolute, without a comma inside a URL, with the other parameters carried over."""
    if older is None and newer is None:
        return ""
    base = request.app[CONFIG].origin + request.rel_url.raw_path.replace(",", "%2C") + "?"
    if request.query_string:
        kept = [(name, value) for name, value in request.query.items() if name not in _CUTS]
        if kept:
            base += urlencode(kept, quote_via=quote) + "&"
    links = []
    if older is not None:
        links.append(f'<{base}max_id={older}>; rel="next"')
    if newer is not None:
        links.append(f'<{base}min_id={newer}>; rel="prev"')
    return ", ".join(links)


def status_id(request: Request, name: str = "id") -> StatusId:
    """The id in the path; 404 when it cannot be one."""
    return StatusId(path_id(request, name))


def path_id(request: Request, name: str = "id") -> int:
    text = request.match_info[name]
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= MAX_INT):
        raise not_found()
    return int(text)


def not_found() -> ClientFault:
    return ClientFault("not-found", _("Record not found"), status=404)


def limit_of(params: Params, default: int, most: int) -> int:
    """A larger ``limit`` is capped, not refused."""
    asked = params.integer("limit")
    return default if asked is None or asked < 1 else min(asked, most)


def cursor_of(params: Params) -> Cursor:
    return Cursor(max_id=_cut(params, "max_id"), since_id=_cut(params, "since_id"), min_id=_cut(params, "min_id"))


def window_of(params: Params, default: int = ACCOUNTS, most: int = MOST_ACCOUNTS) -> Window:
    """As :func:`cursor_of`, for lists cut by row ids."""
    return Window(
        max_id=_cut(params, "max_id"),
        since_id=_cut(params, "since_id"),
        min_id=_cut(params, "min_id"),
        limit=limit_of(params, default, most),
    )


def _cut(params: Params, name: str) -> int | None:
    """An id that is none (some apps send "undefined") cuts nowhere."""
    text = params.text(name)
    if not text or not text.isascii() or not text.isdigit():
        return None
    return min(int(text[:20]), MAX_INT)


class Cut(NamedTuple):
    """One page of rows and the cuts of the pages beside it, None where there is none."""

    rows: list[Any]
    older: int | None
    newer: int | None


def one_more(window: Window) -> Window:
    """The window with one row more, which tells whether there is a further page; see :func:`cut`."""
    return Window(max_id=window.max_id, since_id=window.since_id, min_id=window.min_id, limit=window.limit + 1)


def cut(rows: Sequence[tuple[int, T]], window: Window) -> Cut:
    """The page of ``window`` from rows ``(row id, value)`` that were read with :func:`one_more`."""
    more = len(rows) > window.limit
    if window.min_id is not None:
        kept = list(rows[-window.limit :])
        older = kept[-1][0] if kept else None
    else:
        kept = list(rows[: window.limit])
        older = kept[-1][0] if more else None
    return Cut([value for _, value in kept], older, kept[0][0] if kept else None)
