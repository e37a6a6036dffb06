"""Asking other servers on behalf of somebody here. The web knows this protocol alone; ``app.py`` hands in who does it."""

from typing import Protocol

from aiohttp import web

from fedi.ids import AccountId
from fedi.inbox.lookups import Found


class Lookup(Protocol):
    """Finds, fetches and stores; what cannot be had now is not found. Never called inside a transaction."""

    async def find_by_handle(self, username: str, domain: str) -> AccountId | None:
        """The account behind ``username@domain``, which is another server's."""
        ...

    async def find_by_url(self, url: str) -> Found:
        """What a URI, or the address of a page at another server, names."""
        ...


LOOKUP: web.AppKey[Lookup] = web.AppKey("lookup", Lookup)

__all__ = ["LOOKUP", "Found", "Lookup"]
