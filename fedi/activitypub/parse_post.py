"""Posts of every kind, with the habits of the software that writes them."""

from collections.abc import Iterator

from fedi.activitypub.parse_collection import collection_ref
from fedi.activitypub.parse_fields import Fields, language_tag, number
from fedi.activitypub.urls import is_url
from fedi.activitypub.vocab import (
    EmojiTag,
    HashtagTag,
    InteractionPolicy,
    MediaAttachment,
    MentionTag,
    PolicyRule,
    PollOption,
    PollQuestion,
    Post,
)
from fedi.errors import PeerFault
from fedi.ids import Uri

MAX_CONTENT_BYTES = 150_000
MAX_SUMMARY_CHARS = 20_000
MAX_NAME_CHARS = 2_048
MAX_DESCRIPTION_CHARS = 10_000
MAX_SHORTCODE_CHARS = 2_048
MAX_TAG_CHARS = 256
MAX_TAGS = 100
MAX_ATTACHMENTS = 32
MAX_POLL_OPTIONS = 500
MAX_POLICY_IDS = 100
MAX_PIXELS = 1_000_000

_MEDIA_TYPES = frozenset({"Image", "Video", "Audio", "Document"})
_QUOTE_TERMS = ("quote", "quoteUri", "_misskey_quote", "quoteUrl")
_QUOTE_RELS = frozenset(
    {
        "https://misskey-hub.net/ns#_misskey_quote",
        "https://w3id.org/fep/044f#quote",
        "http://fedibird.com/ns#quoteUri",
        "quote",
    }
)
_GOOD_HEIGHT = 720  # of PeerTube's many sizes, the one to show


def post(fields: Fields, kind: str) -> Post:
    """Raises :class:`PeerFault`: ``bad-id``, ``bad-object`` (no owner), ``too-many-recipients``, ``content-too-long``."""
    owner, groups = _owners(fields)
    to, cc, audience = fields.recipients()
    content = fields.text("content", MAX_CONTENT_BYTES + 1)
    if len(content) > MAX_CONTENT_BYTES // 4 and len(content.encode()) > MAX_CONTENT_BYTES:
        raise PeerFault("content-too-long", internal=f"{len(content)} characters")
    content_map = fields.text_map("contentMap", MAX_CONTENT_BYTES)
    source = fields.child("source")
    tags = list(fields.objects("tag"))[:MAX_TAGS]
    attachments, links = _attachments(fields, kind)
    return Post(
        id=fields.required_id(),
        type=kind,
        attributed_to=owner,
        groups=groups,
        content=content,
        content_map=content_map,
        media_type=fields.media_type() or "text/html",
        name=fields.text("name", MAX_NAME_CHARS),
        summary=fields.text("summary", MAX_SUMMARY_CHARS),
        sensitive=fields.flag("sensitive"),
        language=_language(fields, content, content_map),
        source=(source.text("content", MAX_CONTENT_BYTES) if source else "")
        or fields.text("_misskey_content", MAX_CONTENT_BYTES)
        or None,
        source_media_type=source.media_type() if source else None,
        published_at=fields.instant("published"),
        updated_at=fields.instant("updated"),
        in_reply_to=fields.uri("inReplyTo"),
        url=_page_url(fields),
        to=to,
        cc=cc,
        audience=audience,
        mentions=tuple(_mentions(tags)),
        hashtags=tuple(_hashtags(tags)),
        emojis=emojis(tags),
        attachments=attachments,
        links=links,
        poll=_poll(fields) if kind == "Question" else None,
        quote=_quote(fields, tags),
        quote_authorization=fields.uri("quoteAuthorization"),
        conversation=fields.text("conversation", MAX_NAME_CHARS) or None,
        context=fields.uri("context"),
        replies=collection_ref(fields, "replies"),
        likes=collection_ref(fields, "likes"),
        shares=collection_ref(fields, "shares"),
        policy=interaction_policy(fields),
        is_direct_message=fields.flag("directMessage") or fields.flag("litepub:directMessage") or kind == "ChatMessage",
        raw=fields.raw,
    )


