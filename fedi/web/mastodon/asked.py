"""What apps ask with beside pages: lists of ids, offsets; and the answer that says nothing."""

from aiohttp.web import Request, Response

from fedi.web.mastodon.answers import Cut, answer, answer_list
from fedi.web.params import Params

MOST_IDS = 100
MOST_OFFSET = 10_000


def empty() -> Response:
    """Nothing to say: clients cannot decode nothing at all."""
    return answer(b"{}")


def listed_ids(params: Params, name: str) -> list[int]:
    """``id[]``, at most :data:`MOST_IDS`, in order and each once; what is no id is passed over."""
    found = [text for text in params.texts(name) or [] if text.isascii() and text.isdigit() and len(text) <= 18]
    return list(dict.fromkeys(int(text) for text in found))[:MOST_IDS]


def offset_of(params: Params) -> int:
    return max(0, min(params.integer("offset") or 0, MOST_OFFSET))


def answer_page(request: Request, page: Cut, items: list[bytes]) -> Response:
    """``items`` of one cut page, fewer where something is not shown."""
    return answer_list(request, items, older=page.older, newer=page.newer)
