"""The small entities: contexts, searches, tags, lists, filters' results, notifications."""

from collections.abc import Iterable
from typing import Any

from fedi.activitypub.uris import LocalUris
from fedi.clock import api_time
from fedi.model.lists import AccountList
from fedi.model.notifications import Marker, Notification
from fedi.web.entities.encode import array, encode, raw

# What clients know; our further kinds are shown as the nearest of these, or to nobody.
_KINDS = {
    "mention": "mention",
    "status": "status",
    "reblog": "reblog",
    "follow": "follow",
    "follow_request": "follow_request",
    "favourite": "favourite",
    "reaction": "favourite",
    "poll": "poll",
    "update": "update",
    "quote": "mention",  # the kind of its own comes with api 7
    "quoted_update": "update",
    "admin.report": "admin.report",
}
_WITHOUT_STATUS = frozenset({"follow", "follow_request", "admin.report"})


def notification_type(notification: Notification) -> str | None:
    """The type clients are told; None where no client has a word for it."""
    return _KINDS.get(notification.kind)


def kinds_of(types: Iterable[str]) -> frozenset[str]:
    """Our kinds that clients are told of as one of ``types``: what a filter by type means."""
    wanted = frozenset(types)
    return frozenset(kind for kind, told in _KINDS.items() if told in wanted)


def needs_status(notification: Notification) -> bool:
    """Whether its type makes no sense without the status it is about."""
    return notification_type(notification) not in _WITHOUT_STATUS


def render_notification(notification: Notification, *, account: bytes, status: bytes | None) -> bytes | None:
    """Ids are small, so that the places which print them as numbers stay exact. None: not for clients.

    ``status`` None where there is one by kind means that it may not be shown (any more): then the whole is left out.
    """
    kind = notification_type(notification)
    if kind is None or (status is None and kind not in _WITHOUT_STATUS):
        return None
    value: dict[str, Any] = {
        "id": str(notification.id),
        "type": kind,
        "created_at": api_time(notification.created_at),
        "group_key": f"ungrouped-{notification.id}",
        "account": raw(account),
    }
    if status is not None and kind not in _WITHOUT_STATUS:
        value["status"] = raw(status)
    return encode(value)


def render_context(ancestors: Iterable[bytes], descendants: Iterable[bytes], **more: Any) -> bytes:
    """``more``: further members, which apps that do not know them skip."""
    return encode({"ancestors": raw(array(ancestors)), "descendants": raw(array(descendants)), **more})


def render_search(*, accounts: Iterable[bytes], statuses: Iterable[bytes], hashtags: Iterable[dict[str, Any]]) -> bytes:
    return encode({
        "accounts": raw(array(accounts)),
        "statuses": raw(array(statuses)),
        "hashtags": list(hashtags),
    })  # fmt: skip


def tag_value(name: str, uris: LocalUris, *, following: bool | None = None) -> dict[str, Any]:
    """A Tag. ``following`` None for anonymous readers. Its history is kept by nobody yet."""
    value: dict[str, Any] = {"id": name, "name": name, "url": uris.tag_page(name), "history": []}
    if following is not None:
        value |= {"following": following, "featuring": False}
    return value


def list_value(one: AccountList) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "title": one.title,
        "replies_policy": one.replies_policy,
        "exclusive": one.exclusive,
    }


def marker_value(marker: Marker) -> dict[str, Any]:
    return {
        "last_read_id": marker.last_read_id,
        "version": marker.version,
        "updated_at": api_time(marker.updated_at),
    }
