"""Fills the database of a stopped instance with what would take minutes to arrive: accounts, follows, posts.

The rows are those that the inbox would have written, by the same functions of the store and the ledger, without
signatures, jobs and bodies, and without waiting for the disk.
"""

from pathlib import Path

from fedi.clock import SystemClock
from fedi.ids import AccountId, IdMaker, StatusId, Uri
from fedi.ledger import slots
from fedi.model.accounts import Account
from fedi.model.statuses import Status
from fedi.store import accounts, relations, statuses
from fedi.store.database import Tx
from fedi.store.opening import open_database

HOSTS = 500
EVERY_MS = 5_000  # one post
BATCH = 500


class PastClock(SystemClock):
    """Runs when it is told to, and ends at the present."""

    def __init__(self, behind_ms: int) -> None:
        self.now_ms = super().ms() - behind_ms

    def ms(self) -> int:
        return self.now_ms


async def seed(path: Path, *, reader: str, posts: int, authors: int, followed: int, content: str) -> list[StatusId]:
    """``posts`` public ones by ``authors`` of other servers, of whom ``reader`` follows ``followed``. Their ids, in order."""
    clock = PastClock(posts * EVERY_MS)
    ids = IdMaker(clock)
    database = await open_database(path, durable=False)
    try:
        strangers = [_stranger(ids, n, clock.ms()) for n in range(authors)]

        async def people(tx: Tx) -> None:
            viewer = await accounts.find_by_handle(tx, reader)
            assert viewer is not None
            for stranger in strangers:
                await accounts.put_account(tx, stranger)
            for stranger in strangers[:followed]:
                await relations.put_follow(
                    tx, follower=viewer.id, target=stranger.id, state="accepted", uri=None, now_ms=clock.ms()
                )

        await database.write("seed people", people)
        made: list[StatusId] = []
        for first in range(0, posts, BATCH):
            numbers = range(first, min(first + BATCH, posts))

            async def batch(tx: Tx, numbers: range = numbers) -> list[StatusId]:
                return [await _post(tx, strangers[n % authors], n, content, clock, ids) for n in numbers]

            made += await database.write("seed posts", batch)
        return made
    finally:
        await database.close()


def _stranger(ids: IdMaker, n: int, now_ms: int) -> Account:
    host = f"h{n % HOSTS}.example"
    uri = Uri(f"https://{host}/users/u{n}")
    return Account(
        id=AccountId(ids.next()),
        uri=uri,
        local=False,
        kind="Person",
        username=f"u{n}",
        domain=host,
        host=host,
        display_name=f"User {n}",
        url=f"https://{host}/@u{n}",
        inbox=f"{uri}/inbox",
        created_at=now_ms,
    )


async def _post(tx: Tx, author: Account, n: int, content: str, clock: PastClock, ids: IdMaker) -> StatusId:
    clock.now_ms += EVERY_MS
    uri = Uri(f"{author.uri}/statuses/{n}")
    places = await slots.open_object(
        tx,
        uri=uri,
        account=author.id,
        author_uri=author.uri,
        host=author.host,
        visibility="public",
        local=False,
        is_reply_to_uri=None,
        tags=(),
        boost_of=None,
        delivered=True,
        published_at_ms=clock.ms(),
        body_hash=bytes(32),
        now_ms=clock.ms(),
        ids=ids,
    )
    status = StatusId(places.n)
    await statuses.put_status(
        tx,
        Status(
            id=status,
            uri=uri,
            account=author.id,
            local=False,
            kind="Note",
            visibility="public",
            content=content,
            thread=status,
            created_at=clock.ms(),
        ),
    )
    await slots.mark_ready(tx, places.n, clock.ms())
    return status
