"""Our actors as documents."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fedi.activitypub.addressing import PUBLIC
from fedi.activitypub.render_post import absolute, image_type, render_emoji
from fedi.activitypub.uris import LocalUris
from fedi.clock import wire_time
from fedi.model.accounts import Account, ActorKey

DAY_MS = 24 * 3600 * 1000

# FEP-844e: a peer that reads it may sign with RFC 9421 at once.
GENERATOR = {
    "type": "Application",
    "implements": [
        {"href": "https://datatracker.ietf.org/doc/html/rfc9421", "name": "RFC-9421: HTTP Message Signatures"}
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorView:
    """``keys`` are all of the account's keys; private halves are not looked at. ``suspended`` by us, for now."""

    account: Account
    keys: Sequence[ActorKey]
    suspended: bool = False
    media_base: str = ""


def render_actor(view: ActorView, uris: LocalUris) -> dict[str, Any]:
    """The whole document, without its ``@context``."""
    account = view.account
    document: dict[str, Any] = {
        "id": account.uri,
        "type": "Service" if account.bot and account.kind == "Person" else account.kind,
        "preferredUsername": account.username,
        "name": account.display_name or account.username,
        "summary": account.note,  # "" and not null: Pixelfed
        "url": account.url or uris.profile_page(account.username),
        "inbox": account.inbox,
        "outbox": account.outbox,
        "followers": account.followers_uri,
        "following": account.following_uri,
        "featured": account.featured_uri,
        "featuredTags": uris.featured_tags(account.username),
        "endpoints": {"sharedInbox": account.shared_inbox or uris.shared_inbox},
        **_keys(account.uri, view.keys),
        "webfinger": uris.handle(account.username),
        "manuallyApprovesFollowers": account.locked,  # always there: Pixelfed
        "discoverable": account.discoverable,
        "indexable": account.indexable,
        "published": wire_time(account.created_at - account.created_at % DAY_MS),  # the day is enough
        "memorial": account.memorial,
        "suspended": view.suspended,
        "alsoKnownAs": list(account.also_known_as),
        "attributionDomains": list(account.attribution_domains),
        "tag": [render_emoji(emoji, uris, view.media_base) for emoji in account.emojis],
        "attachment": [{"type": "PropertyValue", "name": field.name, "value": field.value} for field in account.fields],
        "interactionPolicy": {"canFeature": {"automaticApproval": [PUBLIC if account.discoverable else account.uri]}},
        "generator": GENERATOR,
    }
    if account.moved_to is not None:
        document["movedTo"] = account.moved_to
    if account.avatar is not None:
        document["icon"] = _picture(account.avatar, account.avatar_description, view.media_base)
    if account.header is not None:
        document["image"] = _picture(account.header, account.header_description, view.media_base)
    return document


def render_stub(view: ActorView, uris: LocalUris) -> dict[str, Any]:
    """What an unsigned request gets where fetches must be signed: enough to verify us, and to find our inbox."""
    account = view.account
    return {
        "id": account.uri,
        "type": account.kind,
        "preferredUsername": account.username,
        "inbox": account.inbox,
        "endpoints": {"sharedInbox": account.shared_inbox or uris.shared_inbox},
        **_keys(account.uri, view.keys),
    }


def render_instance_actor(keys: Sequence[ActorKey], uris: LocalUris, *, name: str) -> dict[str, Any]:
    """The server itself, which signs our fetches; always served unsigned, or two such servers could never meet."""
    return {
        "id": uris.instance_actor,
        "type": "Application",
        "preferredUsername": uris.handle_domain,
        "name": name,
        "summary": "",
        "url": f"{uris.origin}/",
        "inbox": uris.instance_actor_part("inbox"),
        "outbox": uris.instance_actor_part("outbox"),
        "followers": uris.instance_actor_part("followers"),
        "following": uris.instance_actor_part("following"),
        "endpoints": {"sharedInbox": uris.shared_inbox},
        **_keys(uris.instance_actor, keys),
        "webfinger": uris.handle(uris.handle_domain),
        "manuallyApprovesFollowers": True,
        "implements": GENERATOR["implements"],
    }


def _keys(owner: str, keys: Sequence[ActorKey]) -> dict[str, Any]:
    """The newest RSA key, and all Ed25519 keys."""
    found: dict[str, Any] = {}
    rsa = [key for key in keys if key.kind == "rsa"]
    if rsa:
        found["publicKey"] = {"id": rsa[-1].id, "owner": owner, "publicKeyPem": rsa[-1].public_key}
    found["assertionMethod"] = [
        {"id": key.id, "type": "Multikey", "controller": owner, "publicKeyMultibase": key.public_key}
        for key in keys
        if key.kind == "ed25519"
    ]
    return found


def _picture(path: str, description: str, base: str) -> dict[str, Any]:
    found = {"type": "Image", "mediaType": image_type(path), "url": absolute(path, base)}
    if description:
        found |= {"name": description, "summary": description}
    return found
