"""Rows to begin a test with: accounts, people and statuses, with as little said as the test needs."""

import itertools
from typing import Any

from fedi.ids import AccountId, MediaId, StatusId, Uri
from fedi.model.accounts import Account
from fedi.model.media import Media
from fedi.model.statuses import Addressed, Status
from fedi.model.users import LocalUser
from fedi.store import accounts, statuses, users
from fedi.store.database import Database

NOW_MS = 1_767_225_600_000
_ids = itertools.count(NOW_MS << 16)


def next_id() -> int:
    return next(_ids)


def an_account(name: str, domain: str = "", **rest: Any) -> Account:
    """Local unless it has a ``domain``."""
    host = domain or "here.example"
    uri = rest.pop("uri", f"https://{host}/users/{name}")
    shared = f"https://{host}/inbox" if domain else None
    values: dict[str, Any] = {
        "id": AccountId(next_id()),
        "uri": Uri(uri),
        "local": not domain,
        "kind": "Person",
        "username": name,
        "domain": domain,
        "host": host,
        "url": f"https://{host}/@{name}",
        "inbox": f"{uri}/inbox",
        "shared_inbox": shared,
        "created_at": NOW_MS,
    }
    return Account(**values | rest)


async def put_account(db: Database, name: str, domain: str = "", **rest: Any) -> Account:
    """In the database; a local one with its person."""
    account = an_account(name, domain, **rest)

    async def unit(tx):
        stored = await accounts.put_account(tx, account)
        if stored.local:
            await users.put_user(tx, LocalUser(account=stored.id, created_at=NOW_MS))
        return stored

    return await db.write("test", unit)


def a_picture(account: Account, **rest: Any) -> Media:
    """A local image that is ready, in no status."""
    values: dict[str, Any] = {"kind": "image", "state": "ready", "path": "a/b.png", "created_at": NOW_MS}
    return Media(id=MediaId(next_id()), account=account.id, **values | rest)


def a_status(author: Account, **rest: Any) -> Status:
    """Public, and says its number."""
    id_ = StatusId(rest.pop("id", next_id()))
    parent: Status | None = rest.pop("to", None)
    values: dict[str, Any] = {
        "id": id_,
        "uri": Uri(f"{author.uri}/statuses/{id_}"),
        "account": author.id,
        "local": author.local,
        "kind": "Note",
        "visibility": "public",
        "content": f"<p>{id_}</p>",
        "thread": id_,
        "created_at": NOW_MS,
    }
    if parent is not None:
        values |= {
            "in_reply_to": parent.id,
            "in_reply_to_uri": parent.uri,
            "in_reply_to_account": parent.account,
            "thread": parent.thread,
        }
    return Status(**values | rest)


async def put_status(db: Database, author: Account, *, addressed: tuple[Account, ...] = (), **rest: Any) -> Status:
    status = a_status(author, **rest)
    to = [Addressed(account=account.id) for account in addressed]
    assert await db.write("test", lambda tx: statuses.put_status(tx, status, to))
    return status


async def put_reblog(db: Database, author: Account, of: Status, **rest: Any) -> Status:
    return await put_status(db, author, kind="Announce", content="", reblog_of=of.id, **rest)
