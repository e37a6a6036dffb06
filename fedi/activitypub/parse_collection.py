"""Collections and their pages. Whatever they list is a hint: each item is fetched and checked at its own origin."""

from collections.abc import Iterator

from fedi.activitypub.parse_fields import Fields
from fedi.activitypub.vocab import COLLECTION_PAGE_TYPES, Collection, CollectionPage, CollectionRef, Embedded
from fedi.errors import PeerFault
from fedi.ids import Uri

MAX_ITEMS = 1_000
MAX_INLINED = 100


def collection(fields: Fields, kind: str) -> Collection:
    first = fields.child("first")
    return Collection(
        id=fields.id(),
        type=kind,
        total_items=fields.count("totalItems"),
        items=_items(fields),
        first=page(first, _page_type(first)) if first is not None else fields.uri("first"),
        attributed_to=fields.uri("attributedTo"),
    )


def page(fields: Fields, kind: str) -> CollectionPage:
    return CollectionPage(
        id=fields.id(),
        type=kind,
        part_of=fields.uri("partOf"),
        items=_items(fields),
        next=fields.uri("next"),
        prev=fields.uri("prev"),
        total_items=fields.count("totalItems"),
    )


def collection_ref(fields: Fields, key: str) -> CollectionRef | None:
    """The collection that a post names: an id, or an object whose first page may be inlined. None if unusable."""
    inlined = fields.child(key)
    if inlined is None:
        uri = fields.uri(key)
        return CollectionRef(id=uri) if uri else None
    first = inlined.child("first") or inlined
    ids = dict.fromkeys(item if isinstance(item, str) else item.id for item in _items(first))
    return CollectionRef(
        id=inlined.uri("id"),
        total_items=inlined.count("totalItems"),
        items=tuple(uri for uri in ids if uri is not None)[:MAX_INLINED],
        next=first.uri("next") or inlined.uri("first"),
    )


def _items(fields: Fields) -> tuple[Uri | Embedded, ...]:
    return tuple(_each_item(fields))[:MAX_ITEMS]


def _each_item(fields: Fields) -> Iterator[Uri | Embedded]:
    for key in ("orderedItems", "items"):
        for value in fields.values(key)[:MAX_ITEMS]:
            item = Fields({"item": value}, fields.rules)
            if not isinstance(value, dict):
                uri = item.uri("item")
                if uri is not None:
                    yield uri
                continue
            inner = Fields(value, fields.rules)
            try:
                yield Embedded(id=inner.id(), type=next(iter(inner.types()), ""), raw=value)
            except PeerFault:  # one bad item says nothing about the others
                continue


def _page_type(fields: Fields) -> str:
    return next((kind for kind in fields.types() if kind in COLLECTION_PAGE_TYPES), "CollectionPage")
