"""From a parsed post to the rows of a status: clean HTML, known accounts, media, poll. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from fedi.activitypub.parse import visibility_of
from fedi.activitypub.vocab import PUBLIC, MediaAttachment, Post
from fedi.ids import AccountId, MediaId, StatusId
from fedi.inbox.actors import emoji_refs
from fedi.model.media import Extent, Media, MediaKind, MediaMeta
from fedi.model.polls import Poll, PollOption
from fedi.model.statuses import Addressed, Mention, QuotePolicy, QuoteState, Status
from fedi.store.inbox import ActorBrief, Addressee, StatusBrief
from fedi.text import clean_content, html_to_text

MAX_SPOILER_CHARS = 2_000
_TEXT_KINDS = frozenset({"Note", "Question", "ChatMessage"})  # their summary is a content warning


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a post quotes and whether it may: ``of`` is None while we do not have it."""

    uri: str
    of: StatusId | None
    state: QuoteState
    authorization: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPost:
    """The rows of one post."""

    status: Status
    addressed: tuple[Addressed, ...]
    media: tuple[Media, ...]
    poll: Poll | None


def rows_of(
    post: Post,
    *,
    n: StatusId,
    author: ActorBrief,
    parent: StatusBrief | None,
    addressees: Sequence[Addressee],
    quote: Quote | None,
    now_ms: int,
    new_media_id: Callable[[], int],
) -> NewPost:
    """``addressees`` are those accounts we know among the post's recipients and mentions."""
    named = {tag.href for tag in post.mentions}
    mentions = tuple(_mention(one) for one in addressees if one.uri in named or (one.url and one.url in named))
    mentioned = {mention.id for mention in mentions}
    media = tuple(
        _media(item, n, author.id, at, now_ms=now_ms, new_id=new_media_id) for at, item in enumerate(post.attachments)
    )
    poll = _poll(post, n)
    status = Status(
        id=n,
        uri=post.id,
        account=author.id,
        local=False,
        kind=post.type,
        visibility=visibility_of(post.to, post.cc, author.followers_uri),
        title=post.name or None,
        content=_content(post),
        spoiler=_spoiler(post),
        sensitive=post.sensitive or bool(_spoiler(post)),
        language=post.language,
        url=post.url or post.id,
        in_reply_to=parent.id if parent else None,
        in_reply_to_uri=post.in_reply_to,
        in_reply_to_account=parent.account if parent else None,
        thread=parent.thread if parent else n,
        conversation_uri=post.context or post.conversation,
        quote_uri=quote.uri if quote else None,
        quote_of=quote.of if quote else None,
        quote_state=quote.state if quote else None,
        quote_authorization=quote.authorization if quote else None,
        quote_policy=_quote_policy(post, author.followers_uri),
        mentions=mentions,
        tags=tuple(dict.fromkeys(tag.name for tag in post.hashtags)),
        emojis=emoji_refs(post.emojis),
        has_media=bool(media),
        poll=n if poll else None,
        created_at=min(post.published_at or now_ms, now_ms),
        edited_at=_edited_at(post, now_ms),
        fetched_at=now_ms,
        replies_uri=post.replies.id if post.replies else None,
    )
    addressed = tuple(
        Addressed(account=one.id, silent=one.id not in mentioned) for one in addressees if one.id != author.id
    )
    return NewPost(status=status, addressed=addressed, media=media, poll=poll)


def named_uris(post: Post, followers: str | None) -> set[str]:
    """Whom a post names: recipients and mentions, without the Public collection and its author's ``followers``."""
    named: set[str] = {*post.recipients, *(tag.href for tag in post.mentions)}
    return named - {PUBLIC, followers}


def _content(post: Post) -> str:
    content = str(clean_content(post.content, post.media_type))
    missing = [link for link in post.links if escape(link) not in content and link not in content]
    return content + "".join(_link(link) for link in missing[:4])


def _link(url: str) -> str:
    shown = escape(url)
    return f'<p><a href="{shown}" rel="nofollow noopener" target="_blank">{shown}</a></p>'


def _spoiler(post: Post) -> str:
    if post.type not in _TEXT_KINDS or not post.summary:
        return ""
    text = html_to_text(post.summary) if "<" in post.summary or "&" in post.summary else post.summary
    return text.strip()[:MAX_SPOILER_CHARS]


def _edited_at(post: Post, now_ms: int) -> int | None:
    if post.updated_at is None or (post.published_at is not None and post.updated_at <= post.published_at):
        return None
    return min(post.updated_at, now_ms)


def _quote_policy(post: Post, followers: str | None) -> QuotePolicy:
    """Absent means that nobody asked the author: read as nobody (FEP-044f)."""
    rule = post.policy.can_quote
    allowed = rule.automatic if rule else ()
    if PUBLIC in allowed:
        return "public"
    return "followers" if followers is not None and followers in allowed else "nobody"


def _mention(one: Addressee) -> Mention:
    acct = one.username if one.local else f"{one.username}@{one.domain}"
    return Mention(id=one.id, username=one.username, acct=acct, url=one.url, uri=one.uri)


def _media(
    item: MediaAttachment, n: StatusId, account: AccountId, at: int, *, now_ms: int, new_id: Callable[[], int]
) -> Media:
    size = Extent(width=item.width, height=item.height) if item.width and item.height else None
    focus_x, focus_y = item.focal_point or (None, None)
    return Media(
        id=MediaId(new_id()),
        account=account,
        status=n,
        position=at,
        kind=_media_kind(item),
        content_type=item.media_type or "",
        state="remote",
        remote_url=item.url,
        preview_remote_url=item.preview_url,
        description=item.description,
        blurhash=item.blurhash,
        focus_x=focus_x,
        focus_y=focus_y,
        meta=MediaMeta(original=size),
        created_at=now_ms,
    )


def _media_kind(item: MediaAttachment) -> MediaKind:
    family = (item.media_type or "").partition("/")[0]
    named: dict[str, MediaKind] = {"image": "image", "video": "video", "audio": "audio"}
    return named.get(family) or named.get(item.type.lower(), "unknown")


def _poll(post: Post, n: StatusId) -> Poll | None:
    if post.poll is None:
        return None
    return Poll(
        id=n,
        multiple=post.poll.multiple,
        expires_at=post.poll.end_at,
        closed_at=post.poll.closed_at,
        voters=post.poll.voters,
        options=tuple(PollOption(title=option.name, votes=option.votes) for option in post.poll.options),
    )


def choices_of(poll: Poll, names: Iterable[str]) -> list[int] | None:
    """The options that votes name; None if one of them is not on the ballot."""
    titles = [option.title for option in poll.options]
    try:
        return [titles.index(name) for name in names]
    except ValueError:
        return None
