"""Actors and the keys they publish."""

import re
from collections.abc import Iterator
from typing import cast

from fedi.activitypub.parse_fields import Fields
from fedi.activitypub.parse_post import MAX_DESCRIPTION_CHARS, MAX_TAGS, emojis, interaction_policy
from fedi.activitypub.urls import normal_host
from fedi.activitypub.vocab import ActorDocument, ActorField, KeyDocument, PublishedKey
from fedi.errors import PeerFault
from fedi.ids import Uri
from fedi.model.accounts import ActorKind

MAX_USERNAME_CHARS = 2_048
MAX_DISPLAY_NAME_CHARS = 2_048
MAX_BIO_CHARS = 20_000
MAX_FIELDS = 50
MAX_FIELD_CHARS = 2_047
MAX_ALIASES = 256
MAX_KEYS = 10
MAX_PEM_CHARS = 16_384

_USERNAME = re.compile(r"[^\s@/?#:\\<>\"&\x00-\x1f\x7f]+")
_KEY_TYPES = frozenset({"Key", "CryptographicKey", "Multikey", "publicKey"})


def actor(fields: Fields, kind: str) -> ActorDocument:
    """Raises :class:`PeerFault`: ``bad-id``, ``bad-actor`` (no inbox, no usable username)."""
    inbox = fields.uri("inbox")
    if inbox is None:
        raise PeerFault("bad-actor", internal="no inbox")
    actor_id = fields.required_id()
    endpoints = fields.child("endpoints")
    generator = fields.child("generator")
    keys = tuple(_keys(fields, actor_id))[:MAX_KEYS]
    return ActorDocument(
        id=actor_id,
        type=cast(ActorKind, kind),
        username=_username(fields, kind),
        inbox=inbox,
        shared_inbox=endpoints.uri("sharedInbox") if endpoints else fields.uri("sharedInbox"),
        outbox=fields.uri("outbox"),
        followers=fields.uri("followers"),
        following=fields.uri("following"),
        featured=fields.uri("featured"),
        featured_tags=fields.uri("featuredTags"),
        name=fields.text("name", MAX_DISPLAY_NAME_CHARS),
        summary=fields.text("summary", MAX_BIO_CHARS),
        url=fields.url("url"),
        icon=fields.url("icon"),
        icon_description=_picture_text(fields, "icon"),
        image=fields.url("image"),
        image_description=_picture_text(fields, "image"),
        fields=tuple(_profile_fields(fields)),
        emojis=emojis(list(fields.objects("tag"))[:MAX_TAGS]),
        keys=keys,
        key_ids=tuple(dict.fromkeys((*(key.id for key in keys), *_key_ids(fields))))[:MAX_KEYS],
        also_known_as=fields.uris("alsoKnownAs", MAX_ALIASES),
        moved_to=fields.uri("movedTo"),
        attribution_domains=tuple(_domains(fields)),
        webfinger=fields.text("webfinger", MAX_USERNAME_CHARS).removeprefix("acct:").removeprefix("@") or None,
        manually_approves_followers=fields.flag("manuallyApprovesFollowers"),
        discoverable=fields.flag("discoverable"),
        indexable=fields.flag("indexable"),
        memorial=fields.flag("memorial"),
        suspended=fields.flag("suspended"),
        published_at=fields.instant("published"),
        updated_at=fields.instant("updated"),
        implements=tuple(_implements(generator)) if generator else (),
        policy=interaction_policy(fields),
        raw=fields.raw,
    )


def key_document(fields: Fields) -> KeyDocument:
    """What a keyId leads to. Raises :class:`PeerFault` ``bad-key`` if there is no key in it."""
    document_id = fields.required_id()
    if set(fields.types()) & _KEY_TYPES or "publicKeyPem" in fields.raw or "publicKeyMultibase" in fields.raw:
        key = _key(fields, None)
        if key is None:
            raise PeerFault("bad-key", internal="no owner or no key")
        return KeyDocument(id=document_id, owner=key.owner, keys=(key,))
    keys = tuple(_keys(fields, document_id))[:MAX_KEYS]
    if not keys:
        raise PeerFault("bad-key", internal="no key in the document")
    return KeyDocument(id=document_id, owner=document_id, keys=keys)


def _keys(fields: Fields, owner: Uri) -> Iterator[PublishedKey]:
    for entry in ("publicKey", "assertionMethod"):
        for shown in list(fields.objects(entry))[:MAX_KEYS]:
            key = _key(shown, owner)
            if key is not None:
                yield key


def _key(shown: Fields, default_owner: Uri | None) -> PublishedKey | None:
    key_id = shown.uri("id")
    owner = shown.uri("owner") or shown.uri("controller") or default_owner
    pem = shown.raw.get("publicKeyPem")
    multibase = shown.raw.get("publicKeyMultibase")
    pem = pem if isinstance(pem, str) and len(pem) <= MAX_PEM_CHARS else None
    multibase = multibase if isinstance(multibase, str) and len(multibase) <= MAX_PEM_CHARS else None
    if key_id is None or owner is None or (pem is None and multibase is None):
        return None
    return PublishedKey(id=key_id, owner=owner, pem=pem, multibase=multibase)


def _key_ids(fields: Fields) -> tuple[Uri, ...]:
    return fields.uris("publicKey", MAX_KEYS) + fields.uris("assertionMethod", MAX_KEYS)


def _username(fields: Fields, kind: str) -> str:
    """Empty only for servers and bots that have none; they have no handle then."""
    username = fields.text("preferredUsername", MAX_USERNAME_CHARS + 1)
    if not username and kind in {"Application", "Service"}:
        return ""
    if len(username) > MAX_USERNAME_CHARS or not _USERNAME.fullmatch(username):
        raise PeerFault("bad-actor", internal=f"username {username[:100]!r}")
    return username


def _profile_fields(fields: Fields) -> Iterator[ActorField]:
    shown = [entry for entry in fields.objects("attachment") if "PropertyValue" in entry.types()]
    for entry in shown[:MAX_FIELDS]:
        name, value = entry.text("name", MAX_FIELD_CHARS), entry.text("value", MAX_FIELD_CHARS)
        if name or value:
            yield ActorField(name=name, value=value)


def _picture_text(fields: Fields, key: str) -> str:
    picture = fields.child(key)
    if picture is None:
        return ""
    return picture.text("name", MAX_DESCRIPTION_CHARS) or picture.text("summary", MAX_DESCRIPTION_CHARS)


def _domains(fields: Fields) -> Iterator[str]:
    for value in fields.values("attributionDomains")[:MAX_ALIASES]:
        if isinstance(value, str):
            try:
                yield normal_host(value)
            except PeerFault:
                continue


def _implements(generator: Fields) -> Iterator[str]:
    """FEP-844e: what the software behind the actor can do, as URLs."""
    for value in generator.values("implements")[:MAX_ALIASES]:
        href = value.get("href") or value.get("id") if isinstance(value, dict) else value
        if isinstance(href, str):
            yield href[:MAX_USERNAME_CHARS]