def emojis(tags: list[Fields]) -> tuple[EmojiTag, ...]:
    """The custom emoji among tags; one shortcode counts once."""
    found: dict[str, EmojiTag] = {}
    for tag in tags:
        shortcode = tag.text("name", MAX_SHORTCODE_CHARS + 3).strip(":")
        url = tag.url("icon")
        if "Emoji" not in tag.types() or url is None or not _is_shortcode(shortcode):
            continue
        icon = tag.child("icon")
        found.setdefault(
            shortcode,
            EmojiTag(
                shortcode=shortcode,
                url=url,
                id=tag.uri("id"),
                media_type=icon.media_type() if icon else None,
                updated_at=tag.instant("updated"),
            ),
        )
    return tuple(found.values())


def interaction_policy(fields: Fields) -> InteractionPolicy:
    policy = fields.child("interactionPolicy")
    if policy is None:
        return InteractionPolicy()
    return InteractionPolicy(
        can_quote=_rule(policy, "canQuote"),
        can_reply=_rule(policy, "canReply"),
        can_like=_rule(policy, "canLike"),
        can_announce=_rule(policy, "canAnnounce"),
        can_feature=_rule(policy, "canFeature"),
    )


def _rule(policy: Fields, key: str) -> PolicyRule | None:
    """The names before GoToSocial 0.20 were ``always`` and ``approvalRequired``."""
    rule = policy.child(key)
    if rule is None:
        return None
    return PolicyRule(
        automatic=rule.uris("automaticApproval", MAX_POLICY_IDS) or rule.uris("always", MAX_POLICY_IDS),
        manual=rule.uris("manualApproval", MAX_POLICY_IDS) or rule.uris("approvalRequired", MAX_POLICY_IDS),
    )


def _owners(fields: Fields) -> tuple[Uri, tuple[Uri, ...]]:
    """PeerTube names a Person and a Group, in any order: the Person is the author. Otherwise the first one is."""
    owners = fields.uris("attributedTo", 10)
    if not owners:
        actor = fields.uri("actor")  # old ChatMessages
        if actor is None:
            raise PeerFault("bad-object", internal="no attributedTo")
        return actor, ()
    typed = {entry.uri("id"): entry.types() for entry in fields.objects("attributedTo")}
    author = next((owner for owner in owners if "Person" in typed.get(owner, ())), owners[0])
    return author, tuple(owner for owner in owners if owner != author)


def _language(fields: Fields, content: str, content_map: dict[str, str]) -> str | None:
    """From the ``contentMap`` entry that is the content, or ``language`` (Lemmy, PeerTube: ``{identifier, name}``)."""
    if content_map:
        return next((tag for tag, text in content_map.items() if text == content), next(iter(content_map)))
    stated = fields.child("language")
    return language_tag(stated.raw.get("identifier") if stated else fields.raw.get("language"))


def _page_url(fields: Fields) -> str | None:
    """Where to read it: of a list (PeerTube), the HTML link first, then a link that does not say what it is."""
    untyped = None
    for value in fields.values("url"):
        link = Fields(value, fields.rules) if isinstance(value, dict) else None
        kind = link.media_type() if link else None
        href = (link.url("href") or link.url("url")) if link else value
        if not isinstance(href, str) or not is_url(href, fields.rules):
            continue
        if kind == "text/html":
            return href
        if kind is None and untyped is None:
            untyped = href
    return untyped


def _mentions(tags: list[Fields]) -> Iterator[MentionTag]:
    for tag in tags:
        href = tag.uri("href")
        if "Mention" in tag.types() and href is not None:
            yield MentionTag(href=href, name=tag.text("name", MAX_NAME_CHARS))


def _hashtags(tags: list[Fields]) -> Iterator[HashtagTag]:
    for tag in tags:
        name = tag.text("name", MAX_TAG_CHARS).strip().removeprefix("#")
        if "Hashtag" in tag.types() and name and not any(c.isspace() or c == "#" for c in name):
            yield HashtagTag(name=name, href=tag.url("href"))


def _quote(fields: Fields, tags: list[Fields]) -> Uri | None:
    for term in _QUOTE_TERMS:
        uri = fields.uri(term)
        if uri is not None:
            return uri
    for tag in tags:  # FEP-e232
        rels = {rel for rel in tag.values("rel") if isinstance(rel, str)}
        is_document = tag.media_type() in {"application/ld+json", "application/activity+json"}
        if "Link" in tag.types() and is_document and (rels & _QUOTE_RELS or tag.text("name", 10).startswith("RE:")):
            return tag.uri("href")
    return None


