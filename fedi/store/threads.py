"""How complete our copy of a conversation is."""

import json
from typing import NamedTuple

from fedi.ids import StatusId
from fedi.store.database import Tx


class ThreadFetch(NamedTuple):
    """``missing`` counts replies we know of and could not get, by reason. Times are ms."""

    thread: StatusId
    known: int
    estimate: int | None
    complete: bool
    missing: dict[str, int]
    fetched_at: int | None
    next_at: int | None


FETCH = """
SELECT thread, known, estimate, complete, missing, fetched_at, next_at FROM thread_fetch WHERE thread = :thread"""


async def find_fetch(tx: Tx, thread: StatusId) -> ThreadFetch | None:
    """What the last look at the conversation found; None if nobody looked yet."""
    row = await tx.one(FETCH, thread=thread)
    if row is None:
        return None
    number, known, estimate, complete, missing, fetched_at, next_at = row
    return ThreadFetch(number, known, estimate, bool(complete), json.loads(missing), fetched_at, next_at)
