"""What handlers of the client API have in common: JSON answers that are never empty, ids in paths, pages by Link."""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote, urlencode

from aiohttp.web import Request, Response

from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.store.paging import LAST_ID, Window
from fedi.web.entities.encode import array, encode
from fedi.web.keys import CONFIG
from fedi.web.params import Params

MOST_IDS = 100
_CARRIED_OUT = frozenset({"max_id", "min_id", "since_id", "access_token"})


def json_answer(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body=body, status=status, headers=headers, content_type="application/json")


def value_answer(value: object, *, status: int = 200) -> Response:
    return json_answer(encode(value), status=status)


def empty() -> Response:
    """Nothing to say: clients cannot decode nothing at all."""
    return json_answer(b"{}")


def not_found() -> ClientFault:
    return ClientFault("not-found", _("Record not found"), status=404)


def path_id(request: Request, name: str = "id") -> int:
    """A decimal id in the path; anything else names no record (404)."""
    return parse_id(request.match_info[name])


def parse_id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= LAST_ID):
        raise not_found()
    return int(text)


def listed_ids(params: Params, name: str) -> list[int]:
    """``id[]``, at most :data:`MOST_IDS`, in order and each once; what is no id is passed over."""
    found = [text for text in params.texts(name) or [] if text.isascii() and text.isdigit() and len(text) <= 18]
    return list(dict.fromkeys(int(text) for text in found))[:MOST_IDS]


def window_of(params: Params, *, limit: int = 40, most: int = 80) -> Window:
    """The cuts an app asks for. A larger ``limit`` is cut, not refused; so is a cut beyond 63 bits."""
    wanted = params.integer("limit")
    return Window(
        max_id=_cut(params, "max_id"),
        since_id=_cut(params, "since_id"),
        min_id=_cut(params, "min_id"),
        limit=limit if wanted is None else max(1, min(wanted, most)),
    )


def offset_of(params: Params) -> int:
    return max(0, min(params.integer("offset") or 0, 10_000))


def page_answer(request: Request, items: Iterable[bytes], keys: Sequence[int], window: Window) -> Response:
    """A JSON array with its ``Link``; ``keys`` are what the list is cut by, newest first, one for each row that was
    read. The last page, told by its shortness, has no ``next``; an empty one has no ``Link`` at all."""
    return json_answer(
        array(items), headers=link_header(request, keys, is_last=window.min_id is None and len(keys) < window.limit)
    )


def link_header(request: Request, keys: Sequence[int], *, is_last: bool) -> dict[str, str]:
    if not keys:
        return {}
    links = [] if is_last else [f'<{_page_url(request, "max_id", keys[-1])}>; rel="next"']
    links.append(f'<{_page_url(request, "min_id", keys[0])}>; rel="prev"')
    return {"Link": ", ".join(links)}


def _page_url(request: Request, name: str, cut: int) -> str:
    """No comma inside: some clients split the header on it."""
    kept = [(key, value) for key, value in request.query.items() if key not in _CARRIED_OUT]
    query = urlencode([*kept, (name, str(cut))], quote_via=quote, safe="[]")
    return f"{request.app[CONFIG].origin}{request.path}?{query}"


def _cut(params: Params, name: str) -> int | None:
    found = params.integer(name)
    return None if found is None else max(0, min(found, LAST_ID))
