"""Polls and votes."""

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.ids import AccountId, StatusId
from fedi.store import polls
from fedi.store.database import Tx
from fedi.web.callers import find_caller, require
from fedi.web.entities.encode import encode
from fedi.web.entities.media import emoji_values
from fedi.web.entities.polls import render_poll
from fedi.web.keys import CLOCK, DATABASE, ENTITIES, OUTBOX
from fedi.web.mastodon.answers import answer, not_found, status_id
from fedi.web.mastodon.statuses import seen_status
from fedi.web.params import read_params


def setup_routes(app: web.Application) -> None:
    app.router.add_get("/api/v1/polls/{id}", show)
    app.router.add_post("/api/v1/polls/{id}/votes", vote)


async def show(request: Request) -> Response:
    caller = await find_caller(request, "read:statuses")
    return await _answer(request, status_id(request), caller.account_id if caller else None)


async def vote(request: Request) -> Response:
    """All of ``choices[]``, or none of them and why."""
    caller = await require(request, "write:statuses")
    poll = status_id(request)
    choices = (await read_params(request)).integers("choices") or []
    await request.app[OUTBOX].vote(caller.account_id, poll, choices)
    return await _answer(request, poll, caller.account_id)


async def _answer(request: Request, number: StatusId, viewer: AccountId | None) -> Response:
    entities, now_ms = request.app[ENTITIES], request.app[CLOCK].ms()

    async def unit(tx: Tx) -> bytes:
        status = await seen_status(tx, number, viewer)
        poll = None if status.poll is None else await polls.find_poll(tx, StatusId(status.poll))
        if poll is None:
            raise not_found()
        choices = None
        if viewer is not None:
            choices = (await polls.list_choices(tx, viewer, [poll.id])).get(poll.id, ())
        return render_poll(
            poll,
            now_ms=now_ms,
            choices=choices,
            is_author=status.account == viewer,
            emojis=encode(emoji_values(status.emojis, entities.urls)),
        )

    return answer(await request.app[DATABASE].read_now(unit))
