"""From documents to bytes, below the size that one large peer still takes."""

import json
from collections.abc import Mapping
from typing import Any

from fedi.activitypub.render_activities import render_create, render_update
from fedi.activitypub.render_context import with_context
from fedi.activitypub.render_post import PostView, render_post
from fedi.activitypub.uris import LocalUris
from fedi.errors import ClientFault

MAX_ACTIVITY_BYTES = 60_000  # Misskey's inbox ends at 64 KiB; a signature still joins


def render_bytes(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def finish(document: Mapping[str, Any], *, for_signature: bool = False) -> bytes:
    """A document with its context, as bytes. Raises :class:`ClientFault` ``activity-too-large``."""
    body = render_bytes(with_context(document, for_signature=for_signature))
    if len(body) > MAX_ACTIVITY_BYTES:
        raise ClientFault("activity-too-large", "This is too long to be sent to other servers; shorten it.")
    return body


def finish_create(view: PostView, uris: LocalUris, now_ms: int, *, uri: str, for_signature: bool = False) -> bytes:
    """The Create of a post; too long a text goes out as an excerpt with a link."""
    return _fitting(view, uris, now_ms, lambda post: render_create(uri=uri, post=post), for_signature=for_signature)


def finish_update(view: PostView, uris: LocalUris, now_ms: int, *, uri: str, for_signature: bool = False) -> bytes:
    return _fitting(
        view, uris, now_ms, lambda post: render_update(uri=uri, post=post, at_ms=now_ms), for_signature=for_signature
    )


def _fitting(view: PostView, uris: LocalUris, now_ms: int, wrap: Any, *, for_signature: bool) -> bytes:
    for excerpt in (False, True):
        document = wrap(render_post(view, uris, now_ms, excerpt=excerpt))
        body = render_bytes(with_context(document, for_signature=for_signature))
        if len(body) <= MAX_ACTIVITY_BYTES:
            return body
    raise ClientFault("activity-too-large", "This is too long to be sent to other servers; shorten it.")
