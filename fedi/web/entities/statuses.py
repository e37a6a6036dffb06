"""Statuses: a head that changes with their version only, and what is spliced in behind it for one viewer."""

import html
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from fedi.activitypub.uris import LocalUris
from fedi.clock import api_time
from fedi.ids import MediaId
from fedi.model.media import Media
from fedi.model.statuses import Mention, Status, StatusEdit
from fedi.store import details
from fedi.store.details import StatusDetail
from fedi.web.entities.encode import encode, flag, id_or_null, raw
from fedi.web.entities.media import MediaUrls, emoji_values, media_value

QuoteShown = Literal[
    "pending", "accepted", "rejected", "revoked", "deleted", "unauthorized", "blocked_account", "muted_account"
]

_VISIBILITIES = frozenset({"public", "unlisted", "private", "direct"})


def render_status_head(
    status: Status, media: Sequence[Media], *, urls: MediaUrls, uris: LocalUris, application: dict[str, Any] | None
) -> bytes:
    """Everything that is the same for every reader, without the closing brace."""
    value: dict[str, Any] = {
        "id": str(status.id),
        "created_at": api_time(status.created_at),
        "in_reply_to_id": id_or_null(status.in_reply_to),
        "in_reply_to_account_id": id_or_null(status.in_reply_to_account),
        "sensitive": status.sensitive,
        "spoiler_text": status.spoiler,
        "visibility": status.visibility if status.visibility in _VISIBILITIES else "private",
        "language": status.language,
        "uri": status.uri,
        "url": status.url or status.uri,
        "edited_at": None if status.edited_at is None else api_time(status.edited_at),
        "content": content_of(status),
        "media_attachments": [media_value(one, urls) for one in media],
        "mentions": [_mention(mention, status.content) for mention in status.mentions],
        "tags": [{"name": tag, "url": uris.tag_page(tag)} for tag in status.tags],
        "emojis": emoji_values(status.emojis, urls),
        "card": None,
    }
    if application is not None:
        value["application"] = application
    return encode(value)[:-1]


def content_of(status: Status) -> str:
    """The HTML, with what clients have no field for: a title above it, the quoted post's address before it."""
    content = status.content
    if status.title and status.kind != "Question":
        content = f"<p><strong>{html.escape(status.title, quote=False)}</strong></p>{content}"
    if status.quote_uri and "quote-inline" not in content:
        href = html.escape(status.quote_uri)
        content = f'<p class="quote-inline">RE: <a href="{href}">{href}</a></p>{content}'
    return content


def _mention(mention: Mention, content: str) -> dict[str, str]:
    """Clients link a mention by comparing its ``url`` with the ``href`` in the text: some servers write the URI there."""
    url = mention.url or mention.uri
    if f'href="{html.escape(url)}"' not in content and f'href="{html.escape(mention.uri)}"' in content:
        url = mention.uri
    return {"id": str(mention.id), "username": mention.username, "url": url, "acct": mention.acct}


def _flags(bits: int) -> bytes:
    return (
        b',"favourited":%b,"reblogged":%b,"bookmarked":%b,"muted":%b,"filtered":[]'
        % (
            flag(bits & details.FAVOURITED),
            flag(bits & details.REBLOGGED),
            flag(bits & details.BOOKMARKED),
            flag(bits & details.MUTED),
        )
    )  # fmt: skip


_FLAGS = tuple(_flags(bits) for bits in range(32))
_PINNED = (b',"pinned":false', b',"pinned":true')
_COUNTS = b',"replies_count":%d,"reblogs_count":%d,"favourites_count":%d,"quotes_count":%d'


def join_status(
    head: bytes,
    of: StatusDetail,
    *,
    viewer: int | None,
    account: bytes,
    counted: StatusDetail | None = None,
    poll: bytes | None = None,
    quote: bytes | None = None,
    reblog: bytes | None = None,
) -> bytes:
    """A whole status. ``counted`` is the boosted one, whose counts and flags a boost shows as its own."""
    shown = counted or of
    return b"".join((
        head,
        _COUNTS % (shown.replies, shown.reblogs, shown.favourites, shown.quotes),
        b"" if viewer is None else _FLAGS[shown.flags],
        _PINNED[of.flags >> 3 & 1] if _is_pinnable(of, viewer) else b"",
        _APPROVALS[of.quote_policy, _quoting(of, viewer)],
        b',"poll":', poll or b"null",
        b',"quote":', quote or b"null",
        b',"reblog":', reblog or b"null",
        b',"account":', account, b"}",
    ))  # fmt: skip


