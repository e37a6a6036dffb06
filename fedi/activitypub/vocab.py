"""What we read from other servers, as typed values. Made by :mod:`fedi.activitypub.parse` and never by hand.

Texts are as their origin wrote them: cut to their limits, but not yet cleaned HTML. Ids are checked URLs, unchanged.
Instants (``_at``) are milliseconds since 1970. ``raw`` is the object as received, for what we do not interpret.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fedi.ids import Uri
from fedi.model.accounts import ActorKind

AS2 = "https://www.w3.org/ns/activitystreams"
PUBLIC = Uri(f"{AS2}#Public")

ACTOR_TYPES = frozenset({"Person", "Service", "Group", "Organization", "Application"})
POST_TYPES = frozenset(
    {"Note", "Article", "Page", "Question", "Image", "Video", "Audio", "Event", "ChatMessage"}
)  # fmt: skip
COLLECTION_TYPES = frozenset({"Collection", "OrderedCollection"})
COLLECTION_PAGE_TYPES = frozenset({"CollectionPage", "OrderedCollectionPage"})

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """An object carried in full whose type is not interpreted here. ``id`` is None where it has none."""

    id: Uri | None
    type: str
    raw: Raw = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    id: Uri
    former_type: str | None = None
    deleted_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteAuthorization:
    """The proof that ``interaction_target`` may be quoted by ``interacting_object`` (FEP-044f)."""

    id: Uri
    attributed_to: Uri
    interacting_object: Uri
    interaction_target: Uri


@dataclass(frozen=True, slots=True, kw_only=True)
class MentionTag:
    href: Uri
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HashtagTag:
    """``name`` is without ``#``, as written."""

    name: str
    href: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmojiTag:
    """``shortcode`` is without colons. Pleroma's have no id."""

    shortcode: str
    url: str
    id: Uri | None = None
    media_type: str | None = None
    updated_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaAttachment:
    """``type`` is Image, Video, Audio or Document. The focal point runs from -1 to 1."""

    type: str
    url: str
    media_type: str | None = None
    description: str = ""
    blurhash: str | None = None
    focal_point: tuple[float, float] | None = None
    width: int | None = None
    height: int | None = None
    preview_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOption:
    name: str
    votes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PollQuestion:
    multiple: bool
    options: tuple[PollOption, ...]
    end_at: int | None = None
    closed_at: int | None = None
    is_closed: bool = False
    voters: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRef:
    """A collection as a post mentions it: by id, with its count and the first ids where they are inlined."""

    id: Uri | None = None
    total_items: int | None = None
    items: tuple[Uri, ...] = ()
    next: Uri | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """Who may at once, and who may ask: ids of actors, of followers collections, or Public."""

    automatic: tuple[Uri, ...] = ()
    manual: tuple[Uri, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionPolicy:
    """None where the author does not say (GoToSocial, FEP-044f, FEP-7aa9)."""

    can_quote: PolicyRule | None = None
    can_reply: PolicyRule | None = None
    can_like: PolicyRule | None = None
    can_announce: PolicyRule | None = None
    can_feature: PolicyRule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A Note, Article, Page, Question, Image, Video, Audio, Event or ChatMessage.

    ``content`` is untrusted text of ``media_type`` (HTML unless said otherwise). ``url`` is where people may read
    it: for display, never as identity. ``groups`` are the further owners that PeerTube and Lemmy name.
    """

    id: Uri
    type: str
    attributed_to: Uri
    groups: tuple[Uri, ...] = ()
    content: str = ""
    content_map: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "text/html"
    name: str = ""
    summary: str = ""
    sensitive: bool = False
    language: str | None = None
    source: str | None = None
    source_media_type: str | None = None
    published_at: int | None = None
    updated_at: int | None = None
    in_reply_to: Uri | None = None
    url: str | None = None
    to: tuple[Uri, ...] = ()
    cc: tuple[Uri, ...] = ()
    audience: tuple[Uri, ...] = ()
    mentions: tuple[MentionTag, ...] = ()
    hashtags: tuple[HashtagTag, ...] = ()
    emojis: tuple[EmojiTag, ...] = ()
    attachments: tuple[MediaAttachment, ...] = ()
    links: tuple[str, ...] = ()
    poll: PollQuestion | None = None
    quote: Uri | None = None
    quote_authorization: Uri | None = None
    conversation: str | None = None
    context: Uri | None = None
    replies: CollectionRef | None = None
    likes: CollectionRef | None = None
    shares: CollectionRef | None = None
    policy: InteractionPolicy = InteractionPolicy()
    is_direct_message: bool = False
    raw: Raw = field(repr=False)

    @property
    def vote_name(self) -> str | None:
        """The chosen option, if this is a vote: a Note with a name that answers something and says nothing."""
        if self.type == "Note" and self.name and self.in_reply_to and not self.content and not self.attachments:
            return self.name
        return None

    @property
    def recipients(self) -> tuple[Uri, ...]:
        return tuple(dict.fromkeys(self.to + self.cc + self.audience))


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedKey:
    """A key as a document shows it: ``pem`` (publicKey) or ``multibase`` (FEP-521a). ``owner`` is only its claim."""

    id: Uri
    owner: Uri
    pem: str | None = None
    multibase: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDocument:
    """What is found behind a keyId: a key of its own, or an actor-shaped stub (GoToSocial).

    ``id`` and ``owner`` differ for a key of its own and are equal for an actor.
    """

    id: Uri
    owner: Uri
    keys: tuple[PublishedKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorField:
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorDocument:
    """An actor. ``key_ids`` are all keys it claims, also those it shows only by id."""

    id: Uri
    type: ActorKind
    username: str
    inbox: Uri
    shared_inbox: Uri | None = None
    outbox: Uri | None = None
    followers: Uri | None = None
    following: Uri | None = None
    featured: Uri | None = None
    featured_tags: Uri | None = None
    name: str = ""
    summary: str = ""
    url: str | None = None
    icon: str | None = None
    icon_description: str = ""
    image: str | None = None
    image_description: str = ""
    fields: tuple[ActorField, ...] = ()
    emojis: tuple[EmojiTag, ...] = ()
    keys: tuple[PublishedKey, ...] = ()
    key_ids: tuple[Uri, ...] = ()
    also_known_as: tuple[Uri, ...] = ()
    moved_to: Uri | None = None
    attribution_domains: tuple[str, ...] = ()
    webfinger: str | None = None
    manually_approves_followers: bool = False
    discoverable: bool = False
    indexable: bool = False
    memorial: bool = False
    suspended: bool = False
    published_at: int | None = None
    updated_at: int | None = None
    implements: tuple[str, ...] = ()
    policy: InteractionPolicy = InteractionPolicy()
    raw: Raw = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionPage:
    """``items`` are ids, or objects that are only hints until fetched at their own origin."""

    id: Uri | None
    type: str
    part_of: Uri | None = None
    items: tuple[Uri | Embedded, ...] = ()
    next: Uri | None = None
    prev: Uri | None = None
    total_items: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    id: Uri | None
    type: str
    total_items: int | None = None
    items: tuple[Uri | Embedded, ...] = ()
    first: Uri | CollectionPage | None = None
    attributed_to: Uri | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """``objects`` may be ids or whole objects; most activities have exactly one (see ``object``).

    ``id`` is None only for the activities of old software that sends Follow and the like without one.
    """

    id: Uri | None
    type: str
    actor: Uri
    objects: "tuple[ObjectRef, ...]" = ()
    target: "ObjectRef | None" = None
    instrument: "ObjectRef | None" = None
    result: "ObjectRef | None" = None
    to: tuple[Uri, ...] = ()
    cc: tuple[Uri, ...] = ()
    audience: tuple[Uri, ...] = ()
    published_at: int | None = None
    updated_at: int | None = None
    content: str = ""
    reaction: str | None = None
    emojis: tuple[EmojiTag, ...] = ()
    raw: Raw = field(repr=False)

    @property
    def object(self) -> "ObjectRef | None":
        return self.objects[0] if self.objects else None

    @property
    def object_id(self) -> Uri | None:
        return id_of(self.object)

    @property
    def recipients(self) -> tuple[Uri, ...]:
        return tuple(dict.fromkeys(self.to + self.cc + self.audience))


ParsedObject = Post | ActorDocument | Activity | Collection | CollectionPage | Tombstone | QuoteAuthorization | Embedded
ObjectRef = Uri | ParsedObject


def id_of(ref: ObjectRef | None) -> Uri | None:
    """The id of what is referred to, whether by id or in full."""
    return Uri(ref) if isinstance(ref, str) else ref.id if ref is not None else None
