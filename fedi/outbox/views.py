"""A stored post of ours with everything that its document shows."""

from collections.abc import Sequence

from fedi.activitypub.addressing import address
from fedi.activitypub.render_post import OWN_REPLIES_INLINE, PostView
from fedi.model.accounts import Account
from fedi.model.statuses import Status
from fedi.store import accounts, media, polls, statuses
from fedi.store.database import Tx


async def view_of(tx: Tx, status: Status, author: Account, media_base: str) -> PostView:
    """For rendering a local status that is neither deleted nor a boost."""
    addressed = await statuses.list_addressed(tx, status.id)
    people = await accounts.find_many(tx, [one.account for one in addressed if one.account != author.id])
    replies = await statuses.list_reply_uris(tx, status.id, limit=50)
    return PostView(
        status=status,
        author=author,
        audience=address(
            status.visibility,
            followers=author.followers_uri or "",
            people=[person.uri for person in people.values()],
        ),
        media=(await media.list_of_statuses(tx, [status.id])).get(status.id, ()) if status.has_media else (),
        poll=await polls.find_poll(tx, status.id) if status.poll is not None else None,
        stats=await statuses.find_stats(tx, status.id),
        own_replies=_own([uri for _, uri in replies], author),
        media_base=media_base,
    )


def _own(uris: Sequence[str], author: Account) -> tuple[str, ...]:
    return tuple(uri for uri in uris if uri.startswith(f"{author.uri}/"))[:OWN_REPLIES_INLINE]