def _poll(fields: Fields) -> PollQuestion | None:
    key = "oneOf" if fields.values("oneOf") else "anyOf"
    options = []
    for choice in list(fields.objects(key))[:MAX_POLL_OPTIONS]:
        replies = choice.child("replies")
        votes = replies.count("totalItems") if replies else None
        options.append(PollOption(name=choice.text("name", MAX_NAME_CHARS), votes=votes or 0))
    if not options:
        return None
    closed_at = fields.instant("closed")
    return PollQuestion(
        multiple=key == "anyOf",
        options=tuple(options),
        end_at=fields.instant("endTime"),
        closed_at=closed_at,
        is_closed=closed_at is not None or fields.flag("closed"),
        voters=fields.count("votersCount"),
    )


def _attachments(fields: Fields, kind: str) -> tuple[tuple[MediaAttachment, ...], tuple[str, ...]]:
    """Media and plain links. Besides ``attachment`` media hide in ``url`` (PeerTube) and ``image`` (Lemmy, articles)."""
    media: list[MediaAttachment] = []
    links: list[str] = []
    for entry in list(fields.objects("attachment"))[:MAX_ATTACHMENTS]:
        types = set(entry.types())
        url = entry.url("url") or entry.url("href")
        if url is None:
            continue
        if "Link" in types and not (entry.media_type() or "").startswith(("image/", "video/", "audio/")):
            links.append(url)
        elif types & (_MEDIA_TYPES | {"Link"}):
            media.append(_medium(entry, next(iter(types & _MEDIA_TYPES), "Document"), url))
    own = _own_medium(fields, kind)
    if own is not None and all(own.url != other.url for other in media):
        media.insert(0, own)
    picture = fields.child("image")
    if not media and picture is not None and (url := picture.url("url")) is not None:
        media.append(_medium(picture, "Image", url))
    return tuple(media), tuple(links)


def _own_medium(fields: Fields, kind: str) -> MediaAttachment | None:
    """The film, sound or picture that a Video, Audio or Image itself is."""
    if kind not in {"Video", "Audio", "Image"}:
        return None
    files = [link for link in _links(fields, "url", 3) if (link.media_type() or "").startswith(f"{kind.lower()}/")]
    if not files:
        return None
    best = min(files, key=lambda link: abs((link.count("height") or 0) - _GOOD_HEIGHT))
    href = best.url("href")
    return _medium(fields, kind, href, file=best) if href else None


def _links(fields: Fields, key: str, depth: int) -> Iterator[Fields]:
    """Links, also those that PeerTube nests in the ``tag`` of a playlist."""
    for link in list(fields.objects(key))[:MAX_TAGS]:
        yield link
        if depth > 1:
            yield from _links(link, "tag", depth - 1)


def _medium(entry: Fields, kind: str, url: str, file: Fields | None = None) -> MediaAttachment:
    sizes = file or entry
    width, height = sizes.count("width"), sizes.count("height")
    return MediaAttachment(
        type=kind,
        url=url,
        media_type=_file_type(sizes) or _FILE_TYPES.get(url.partition("?")[0].rpartition(".")[2].lower()),
        description=_description(entry),
        blurhash=entry.text("blurhash", 200) or None,
        focal_point=_focal_point(entry),
        width=width if width and width <= MAX_PIXELS else None,
        height=height if height and height <= MAX_PIXELS else None,
        preview_url=entry.url("icon") if kind != "Image" else None,
    )


# What a name that ends so holds, where nobody says what it is; what it really is, its bytes will tell.
_FILE_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
}


def _file_type(entry: Fields) -> str | None:
    link = entry.child("url")
    return entry.media_type() or (link.media_type() if link else None)


def _description(entry: Fields) -> str:
    """The text for those who cannot see it; GoToSocial puts it into ``summary``."""
    return entry.text("name", MAX_DESCRIPTION_CHARS) or entry.text("summary", MAX_DESCRIPTION_CHARS)


def _focal_point(entry: Fields) -> tuple[float, float] | None:
    point = entry.raw.get("focalPoint")
    if not isinstance(point, list) or len(point) != 2:
        return None
    x, y = number(point[0]), number(point[1])
    if x is None or y is None or not (-1 <= x <= 1 and -1 <= y <= 1):
        return None
    return float(x), float(y)


def _is_shortcode(text: str) -> bool:
    return 0 < len(text) <= MAX_SHORTCODE_CHARS and not any(c.isspace() or c in ":<>&\"'" for c in text)
