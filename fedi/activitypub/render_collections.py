"""Collections that we serve, and their pages. ``total`` is shown even where the items are not."""

from collections.abc import Iterable, Sequence
from typing import Any

Document = dict[str, Any]


def render_collection(uri: str, total: int, *, first: str | None, last: str | None = None) -> Document:
    """An ordered collection that is read page by page; ``first=None``: only how many there are."""
    found: Document = {"id": uri, "type": "OrderedCollection", "totalItems": total}
    if first is not None:
        found["first"] = first
    if last is not None:
        found["last"] = last
    return found


def render_page(
    uri: str,
    *,
    part_of: str,
    items: Sequence[Any],
    next_page: str | None = None,
    prev_page: str | None = None,
    total: int | None = None,
    ordered: bool = True,
) -> Document:
    """``items`` are URIs or documents without ``@context``."""
    found: Document = {"id": uri, "type": "OrderedCollectionPage" if ordered else "CollectionPage", "partOf": part_of}
    if total is not None:
        found["totalItems"] = total
    if next_page is not None:
        found["next"] = next_page
    if prev_page is not None:
        found["prev"] = prev_page
    found["orderedItems" if ordered else "items"] = list(items)
    return found


def render_featured_posts(uri: str, posts: Iterable[Document]) -> Document:
    """Pinned posts, whole: bare ids would make every reader fetch them one by one."""
    items = list(posts)
    return {"id": uri, "type": "OrderedCollection", "totalItems": len(items), "orderedItems": items}


def render_featured_tags(uri: str, tags: Iterable[tuple[str, str]]) -> Document:
    """``tags`` are names without ``#`` and the URLs of their pages."""
    items = [{"type": "Hashtag", "href": href, "name": f"#{name}"} for name, href in tags]
    return {"id": uri, "type": "Collection", "totalItems": len(items), "items": items}


def render_conversation(uri: str, owner: str, total: int, *, first: str) -> Document:
    """The ``context`` of a thread whose root is ours, in the order in which it was written (FEP-7888, FEP-f228)."""
    return {"id": uri, "type": "OrderedCollection", "attributedTo": owner, "totalItems": total, "first": first}


def render_followers_part(uri: str, followers: Sequence[str]) -> Document:
    """The followers on one host, for that host alone (FEP-8fcf)."""
    return {"id": uri, "type": "OrderedCollection", "totalItems": len(followers), "orderedItems": list(followers)}
