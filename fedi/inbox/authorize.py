"""The authority gate: who may say what about whom. Pure; nothing is believed because it is written in a body.

The first sitting is before the 202 and needs nothing but the activity and its signer. The second, in the handlers,
compares with stored rows: owner, type and identity of what is stored never come from a payload.
"""

from dataclasses import dataclass, replace

from fedi.activitypub.parse import visibility_of
from fedi.activitypub.uris import LocalUris
from fedi.activitypub.urls import same_origin
from fedi.activitypub.vocab import Activity, ActorDocument, Embedded, ObjectRef, Post, Tombstone, id_of
from fedi.errors import PeerFault
from fedi.ids import Uri
from fedi.model.statuses import Visibility

REACTIONS = frozenset({"Like", "EmojiReact", "Dislike"})


def refused(code: str, internal: str = "") -> PeerFault:
    return PeerFault(code, "This actor may not do this.", status=403, internal=internal)


def check_activity(activity: Activity, uris: LocalUris) -> None:
    """What can be judged from the activity alone. Raises :class:`PeerFault` 403."""
    if uris.is_on_our_host(activity.actor):
        raise refused("foreign-actor", "the actor is ours")
    if activity.id is not None:
        check_id(activity.id, activity.actor, uris)
    match activity.type:
        case "Create":
            for item in activity.objects:
                _check_own_object(item, activity.actor, uris)
        case "Update":
            for item in activity.objects:
                if isinstance(item, ActorDocument):
                    if item.id != activity.actor:
                        raise refused("not-the-owner", f"Update of {item.id}")
                else:
                    _check_own_object(item, activity.actor, uris)
        case "Delete":
            for item in activity.objects:
                deleted = id_of(item)
                if deleted is None:
                    raise PeerFault("no-object", internal="Delete of nothing")
                check_id(deleted, activity.actor, uris)
        case "Undo":
            for item in activity.objects:
                if isinstance(item, Activity) and item.actor != activity.actor:
                    raise refused("not-the-owner", f"Undo of an activity of {item.actor}")
        case "Move":
            if activity.object_id != activity.actor:
                raise refused("not-the-owner", f"Move of {activity.object_id}")
        case "Add" | "Remove":
            target = id_of(activity.target)
            if target is not None and not same_origin(target, activity.actor):
                raise refused("not-the-owner", f"{activity.type} to {target}")
        case _:
            pass


def check_id(uri: str, owner: str, uris: LocalUris) -> None:
    """A stranger's ids are on its own origin, and never on our host (whatever the spelling)."""
    if uris.is_on_our_host(uri):
        raise refused("foreign-id", f"{uri} is on our host")
    if not same_origin(uri, owner):
        raise refused("foreign-id", f"{uri} is not on the origin of {owner}")


def _check_own_object(item: ObjectRef, actor: Uri, uris: LocalUris) -> None:
    found = id_of(item)
    if found is not None:
        check_id(found, actor, uris)
    if isinstance(item, Post) and item.attributed_to != actor:
        raise refused("not-the-owner", f"{item.id} is attributed to {item.attributed_to}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the ledger must know of a post to give it its positions."""

    uri: Uri
    visibility: Visibility
    in_reply_to: str | None = None
    tags: tuple[str, ...] = ()
    boost_of: Uri | None = None
    published_at: int | None = None


def find_place(activity: Activity, followers: str | None) -> Place | None:
    """The post or boost that an activity brings, if it is one that gets positions. ``followers`` is the actor's."""
    match activity.type:
        case "Create":
            item = activity.object
            if isinstance(item, Post) and item.vote_name is None and len(activity.objects) == 1:
                return place_of(with_addressing(item, activity), followers)
        case "Announce":
            boosted = boosted_by(activity)
            if boosted is not None and activity.id is not None:
                return Place(
                    uri=activity.id,
                    visibility=visibility_of(activity.to, activity.cc, followers),
                    boost_of=boosted,
                    published_at=activity.published_at,
                )
        case _:
            pass
    return None


def place_of(post: Post, followers: str | None) -> Place:
    return Place(
        uri=post.id,
        visibility=visibility_of(post.to, post.cc, followers),
        in_reply_to=post.in_reply_to,
        tags=tuple(tag.name for tag in post.hashtags),
        published_at=post.published_at,
    )


def addressing(post: Post, activity: Activity) -> tuple[tuple[Uri, ...], tuple[Uri, ...]]:
    """``to`` and ``cc`` of the post; those of its Create only where it has none itself."""
    if post.to or post.cc:
        return post.to, post.cc
    return activity.to, activity.cc


def with_addressing(post: Post, activity: Activity) -> Post:
    to, cc = addressing(post, activity)
    if (to, cc) == (post.to, post.cc):
        return post
    return replace(post, to=to, cc=cc)


def boosted_by(activity: Activity) -> Uri | None:
    """What an Announce boosts: a post, by id or in full. Announced *activities* (FEP-1b12) are no boosts."""
    item = activity.object
    if len(activity.objects) != 1 or isinstance(item, Activity | ActorDocument | Tombstone):
        return None
    if isinstance(item, Embedded) and item.type in {"", "Link"}:
        return None
    return id_of(item)


def deletes_itself(activity: Activity) -> bool:
    return activity.type == "Delete" and activity.object_id == activity.actor
