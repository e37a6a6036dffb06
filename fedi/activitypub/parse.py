"""From a JSON object of a stranger to a typed value. Raises nothing but :class:`PeerFault`.

Ids and texts come out as they were written; nothing here decides whether their author may say so (that is the
authority gate).
"""

from collections.abc import Mapping
from typing import Any

from fedi.activitypub.parse_actor import actor, key_document
from fedi.activitypub.parse_collection import collection, page
from fedi.activitypub.parse_context import check_context
from fedi.activitypub.parse_fields import Fields
from fedi.activitypub.parse_post import MAX_CONTENT_BYTES, MAX_NAME_CHARS, MAX_TAGS, emojis, post
from fedi.activitypub.urls import STRICT, UrlRules
from fedi.activitypub.vocab import (
    ACTOR_TYPES,
    COLLECTION_PAGE_TYPES,
    COLLECTION_TYPES,
    POST_TYPES,
    PUBLIC,
    Activity,
    ActorDocument,
    Collection,
    CollectionPage,
    Embedded,
    KeyDocument,
    ObjectRef,
    ParsedObject,
    Post,
    QuoteAuthorization,
    Tombstone,
)
from fedi.errors import PeerFault
from fedi.ids import Uri
from fedi.model.statuses import Visibility

MAX_OBJECTS = 1_000
MAX_REACTION_CHARS = 512

Document = Mapping[str, Any]


def parse_activity(document: Document, rules: UrlRules = STRICT) -> Activity:
    """An activity as it arrives in an inbox: one actor, and a context that names ActivityStreams.

    Raises :class:`PeerFault`: ``bad-context``, ``bad-id``, ``bad-actor``, ``bad-type``, ``too-many-recipients``, and
    what :func:`parse_object` raises for objects carried in full.
    """
    check_context(document)
    return _activity(Fields(document, rules), _first_type(document))


def parse_object(document: Document, rules: UrlRules = STRICT, *, is_top: bool = True) -> ParsedObject:
    """Any object by its type; types we do not interpret become :class:`Embedded`. ``is_top``: as fetched, so that it
    must name ActivityStreams itself.

    Raises :class:`PeerFault`: ``bad-context``, ``bad-id``, ``bad-object``, ``bad-actor``, ``content-too-long``,
    ``too-many-recipients``.
    """
    check_context(document, required=is_top)
    return _object(Fields(document, rules))


def parse_post(document: Document, rules: UrlRules = STRICT) -> Post:
    """A post as fetched. Raises :class:`PeerFault`, also ``bad-type`` when it is something else."""
    found = parse_object(document, rules)
    if not isinstance(found, Post):
        raise PeerFault("bad-type", internal="not a post")
    return found


def parse_actor(document: Document, rules: UrlRules = STRICT) -> ActorDocument:
    """An actor as fetched. Raises :class:`PeerFault`, also ``bad-type`` when it is something else."""
    found = parse_object(document, rules)
    if not isinstance(found, ActorDocument):
        raise PeerFault("bad-type", internal="not an actor")
    return found


def parse_collection(document: Document, rules: UrlRules = STRICT) -> Collection | CollectionPage:
    """A collection or a page of one, as fetched. Raises :class:`PeerFault`, also ``bad-type``."""
    found = parse_object(document, rules)
    if not isinstance(found, Collection | CollectionPage):
        raise PeerFault("bad-type", internal="not a collection")
    return found


def parse_key_document(document: Document, rules: UrlRules = STRICT) -> KeyDocument:
    """What a keyId leads to: a key, an actor, or a stub of one; no context is needed. Raises :class:`PeerFault`."""
    check_context(document, required=False)
    return key_document(Fields(document, rules))


def visibility_of(to: tuple[Uri, ...], cc: tuple[Uri, ...], followers: str | None) -> Visibility:
    """Who may see a remote post, from its addressing alone. ``followers`` is its author's collection."""
    if PUBLIC in to:
        return "public"
    if PUBLIC in cc:
        return "unlisted"
    if followers is not None and (followers in to or followers in cc):
        return "private"
    return "direct"


def _first_type(document: Document) -> str:
    kinds = Fields(document, STRICT).types()
    if not kinds:
        raise PeerFault("bad-type", internal="no type")
    return kinds[0][:MAX_NAME_CHARS]


def _activity(fields: Fields, kind: str) -> Activity:
    to, cc, audience = fields.recipients()
    actor_id = fields.required_uri("actor")
    if actor_id == PUBLIC:
        raise PeerFault("bad-actor", internal="the Public collection acts for nobody")
    return Activity(
        id=fields.id(),
        type=kind,
        actor=actor_id,
        objects=_refs(fields, "object"),
        target=_ref(fields, "target"),
        instrument=_ref(fields, "instrument"),
        result=_ref(fields, "result"),
        to=to,
        cc=cc,
        audience=audience,
        published_at=fields.instant("published"),
        updated_at=fields.instant("updated"),
        content=fields.text("content", MAX_CONTENT_BYTES),
        reaction=(fields.text("_misskey_reaction", MAX_REACTION_CHARS) or fields.text("content", MAX_REACTION_CHARS))
        if kind in {"Like", "EmojiReact"}
        else None,
        emojis=emojis(list(fields.objects("tag"))[:MAX_TAGS]),
        raw=fields.raw,
    )


def _refs(fields: Fields, key: str) -> tuple[ObjectRef, ...]:
    return tuple(
        ref
        for value in fields.values(key)[:MAX_OBJECTS]
        if (ref := _one_ref(value, fields.rules)) is not None
    )  # fmt: skip


def _ref(fields: Fields, key: str) -> ObjectRef | None:
    if key not in fields.raw:
        return None
    return next(iter(_refs(fields, key)), None)


def _one_ref(value: object, rules: UrlRules) -> ObjectRef | None:
    if isinstance(value, dict):
        check_context(value, required=False)
        return _object(Fields(value, rules))
    return Fields({"ref": value}, rules).uri("ref")


def _object(fields: Fields) -> ParsedObject:
    kinds = fields.types()
    for kind in kinds:
        # Delete, Flag and Undo often carry scraps, good for their id alone.
        if kind in POST_TYPES:
            is_whole = bool(fields.values("id") and (fields.values("attributedTo") or fields.values("actor")))
            return post(fields, kind) if is_whole else _embedded(fields, kind)
        if kind in ACTOR_TYPES:
            return actor(fields, kind) if fields.values("inbox") else _embedded(fields, kind)
        if kind in COLLECTION_TYPES:
            return collection(fields, kind)
        if kind in COLLECTION_PAGE_TYPES:
            return page(fields, kind)
        if kind == "Tombstone":
            return _tombstone(fields)
        if kind == "QuoteAuthorization":
            return _quote_authorization(fields)
    if kinds and fields.values("actor"):
        return _activity(fields, kinds[0][:MAX_NAME_CHARS])
    return _embedded(fields, next(iter(kinds), "")[:MAX_NAME_CHARS])


def _embedded(fields: Fields, kind: str) -> Embedded:
    return Embedded(id=fields.id(), type=kind, raw=fields.raw)


def _tombstone(fields: Fields) -> Tombstone:
    return Tombstone(
        id=fields.required_id(),
        former_type=fields.text("formerType", MAX_NAME_CHARS) or None,
        deleted_at=fields.instant("deleted"),
    )


def _quote_authorization(fields: Fields) -> QuoteAuthorization:
    return QuoteAuthorization(
        id=fields.required_id(),
        attributed_to=fields.required_uri("attributedTo"),
        interacting_object=fields.required_uri("interactingObject"),
        interaction_target=fields.required_uri("interactionTarget"),
    )
