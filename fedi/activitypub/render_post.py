"""Our posts as ActivityPub objects, in the shape that Mastodon, Misskey, Pixelfed and GoToSocial all read.

Single values stay single (``inReplyTo``, ``url``, ``attributedTo``), lists stay lists even with one item, and the
audience of an activity is that of its object: peers drop what differs.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fedi.activitypub.addressing import PUBLIC, Audience
from fedi.activitypub.uris import LocalUris
from fedi.clock import wire_time
from fedi.model.accounts import Account
from fedi.model.emojis import EmojiRef
from fedi.model.media import Media, MediaKind
from fedi.model.polls import Poll
from fedi.model.statuses import Status, StatusStats
from fedi.text import html_to_text

OWN_REPLIES_INLINE = 5
EXCERPT_CHARS = 2000
PREVIEW_CHARS = 500

_TYPE_OF: Mapping[MediaKind, str] = {
    "image": "Image",
    "gifv": "Video",
    "video": "Video",
    "audio": "Audio",
    "unknown": "Document",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostView:
    """A local post with everything its document shows. ``audience`` is what it was addressed to; ``own_replies`` are
    URIs of the author's first replies to it; ``media_base`` is where paths of media begin, with a slash at its end."""

    status: Status
    author: Account
    audience: Audience
    media: tuple[Media, ...] = ()
    poll: Poll | None = None
    stats: StatusStats | None = None
    own_replies: tuple[str, ...] = ()
    media_base: str = ""


def render_post(view: PostView, uris: LocalUris, now_ms: int, *, excerpt: bool = False) -> dict[str, Any]:
    """The object without its ``@context``. ``excerpt``: the beginning and a link instead of the whole text."""
    status, author = view.status, view.author
    content = _excerpt(status) if excerpt else quote_line(status) + status.content
    document: dict[str, Any] = {
        "id": status.uri,
        "type": status.kind,
        "summary": status.spoiler or None,
        "inReplyTo": status.in_reply_to_uri,
        "published": wire_time(status.created_at),
    }
    if status.title is not None:
        document["name"] = status.title
    if status.edited_at is not None:
        document["updated"] = wire_time(status.edited_at)
    document |= {
        "url": status.url or uris.status_page(author.username, status.id),
        "attributedTo": author.uri,
        "to": list(view.audience.to),
        "cc": list(view.audience.cc),
        "sensitive": status.sensitive,
    }
    document |= _conversation(status)
    document["content"] = content
    if status.language is not None:
        document["contentMap"] = {status.language: content}
    if status.source is not None and not excerpt:
        document["source"] = {"content": status.source, "mediaType": "text/plain"}
    document["attachment"] = [_attachment(media, view.media_base) for media in view.media]
    document["tag"] = _tags(status, uris, view.media_base)
    if view.poll is not None:
        document |= _poll(view.poll, now_ms)
    if status.kind == "Article":
        document["preview"] = _preview(status)
    if status.visibility in {"public", "unlisted"}:
        document |= _collections(view, uris)
    document["interactionPolicy"] = _interaction_policy(view)
    if status.quote_uri is not None:
        document |= {"quote": status.quote_uri, "quoteUri": status.quote_uri, "_misskey_quote": status.quote_uri}
        if status.quote_authorization is not None:
            document["quoteAuthorization"] = status.quote_authorization
    if status.visibility == "direct":
        document["directMessage"] = True
    return document


def render_vote(*, uri: str, voter: str, poll_uri: str, poll_author: str, choice: str) -> dict[str, Any]:
    """A vote is a Note with a name that answers the question and says nothing (FEP-9967); one for each choice."""
    return {
        "id": uri,
        "type": "Note",
        "name": choice,
        "attributedTo": voter,
        "inReplyTo": poll_uri,
        "to": [poll_author],
        "cc": [],
    }


def quote_line(status: Status) -> str:
    """For servers that know no quotes: a line that those which do leave out."""
    if status.quote_uri is None:
        return ""
    href = html.escape(status.quote_uri)
    return f'<p class="quote-inline">RE: <a href="{href}">{href}</a></p>'


def _conversation(status: Status) -> dict[str, str]:
    if status.conversation_uri is None:
        return {}
    found = {"conversation": status.conversation_uri}
    if status.conversation_uri.startswith(("https://", "http://")):
        found["context"] = status.conversation_uri
    return found


def _excerpt(status: Status) -> str:
    text = html_to_text(status.content)
    cut = text[:EXCERPT_CHARS].rsplit(maxsplit=1)[0] if len(text) > EXCERPT_CHARS else text
    href = html.escape(status.url or status.uri)
    return f'<p>{html.escape(cut, quote=False).replace(chr(10), "<br>")} …</p><p><a href="{href}">{href}</a></p>'


