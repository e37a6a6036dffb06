"""Finding things by name. Accounts are found in :mod:`fedi.store.accounts`."""

from typing import NamedTuple
from urllib.parse import unquote

from fedi.ids import StatusId
from fedi.store.database import Tx

# surface_head_name. The limit holds for a prefix that thousands of tags share.
TAGS_BY_PREFIX = """
SELECT name, last_id FROM surface_head WHERE name >= :low AND name < :high ORDER BY name LIMIT 400"""

STATUSES_AT_PAGE = """
SELECT s.id, s.uri, a.uri FROM status s JOIN account a ON a.id = s.account
 WHERE s.url = :url AND s.url <> s.uri AND s.local = 0 AND s.deleted_at IS NULL ORDER BY s.id LIMIT 10"""  # status_page


class StatusAtPage(NamedTuple):
    """A remote post that says its page is there; anybody may say so."""

    id: StatusId
    uri: str
    author: str


class FoundTag(NamedTuple):
    """``last_id``: of the newest post with it."""

    name: str
    last_id: int


async def list_tags(tx: Tx, surface_prefix: str, *, limit: int, offset: int = 0) -> list[FoundTag]:
    """Tags whose surface (``tag:…``) begins so, the exact one first, then the most recently used."""
    rows = await tx.all(TAGS_BY_PREFIX, low=surface_prefix, high=surface_prefix + "\x7f")
    exact = [row for row in rows if row[0] == surface_prefix]
    others = sorted((row for row in rows if row[0] != surface_prefix), key=lambda row: -int(row[1]))
    found = [FoundTag(unquote(str(name).removeprefix("tag:")), last_id) for name, last_id in exact + others]
    return found[offset : offset + limit]


async def list_statuses_at_page(tx: Tx, url: str) -> list[StatusAtPage]:
    return [StatusAtPage(*row) for row in await tx.all(STATUSES_AT_PAGE, url=url)]