def _is_pinnable(of: StatusDetail, viewer: int | None) -> bool:
    return of.account == viewer and of.reblog_of is None and of.visibility != "direct"


def _quoting(of: StatusDetail, viewer: int | None) -> str:
    """Whether the viewer may quote it."""
    if viewer is None:
        return "unknown"
    if of.account == viewer:
        return "automatic" if of.visibility != "direct" else "denied"
    if of.reblog_of is not None or of.visibility not in {"public", "unlisted"} or of.blocked_by:
        return "denied"
    if of.quote_policy == "public" or (of.quote_policy == "followers" and of.follows):
        return "automatic"
    return "denied"


_AUTOMATIC = {"public": ["public"], "followers": ["followers"], "nobody": []}
_APPROVALS = {
    (policy, current): b',"quote_approval":' + encode({"automatic": automatic, "manual": [], "current_user": current})
    for policy, automatic in _AUTOMATIC.items()
    for current in ("automatic", "manual", "denied", "unknown")
}


def render_quote(state: QuoteShown, status: bytes | None) -> bytes:
    """``status`` only where it may be shown."""
    return encode({"state": state, "quoted_status": None if status is None else raw(status)})


def render_shallow_quote(state: QuoteShown, status: int | None) -> bytes:
    """The quote of a quoted post names it and does not hold it."""
    return encode({"state": state, "quoted_status_id": id_or_null(status)})


def render_source(status: Status) -> bytes:
    return encode({"id": str(status.id), "text": status.source or "", "spoiler_text": status.spoiler})


def render_history(
    edits: Iterable[StatusEdit],
    status: Status,
    *,
    account: bytes,
    media: dict[MediaId, Media],
    attached: Sequence[Media],
    poll: Sequence[str] | None,
    urls: MediaUrls,
) -> bytes:
    """Every version, oldest first, the present one last."""
    emojis = emoji_values(status.emojis, urls)

    def version(at: int, content: str, spoiler: str, *, sensitive: bool) -> dict[str, Any]:
        return {
            "content": content,
            "spoiler_text": spoiler,
            "sensitive": sensitive,
            "created_at": api_time(at),
            "account": raw(account),
            "emojis": emojis,
        }

    versions = []
    for edit in edits:
        value = version(edit.at, edit.content, edit.spoiler, sensitive=edit.sensitive)
        value["media_attachments"] = [
            media_value(media[id_], urls) | {"description": was.description or None}
            for was in edit.media
            if (id_ := MediaId(was.id)) in media
        ]
        value["poll"] = None if edit.poll is None else {"options": [{"title": title} for title in edit.poll]}
        versions.append(value)
    now = version(status.edited_at or status.created_at, content_of(status), status.spoiler, sensitive=status.sensitive)
    now["media_attachments"] = [media_value(one, urls) for one in attached]
    now["poll"] = None if poll is None else {"options": [{"title": title} for title in poll]}
    return encode([*versions, now])


def render_notice(
    *, status_id: int, content: str, created_at: int, page: str, language: str, account: bytes, viewer: int | None
) -> bytes:
    """A status that nobody wrote: the server says what stands at this place and why it is not shown."""
    value: dict[str, Any] = {
        "id": str(status_id),
        "created_at": api_time(created_at),
        "in_reply_to_id": None,
        "in_reply_to_account_id": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": "unlisted",
        "language": language,
        "uri": page,
        "url": page,
        "edited_at": None,
        "content": content,
        "media_attachments": [],
        "mentions": [],
        "tags": [],
        "emojis": [],
        "card": None,
        "replies_count": 0,
        "reblogs_count": 0,
        "favourites_count": 0,
        "quotes_count": 0,
        "poll": None,
        "quote": None,
        "reblog": None,
        "account": raw(account),
    }
    if viewer is not None:
        value |= {"favourited": False, "reblogged": False, "bookmarked": False, "muted": False, "filtered": []}
    value["quote_approval"] = {"automatic": [], "manual": [], "current_user": "denied"}
    return encode(value)