def _preview(status: Status) -> dict[str, Any]:
    """What servers that show no long texts may show instead (FEP-b2b8)."""
    text = html_to_text(status.content)
    short = text if len(text) <= PREVIEW_CHARS else text[:PREVIEW_CHARS].rsplit(maxsplit=1)[0] + " …"
    return {"type": "Note", "content": f"<p>{html.escape(short, quote=False)}</p>"}


def _attachment(media: Media, base: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": _TYPE_OF[media.kind],
        "mediaType": media.content_type,
        "url": absolute(media.path or media.remote_url or "", base),
        "name": media.description or None,
        "summary": media.description or None,  # GoToSocial reads this first
    }
    if media.blurhash is not None:
        found["blurhash"] = media.blurhash
    if media.focus_x is not None and media.focus_y is not None:
        found["focalPoint"] = [media.focus_x, media.focus_y]
    size = media.meta.original
    if size is not None and size.width and size.height:
        found |= {"width": size.width, "height": size.height}
    return found


def _tags(status: Status, uris: LocalUris, base: str) -> list[dict[str, Any]]:
    tags: list[dict[str, Any]] = []
    for mention in status.mentions:
        acct = mention.acct if "@" in mention.acct else uris.handle(mention.acct)
        tags.append({"type": "Mention", "href": mention.uri, "name": f"@{acct}"})
    tags += [{"type": "Hashtag", "href": uris.tag_page(tag), "name": f"#{tag}"} for tag in status.tags]
    return tags + [render_emoji(emoji, uris, base) for emoji in status.emojis]


def render_emoji(emoji: EmojiRef, uris: LocalUris, base: str, *, updated_at: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": uris.emoji(emoji.shortcode),
        "type": "Emoji",
        "name": f":{emoji.shortcode}:",
        "icon": {"type": "Image", "mediaType": image_type(emoji.url), "url": absolute(emoji.url, base)},
    }
    if updated_at is not None:
        found["updated"] = wire_time(updated_at)
    return found


def _poll(poll: Poll, now_ms: int) -> dict[str, Any]:
    options = [
        {"type": "Note", "name": option.title, "replies": {"type": "Collection", "totalItems": option.votes}}
        for option in poll.options
    ]
    found: dict[str, Any] = {"anyOf" if poll.multiple else "oneOf": options}
    if poll.expires_at is not None:
        found["endTime"] = wire_time(poll.expires_at)
    if poll.is_closed(now_ms):
        found["closed"] = wire_time(poll.closed_at or poll.expires_at or now_ms)
    if poll.voters is not None:
        found["votersCount"] = poll.voters
    return found


def _collections(view: PostView, uris: LocalUris) -> dict[str, Any]:
    name, status_id = view.author.username, view.status.id
    stats = view.stats or StatusStats(status=status_id)
    return {
        "replies": render_replies(uris.replies(name, status_id), view.own_replies),
        "likes": {"id": uris.likes(name, status_id), "type": "Collection", "totalItems": stats.favourites},
        "shares": {"id": uris.shares(name, status_id), "type": "Collection", "totalItems": stats.reblogs},
    }


def render_replies(uri: str, own_replies: tuple[str, ...], total: int | None = None) -> dict[str, Any]:
    """With its first page inside: the author's own replies; the next page holds those of others."""
    found: dict[str, Any] = {"id": uri, "type": "Collection"}
    if total is not None:
        found["totalItems"] = total
    found["first"] = {
        "type": "CollectionPage",
        "next": f"{uri}?only_other_accounts=true&page=true",
        "partOf": uri,
        "items": list(own_replies[:OWN_REPLIES_INLINE]),
    }
    return found


def _interaction_policy(view: PostView) -> dict[str, Any]:
    """A hint who may quote it without being asked; the stamp is the proof. Nobody is written as the author alone,
    since an empty list says nothing at all."""
    status, author = view.status, view.author
    allowed: str = author.uri
    if status.visibility in {"public", "unlisted"}:
        if status.quote_policy == "public":
            allowed = PUBLIC
        elif status.quote_policy == "followers":
            allowed = author.followers_uri or author.uri
    return {"canQuote": {"automaticApproval": [allowed]}}


def absolute(path: str, base: str) -> str:
    return path if path.startswith(("https://", "http://")) else base + path.removeprefix("/media/").lstrip("/")


def image_type(path: str) -> str:
    """By the ending of the name we gave the file ourselves."""
    ending = path.rpartition(".")[2].lower()
    return {"jpg": "image/jpeg", "svg": "image/svg+xml"}.get(ending) or (
        f"image/{ending}" if ending in {"png", "jpeg", "gif", "webp", "avif"} else "image/png"
    )
