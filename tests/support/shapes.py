"""What apps decode, as checks: each entity with its required keys, what may be null, and the closed sets of words.

Derived from the rules of the client API, not from what the server happens to answer.
"""

import re
from typing import Any
from urllib.parse import urlsplit

ID = re.compile(r"[1-9][0-9]{0,18}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
DAY = re.compile(r"\d{4}-\d\d-\d\d")


def text(value: Any) -> None:
    assert isinstance(value, str)


def flag(value: Any) -> None:
    assert value is True or value is False


def count(value: Any) -> None:
    assert type(value) is int
    assert value >= 0


def ident(value: Any) -> None:
    assert isinstance(value, str)
    assert ID.fullmatch(value), value
    assert int(value) < 2**63


def instant(value: Any) -> None:
    assert isinstance(value, str)
    assert INSTANT.fullmatch(value), value


def day(value: Any) -> None:
    assert DAY.fullmatch(value), value


def url(value: Any) -> None:
    parts = urlsplit(value)
    assert parts.scheme in {"https", "http"}, value
    assert parts.netloc


def maybe(check: Any) -> Any:
    return lambda value: None if value is None else check(value)


def each(check: Any) -> Any:
    def checked(value: Any) -> None:
        assert isinstance(value, list)
        for item in value:
            check(item)

    return checked


def one_of(*words: str) -> Any:
    def checked(value: Any) -> None:
        assert value in words, value

    return checked


def shape(required: dict[str, Any], optional: dict[str, Any] | None = None) -> Any:
    """Every required key is there; no key beyond those named."""
    known = required | (optional or {})

    def checked(value: Any) -> None:
        assert isinstance(value, dict), value
        assert required.keys() <= value.keys(), f"missing {sorted(required.keys() - value.keys())}"
        assert value.keys() <= known.keys(), f"unknown {sorted(value.keys() - known.keys())}"
        for name, item in value.items():
            try:
                known[name](item)
            except (AssertionError, TypeError, AttributeError) as wrong:
                raise AssertionError(f"{name}: {wrong}") from wrong

    return checked


emoji = shape({"shortcode": text, "url": url, "static_url": url, "visible_in_picker": flag}, {"category": maybe(text)})
field = shape({"name": text, "value": text, "verified_at": maybe(instant)})


def account(value: Any) -> None:
    shape(
        {
            "id": ident, "username": text, "acct": text, "display_name": text, "url": url, "uri": url, "note": text,
            "fields": each(field), "emojis": each(emoji), "roles": each(shape({"id": text, "name": text, "color": text})),
            "locked": flag, "bot": flag, "group": flag, "discoverable": flag, "indexable": flag,
            "created_at": instant, "avatar": url, "avatar_static": url, "header": url, "header_static": url,
            "avatar_description": text, "header_description": text, "hide_collections": flag, "noindex": flag,
            "followers_count": count, "following_count": count, "statuses_count": count, "last_status_at": maybe(day),
        },
        {"moved": account, "memorial": flag, "suspended": flag, "limited": flag, "source": source, "role": role},
    )(value)  # fmt: skip


visibility = one_of("public", "unlisted", "private", "direct")
quote_policy = one_of("public", "followers", "nobody")
role = shape({"id": text, "name": text, "permissions": text, "color": text, "highlighted": flag})
source = shape({
    "privacy": visibility, "sensitive": flag, "language": maybe(text), "note": text, "fields": each(field),
    "follow_requests_count": count, "hide_collections": flag, "discoverable": flag, "indexable": flag,
    "attribution_domains": each(text), "quote_policy": quote_policy,
})  # fmt: skip


def no_null(value: Any) -> None:
    assert value is not None
    if isinstance(value, dict):
        for item in value.values():
            no_null(item)


def extent(value: Any) -> None:
    for name in {"width", "height"} & value.keys():
        assert type(value[name]) is int


def meta(value: Any) -> None:
    no_null(value)
    for name in {"original", "small"} & value.keys():
        extent(value[name])


media = shape({
    "id": ident, "type": one_of("image", "gifv", "video", "audio", "unknown"), "url": url, "preview_url": maybe(url),
    "remote_url": maybe(url), "preview_remote_url": maybe(url), "text_url": maybe(url), "meta": meta,
    "description": maybe(text), "blurhash": maybe(text),
})  # fmt: skip

poll = shape(
    {
        "id": ident, "expires_at": maybe(instant), "expired": flag, "multiple": flag, "votes_count": count,
        "voters_count": maybe(count), "options": each(shape({"title": text, "votes_count": maybe(count)})),
        "emojis": each(emoji),
    },
    {"voted": flag, "own_votes": each(count)},
)  # fmt: skip

mention = shape({"id": ident, "username": text, "url": url, "acct": text})
tag = shape({"name": text, "url": url}, {"id": text, "history": each(text), "following": flag, "featuring": flag})
quoting = one_of("automatic", "manual", "denied", "unknown")
quote_approval = shape({"automatic": each(text), "manual": each(text), "current_user": quoting})
quote_states = one_of(
    "pending", "accepted", "rejected", "revoked", "deleted", "unauthorized", "blocked_account", "blocked_domain",
    "muted_account",
)  # fmt: skip


def quote(value: Any) -> None:
    shape({"state": quote_states}, {"quoted_status": maybe(status), "quoted_status_id": maybe(ident)})(value)
    assert len(value) == 2


_STATUS = {
    "id": ident, "created_at": instant, "in_reply_to_id": maybe(ident), "in_reply_to_account_id": maybe(ident),
    "sensitive": flag, "spoiler_text": text, "visibility": visibility, "language": maybe(text), "uri": url, "url": url,
    "replies_count": count, "reblogs_count": count, "favourites_count": count, "quotes_count": count,
    "edited_at": maybe(instant), "content": text, "account": account, "media_attachments": each(media),
    "mentions": each(mention), "tags": each(tag), "emojis": each(emoji), "poll": maybe(poll), "quote": maybe(quote),
    "quote_approval": quote_approval,
}  # fmt: skip
_FOR_VIEWER = {"favourited": flag, "reblogged": flag, "muted": flag, "bookmarked": flag, "filtered": each(no_null)}


def null(value: Any) -> None:
    assert value is None


def status(value: Any, *, viewer: bool | None = None) -> None:
    """``viewer``: whether the reader is signed in; None when it does not matter."""
    required = dict(_STATUS) | {"card": null, "reblog": maybe(lambda inner: status(inner, viewer=viewer))}
    optional: dict[str, Any] = {"application": shape({"name": text, "website": maybe(text)})}
    if viewer is None:
        optional |= _FOR_VIEWER | {"pinned": flag}
    elif viewer:
        required |= _FOR_VIEWER
        optional |= {"pinned": flag}
    shape(required, optional)(value)
    if value["reblog"] is not None:
        assert value["reblog"]["id"] != value["id"]
        assert value["reblog"]["reblog"] is None


notification = shape(
    {
        "id": ident, "created_at": instant, "group_key": text, "account": account,
        "type": one_of(
            "mention", "status", "reblog", "follow", "follow_request", "favourite", "poll", "update", "admin.report"
        ),
    },
    {"status": status},
)  # fmt: skip


def statuses(value: Any, *, viewer: bool | None = None) -> None:
    assert isinstance(value, list)
    for item in value:
        status(item, viewer=viewer)
    ids = [int(item["id"]) for item in value]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == len(set(ids))
