"""Polls, as one viewer sees them."""

from collections.abc import Sequence
from typing import Any

from fedi.clock import api_time
from fedi.model.polls import Poll
from fedi.web.entities.encode import encode, raw


def render_poll(
    poll: Poll, *, now_ms: int, choices: Sequence[int] | None, is_author: bool = False, emojis: bytes = b"[]"
) -> bytes:
    """``choices``: the viewer's own, None for anonymous readers. ``emojis`` are those of its status, encoded."""
    value: dict[str, Any] = {
        "id": str(poll.id),
        "expires_at": None if poll.expires_at is None else api_time(poll.expires_at),
        "expired": poll.is_closed(now_ms),
        "multiple": poll.multiple,
        "votes_count": poll.votes,
        "voters_count": poll.voters if poll.multiple or poll.voters is not None else poll.votes,
        "options": [{"title": option.title, "votes_count": option.votes} for option in poll.options],
        "emojis": raw(emojis),
    }
    if choices is not None:
        value["voted"] = is_author or bool(choices)
        value["own_votes"] = list(choices)
    return encode(value)
