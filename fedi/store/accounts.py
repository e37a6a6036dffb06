"""Accounts, ours and remote, and their counts."""

from collections.abc import Iterable
from dataclasses import replace

from fedi.ids import AccountId
from fedi.model.accounts import Account, AccountStats
from fedi.store.database import Tx
from fedi.store.rows import Shape

ACCOUNT = Shape(Account)
STATS = Shape(AccountStats)

_FIXED = {"id", "uri", "local", "created_at", "version"}
_SILENT = {"fetched_at", "inbox", "shared_inbox", "outbox"}  # nobody sees these: no new version
_CHANGING = [name for name in ACCOUNT.names if name not in _FIXED]

RELEASE_HANDLE = """
UPDATE account SET username_folded = username_folded || '#' || CAST(id AS TEXT), version = version + 1
 WHERE username_folded = :username_folded AND domain = :domain AND uri <> :uri AND local = 0"""

PUT_ACCOUNT = f"""
INSERT INTO account ({ACCOUNT.columns}, username_folded) VALUES ({ACCOUNT.parameters}, :username_folded)
ON CONFLICT (uri) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _CHANGING)},
  username_folded = excluded.username_folded,
  version = account.version + CASE WHEN
    {" OR ".join(f"account.{n} IS DISTINCT FROM excluded.{n}" for n in _CHANGING if n not in _SILENT)}
    THEN 1 ELSE 0 END
 WHERE account.local = excluded.local
RETURNING id, version, created_at"""

FIND_ACCOUNT = f"SELECT {ACCOUNT.columns} FROM account WHERE id = :id"
FIND_BY_URI = f"SELECT {ACCOUNT.columns} FROM account WHERE uri = :uri"
FIND_ID_BY_URI = "SELECT id FROM account WHERE uri = :uri"
FIND_BY_HANDLE = f"SELECT {ACCOUNT.columns} FROM account WHERE username_folded = :username AND domain = :domain"
FIND_BY_URL = f"SELECT {ACCOUNT.columns} FROM account WHERE url = :url AND host = :host LIMIT 1"  # account_host
LIST_ACCOUNTS = f"SELECT {ACCOUNT.columns} FROM account WHERE id IN INTS(:ids)"
LIST_BY_URIS = f"SELECT {ACCOUNT.columns} FROM account WHERE uri IN TEXTS(:uris)"
LIST_VERSIONS = "SELECT id, version FROM account WHERE id IN INTS(:ids)"
LIST_LOCAL = f"""
SELECT {ACCOUNT.columns_of("a")} FROM local_user u JOIN account a ON a.id = u.account
 WHERE u.account > :after ORDER BY u.account LIMIT :limit"""
LIST_ON_HOST = f"""
SELECT {ACCOUNT.columns} FROM account WHERE host = :host AND id > :after ORDER BY id LIMIT :limit"""
# account_host alone; ours is known when there is any local account, and the oldest account is one.
COUNT_HOSTS = """
SELECT (SELECT COUNT(*) FROM (SELECT DISTINCT host FROM account) AS known)
     - (SELECT COUNT(*) FROM (SELECT 1 FROM account WHERE local = 1 ORDER BY id LIMIT 1) AS ours)"""
LOCAL_TOTALS = """
SELECT COUNT(*), COALESCE(SUM(s.statuses), 0) FROM local_user u JOIN account a ON a.id = u.account
  LEFT JOIN account_stats s ON s.account = u.account
 WHERE a.gone_at IS NULL"""
COUNT_ACTIVE = """
SELECT COUNT(*) FROM local_user u JOIN account_stats s ON s.account = u.account WHERE s.last_status_at >= :since"""

# Scans the table: 30 ms at 50 000 accounts. The exact handle first, then those the viewer follows.
SEARCH = f"""
SELECT {ACCOUNT.columns_of("a")} FROM account a
  LEFT JOIN follow f ON f.follower = :viewer AND f.target = a.id AND f.state = 'accepted'
 WHERE a.gone_at IS NULL AND (:following = 0 OR f.id IS NOT NULL)
   AND (a.username_folded LIKE :starts ESCAPE '!' OR LOWER(a.display_name) LIKE :contains ESCAPE '!')
   AND (:domain = '' OR a.domain LIKE :domain ESCAPE '!')
 ORDER BY CASE WHEN a.username_folded = :exact THEN 0 ELSE 1 END, CASE WHEN f.id IS NOT NULL THEN 0 ELSE 1 END,
          CASE WHEN a.username_folded LIKE :starts ESCAPE '!' THEN 0 ELSE 1 END, a.local DESC, a.id
 LIMIT :limit OFFSET :offset"""

