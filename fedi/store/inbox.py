"""The few columns that the inbox asks for at every activity, without building whole rows."""

from typing import NamedTuple

from fedi.ids import AccountId, StatusId
from fedi.store.database import Tx


class ActorBrief(NamedTuple):
    """What accepting an activity needs to know of its actor."""

    id: AccountId
    host: str
    followers_uri: str | None
    gone_at: int | None
    kind: str


class PostContext(NamedTuple):
    """What is known around a new post, asked for at once: a statement less is a hop between threads less.

    ``watched``: somebody here asked to be told of each post of its author; ``followed``: somebody here follows them;
    ``awaited``: replies to it came first.
    """

    id: AccountId
    host: str
    followers_uri: str | None
    gone_at: int | None
    kind: str
    stored: StatusId | None
    deleted_by: str | None
    watched: bool
    followed: bool
    awaited: bool

    @property
    def actor(self) -> ActorBrief:
        return ActorBrief(
            id=self.id, host=self.host, followers_uri=self.followers_uri, gone_at=self.gone_at, kind=self.kind
        )


class StatusBrief(NamedTuple):
    """Enough of a status to answer, boost or count it. ``author`` is its account's URI."""

    id: StatusId
    account: AccountId
    author: str
    local: bool
    visibility: str
    thread: StatusId
    reblog_of: StatusId | None
    deleted_at: int | None


class Addressee(NamedTuple):
    """An account that a post names."""

    id: AccountId
    uri: str
    local: bool
    username: str
    domain: str
    url: str


FIND_ACTOR = "SELECT id, host, followers_uri, gone_at, kind FROM account WHERE uri = :uri"
_FOLLOWED = """EXISTS (SELECT 1 FROM follow f JOIN account l ON l.id = f.follower
         WHERE f.target = a.id AND f.state = 'accepted' AND l.local = 1{notified})"""
# account.uri, status.uri, tombstone.uri, follow_target, status_reply_uri
FIND_POST_CONTEXT = f"""
SELECT a.id, a.host, a.followers_uri, a.gone_at, a.kind,
       (SELECT s.id FROM status s WHERE s.uri = :post), (SELECT t.actor FROM tombstone t WHERE t.uri = :post),
       {_FOLLOWED.format(notified=" AND f.notify = 1")}, {_FOLLOWED.format(notified="")},
       EXISTS (SELECT 1 FROM status r WHERE r.in_reply_to_uri = :post AND r.in_reply_to IS NULL)
  FROM account a WHERE a.uri = :uri"""
FIND_STATUS = """
SELECT s.id, s.account, a.uri, s.local, s.visibility, s.thread, s.reblog_of, s.deleted_at
  FROM status s JOIN account a ON a.id = s.account WHERE s.uri = :uri"""
_BY_ID = FIND_STATUS.replace("s.uri = :uri", "s.id = :id")
# status_quote_stamp
LIST_QUOTES_BY_STAMP = """
SELECT s.id, q.account FROM status s LEFT JOIN status q ON q.id = s.quote_of
 WHERE s.quote_authorization = :stamp AND s.deleted_at IS NULL LIMIT 100"""
LIST_ADDRESSEES = """
SELECT id, uri, local, username, domain, url FROM account WHERE uri IN TEXTS(:uris) AND gone_at IS NULL"""


async def find_actor(tx: Tx, uri: str) -> ActorBrief | None:
    return await tx.one_as(ActorBrief, FIND_ACTOR, uri=uri)


async def find_post_context(tx: Tx, actor: str, post: str) -> PostContext | None:
    """None for an unknown actor."""
    return await tx.one_as(PostContext, FIND_POST_CONTEXT, uri=actor, post=post)


async def find_status(tx: Tx, uri: str) -> StatusBrief | None:
    """Also when it is deleted."""
    return await tx.one_as(StatusBrief, FIND_STATUS, uri=uri)


async def find_status_by_id(tx: Tx, status: StatusId) -> StatusBrief | None:
    return await tx.one_as(StatusBrief, _BY_ID, id=status)


async def list_quotes_by_stamp(tx: Tx, stamp: str) -> list[tuple[StatusId, AccountId | None]]:
    """Posts that quote by this stamp, each with the author of what it quotes."""
    return [(row[0], row[1]) for row in await tx.all(LIST_QUOTES_BY_STAMP, stamp=stamp)]


async def list_addressees(tx: Tx, uris: set[str]) -> list[Addressee]:
    """Those of ``uris`` that we know as accounts."""
    return await tx.all_as(Addressee, LIST_ADDRESSEES, uris=uris) if uris else []
