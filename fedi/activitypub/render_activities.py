"""Our activities. ``actor`` is always a bare id; ``object`` is whole in Create, Update, Accept, Reject and Undo, and a
bare id in Like, Announce and Follow: other forms are dropped by one server or another.

Values are dicts without ``@context``; :func:`fedi.activitypub.render.finish` makes them bytes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fedi.activitypub.addressing import PUBLIC, Audience
from fedi.clock import wire_time

Document = dict[str, Any]


def render_create(*, uri: str, post: Mapping[str, Any]) -> Document:
    """The audience is that of the post, exactly (Pleroma refuses otherwise)."""
    return {
        "id": uri,
        "type": "Create",
        "actor": post["attributedTo"],
        **({"published": post["published"]} if "published" in post else {}),
        "to": post["to"],
        "cc": post["cc"],
        "object": post,
    }


def render_update(*, uri: str, post: Mapping[str, Any], at_ms: int) -> Document:
    return {
        "id": uri,
        "type": "Update",
        "actor": post["attributedTo"],
        "published": wire_time(at_ms),
        "to": post["to"],
        "cc": post["cc"],
        "object": post,
    }


def render_update_actor(*, uri: str, actor: Mapping[str, Any], followers: str) -> Document:
    return {"id": uri, "type": "Update", "actor": actor["id"], "to": [PUBLIC], "cc": [followers], "object": actor}


def render_delete(*, uri: str, actor: str, object_uri: str, audience: Audience) -> Document:
    """Of a post. What was for everybody is deleted for everybody, the rest for whom it was addressed to."""
    to = [PUBLIC] if audience.is_distributed else list(audience.to)
    return {
        "id": uri,
        "type": "Delete",
        "actor": actor,
        "to": to,
        "cc": [] if audience.is_distributed else list(audience.cc),
        "object": {"id": object_uri, "type": "Tombstone"},
    }


def render_delete_actor(*, uri: str, actor: str) -> Document:
    return {"id": uri, "type": "Delete", "actor": actor, "to": [PUBLIC], "cc": [], "object": actor}


def render_delete_stamp(*, uri: str, actor: str, stamp_uri: str, to: Sequence[str]) -> Document:
    """Takes the leave to quote back (FEP-044f)."""
    return {"id": uri, "type": "Delete", "actor": actor, "to": list(to), "cc": [], "object": stamp_uri}


def render_announce(*, uri: str, actor: str, object_uri: str, audience: Audience, published_ms: int) -> Document:
    return {
        "id": uri,
        "type": "Announce",
        "actor": actor,
        "published": wire_time(published_ms),
        "to": list(audience.to),
        "cc": list(audience.cc),
        "object": object_uri,
    }


def render_like(*, uri: str, actor: str, object_uri: str, to: str) -> Document:
    return {"id": uri, "type": "Like", "actor": actor, "to": [to], "cc": [], "object": object_uri}


def render_emoji_react(
    *, uri: str, actor: str, object_uri: str, to: str, emoji: str, tag: Mapping[str, Any] | None = None
) -> Document:
    """``emoji`` is one grapheme, or ``:shortcode:`` with its Emoji ``tag`` (FEP-c0e0)."""
    return {
        "id": uri,
        "type": "EmojiReact",
        "actor": actor,
        "to": [to],
        "cc": [],
        "object": object_uri,
        "content": emoji,
        "tag": [] if tag is None else [dict(tag)],
    }


def render_follow(*, uri: str, actor: str, target: str) -> Document:
    """``target`` is an actor, or ``as:Public`` at a relay."""
    return {"id": uri, "type": "Follow", "actor": actor, "to": [target], "cc": [], "object": target}


def render_answer(
    *, kind: str, uri: str, actor: str, follow_uri: str | None, follower: str, target: str | None = None
) -> Document:
    """``kind`` Accept or Reject, with the whole Follow inside: Bridgy Fed and Lemmy look nowhere else."""
    follow: Document = {"type": "Follow", "actor": follower, "object": target or actor}
    if follow_uri is not None:
        follow = {"id": follow_uri, **follow}
    return {"id": uri, "type": kind, "actor": actor, "to": [follower], "cc": [], "object": follow}


def render_undo(*, uri: str, activity: Mapping[str, Any]) -> Document:
    """``activity`` is ours, as it was sent."""
    inner = {name: value for name, value in activity.items() if name != "@context"}
    found: Document = {"id": uri, "type": "Undo", "actor": inner["actor"]}
    found |= {name: inner[name] for name in ("to", "cc") if name in inner}
    return {**found, "object": inner}


def render_block(*, uri: str, actor: str, target: str) -> Document:
    return {"id": uri, "type": "Block", "actor": actor, "to": [target], "cc": [], "object": target}


def render_flag(*, uri: str, actor: str, target: str, statuses: Sequence[str], comment: str) -> Document:
    """``actor`` is the server's, so that who reports stays unknown."""
    return {
        "id": uri,
        "type": "Flag",
        "actor": actor,
        "to": [target],
        "cc": [],
        "content": comment,
        "object": [target, *statuses],
    }


def render_featured(*, kind: str, uri: str, actor: str, object_uri: str, featured: str, followers: str) -> Document:
    """``kind`` Add or Remove: what stands on top of the profile."""
    return {
        "id": uri,
        "type": kind,
        "actor": actor,
        "to": [PUBLIC],
        "cc": [followers],
        "object": object_uri,
        "target": featured,
    }


def render_move(*, uri: str, actor: str, target: str, followers: str) -> Document:
    return {
        "id": uri,
        "type": "Move",
        "actor": actor,
        "to": [followers],
        "cc": [],
        "object": actor,
        "target": target,
    }


def render_quote_request(*, uri: str, actor: str, quoted_uri: str, quote: Mapping[str, Any], to: str) -> Document:
    """Asks the author of ``quoted_uri``; ``quote`` is our whole post."""
    return {
        "id": uri,
        "type": "QuoteRequest",
        "actor": actor,
        "to": [to],
        "cc": [],
        "object": quoted_uri,
        "instrument": {name: value for name, value in quote.items() if name != "@context"},
    }


def render_quote_answer(
    *, kind: str, uri: str, actor: str, request: Mapping[str, Any], to: str, stamp_uri: str | None
) -> Document:
    """``kind`` Accept, with the stamp as its result, or Reject. ``request`` needs id, actor, object, instrument."""
    inner: Document = {"id": request["id"], "type": "QuoteRequest", "actor": request["actor"]}
    inner |= {name: _bare(request[name]) for name in ("object", "instrument") if name in request}
    found: Document = {"id": uri, "type": kind, "actor": actor, "to": [to], "cc": [], "object": inner}
    if stamp_uri is not None:
        found["result"] = stamp_uri
    return found


def render_quote_authorization(*, uri: str, author: str, quote_uri: str, quoted_uri: str) -> Document:
    """The stamp: ``author`` lets ``quote_uri`` quote ``quoted_uri``. The quote itself is never inside."""
    return {
        "id": uri,
        "type": "QuoteAuthorization",
        "attributedTo": author,
        "interactingObject": quote_uri,
        "interactionTarget": quoted_uri,
    }


def _bare(value: object) -> object:
    return value.get("id") if isinstance(value, Mapping) else value