MARK_MOVED = """
UPDATE account SET moved_to = :moved_to, moved_at = :now_ms, version = version + 1 WHERE id = :id"""
MARK_GONE = "UPDATE account SET gone_at = :now_ms, version = version + 1 WHERE id = :id AND gone_at IS NULL"
MARK_FETCHED = "UPDATE account SET fetched_at = :now_ms WHERE id = :id"
MARK_SUSPENDED_BY_ORIGIN = """
UPDATE account SET suspended_by_origin = :suspended, version = version + 1
 WHERE id = :id AND suspended_by_origin <> :suspended"""

FIND_STATS = f"SELECT {STATS.columns} FROM account_stats WHERE account = :account"
LIST_STATS = f"SELECT {STATS.columns} FROM account_stats WHERE account IN INTS(:accounts)"


def _bump(column: str) -> str:
    """A count never falls below zero, whatever was counted before we knew the account."""
    return f"""
INSERT INTO account_stats (account, {column}) VALUES (:account, CASE WHEN :delta > 0 THEN :delta ELSE 0 END)
ON CONFLICT (account) DO UPDATE SET {column} =
  CASE WHEN account_stats.{column} + :delta > 0 THEN account_stats.{column} + :delta ELSE 0 END"""


BUMP_FOLLOWERS = _bump("followers")
BUMP_FOLLOWING = _bump("following")
BUMP_STATUSES = """
INSERT INTO account_stats (account, statuses, last_status_at)
VALUES (:account, CASE WHEN :delta > 0 THEN :delta ELSE 0 END, :at)
ON CONFLICT (account) DO UPDATE SET
  statuses = CASE WHEN account_stats.statuses + :delta > 0 THEN account_stats.statuses + :delta ELSE 0 END,
  last_status_at = CASE WHEN account_stats.last_status_at IS NULL OR account_stats.last_status_at < excluded.last_status_at
                        THEN excluded.last_status_at ELSE account_stats.last_status_at END"""
SET_TOTALS = """
INSERT INTO account_stats (account, statuses, followers, following)
VALUES (:account, COALESCE(CAST(:statuses AS BIGINT), 0), COALESCE(CAST(:followers AS BIGINT), 0),
        COALESCE(CAST(:following AS BIGINT), 0))
ON CONFLICT (account) DO UPDATE SET
  statuses = COALESCE(CAST(:statuses AS BIGINT), account_stats.statuses),
  followers = COALESCE(CAST(:followers AS BIGINT), account_stats.followers),
  following = COALESCE(CAST(:following AS BIGINT), account_stats.following)"""


def fold_username(username: str) -> str:
    """Handles are compared without case."""
    return username.casefold()


async def put_account(tx: Tx, account: Account) -> Account:
    """Inserts, or updates by URI, and returns the row as it is now: with its first id and date, and its version.

    The caller has checked that the handle belongs to the URI: a remote account that had it before loses it.
    The stored values win for ``id`` and ``created_at``; ``version`` rises when something visible changed. A local
    account never becomes remote or the other way round: that raises ValueError, since somebody took our URI for theirs.
    """
    assert account.local == (account.domain == "")
    values = ACCOUNT.values(account) | {"username_folded": fold_username(account.username)}
    if not account.local:
        await tx.run(RELEASE_HANDLE, username_folded=values["username_folded"], domain=account.domain, uri=account.uri)
    row = await tx.one(PUT_ACCOUNT, **values)
    if row is None:
        raise ValueError(f"{account.uri} is {'remote' if account.local else 'local'}")
    id_, version, created_at = row
    return replace(account, id=id_, version=version, created_at=created_at)


async def find_account(tx: Tx, account: AccountId) -> Account | None:
    return await tx.one_as(ACCOUNT.make, FIND_ACCOUNT, id=account)


async def find_by_uri(tx: Tx, uri: str) -> Account | None:
    return await tx.one_as(ACCOUNT.make, FIND_BY_URI, uri=uri)


async def find_id_by_uri(tx: Tx, uri: str) -> AccountId | None:
    found: AccountId | None = await tx.value(FIND_ID_BY_URI, uri=uri)
    return found


async def find_by_handle(tx: Tx, username: str, domain: str = "") -> Account | None:
    """``domain`` is '' for ours."""
    return await tx.one_as(ACCOUNT.make, FIND_BY_HANDLE, username=fold_username(username), domain=domain.lower())


async def find_by_url(tx: Tx, url: str, host: str) -> Account | None:
    """By its profile page, which lies on ``host`` (the host of its URI): what people paste into a search."""
    return await tx.one_as(ACCOUNT.make, FIND_BY_URL, url=url, host=host)


async def find_many(tx: Tx, ids: Iterable[AccountId]) -> dict[AccountId, Account]:
    wanted = set(ids)
    if not wanted:
        return {}
    return {account.id: account for account in await tx.all_as(ACCOUNT.make, LIST_ACCOUNTS, ids=wanted)}


async def find_many_by_uri(tx: Tx, uris: Iterable[str]) -> dict[str, Account]:
    wanted = set(uris)
    if not wanted:
        return {}
    return {account.uri: account for account in await tx.all_as(ACCOUNT.make, LIST_BY_URIS, uris=wanted)}


async def list_versions(tx: Tx, ids: Iterable[AccountId]) -> dict[AccountId, int]:
    """For caches of rendered bytes: far cheaper than the rows."""
    return dict(await tx.all(LIST_VERSIONS, ids=set(ids)))


async def list_local(tx: Tx, *, after: int = 0, limit: int = 1000) -> list[Account]:
    """People here, oldest first; the next page begins ``after`` the last id."""
    return await tx.all_as(ACCOUNT.make, LIST_LOCAL, after=after, limit=limit)


async def list_on_host(tx: Tx, host: str, *, after: int = 0, limit: int = 1000) -> list[Account]:
    return await tx.all_as(ACCOUNT.make, LIST_ON_HOST, host=host, after=after, limit=limit)


async def search(
    tx: Tx,
    query: str,
    *,
    viewer: AccountId | None = None,
    following_only: bool = False,
    limit: int = 40,
    offset: int = 0,
) -> list[Account]:
    """``name``, ``@name@domain`` (both may be cut short) or part of a display name. At most 80."""
    text = query.strip().removeprefix("@").casefold()
    username, _, domain = text.partition("@")
    if not username:
        return []
    return await tx.all_as(
        ACCOUNT.make,
        SEARCH,
        viewer=viewer or 0,
        following=int(following_only),
        exact=username,
        starts=_literal(username) + "%",
        contains="%" + _literal(text) + "%",
        domain=_literal(domain) + "%" if domain else "",
        limit=min(limit, 80),
        offset=offset,
    )


def _literal(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


async def update_profile(tx: Tx, account: Account) -> Account:
    """Writes a local account as it should be now (``dataclasses.replace`` of the stored one)."""
    assert account.local
    return await put_account(tx, account)


async def mark_moved(tx: Tx, account: AccountId, moved_to: str | None, now_ms: int) -> None:
    """``moved_to`` is the URI of the new account; None takes it back."""
    await tx.run(MARK_MOVED, id=account, moved_to=moved_to, now_ms=now_ms if moved_to else None)


async def mark_gone(tx: Tx, account: AccountId, now_ms: int) -> bool:
    """Deleted by its owner. Whether it was there until now."""
    return await tx.run(MARK_GONE, id=account, now_ms=now_ms) > 0


async def mark_fetched(tx: Tx, account: AccountId, now_ms: int) -> None:
    await tx.run(MARK_FETCHED, id=account, now_ms=now_ms)


async def mark_suspended_by_origin(tx: Tx, account: AccountId, *, suspended: bool) -> bool:
    return await tx.run(MARK_SUSPENDED_BY_ORIGIN, id=account, suspended=int(suspended)) > 0


async def count_hosts(tx: Tx) -> int:
    """Other servers that we know accounts of."""
    return int(await tx.value(COUNT_HOSTS))


async def count_local(tx: Tx) -> tuple[int, int]:
    """People here, and their statuses."""
    row = await tx.one(LOCAL_TOTALS)
    assert row is not None
    people, statuses = row
    return int(people), int(statuses)


async def count_active(tx: Tx, since_ms: int) -> int:
    """People here who posted since then."""
    return int(await tx.value(COUNT_ACTIVE, since=since_ms))


async def find_stats(tx: Tx, account: AccountId) -> AccountStats:
    """Zeros where nothing was counted yet."""
    found = await tx.one_as(STATS.make, FIND_STATS, account=account)
    return found or AccountStats(account=account)


async def find_many_stats(tx: Tx, accounts: Iterable[AccountId]) -> dict[AccountId, AccountStats]:
    """One for each of ``accounts``."""
    stats = {account: AccountStats(account=account) for account in accounts}
    if stats:
        stats |= {found.account: found for found in await tx.all_as(STATS.make, LIST_STATS, accounts=list(stats))}
    return stats


async def bump_statuses(tx: Tx, account: AccountId, delta: int, at_ms: int | None) -> None:
    """``at_ms`` is when the newest status was written; None when one is taken away."""
    await tx.run(BUMP_STATUSES, account=account, delta=delta, at=at_ms)


async def bump_followers(tx: Tx, account: AccountId, delta: int) -> None:
    await tx.run(BUMP_FOLLOWERS, account=account, delta=delta)


async def bump_following(tx: Tx, account: AccountId, delta: int) -> None:
    await tx.run(BUMP_FOLLOWING, account=account, delta=delta)


async def set_totals(
    tx: Tx,
    account: AccountId,
    *,
    statuses: int | None = None,
    followers: int | None = None,
    following: int | None = None,
) -> None:
    """As told by the account's own server; None: not told."""
    await tx.run(SET_TOTALS, account=account, statuses=statuses, followers=followers, following=following)
