"""What the outbox is given by ``app.py``, and the small protocols through which it knows other rooms."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from fedi.activitypub.uris import LocalUris
from fedi.clock import Clock
from fedi.config import PostsConfig
from fedi.ids import AccountId, IdMaker
from fedi.ledger.decisions import Decision
from fedi.policies.base import Hook, Snapshot
from fedi.policies.merge import Judgement
from fedi.store.database import Database
from fedi.streaming.hub import Hub


class PeopleFinder(Protocol):
    """Knows, or asks other servers for, accounts by handle. Never called inside a transaction."""

    async def find_by_handle(self, username: str, domain: str) -> AccountId | None:
        """The stored account; None when there is none, or it cannot be had now."""
        ...

    async def find_actor(self, uri: str) -> AccountId | None:
        """The actor whose document is at ``uri`` now, stored; None when something else is there, or nothing.

        Raises :class:`fedi.errors.Unreachable`, and :class:`fedi.errors.PeerFault` for an actor that may not be stored.
        """
        ...


class Judge(Protocol):
    """:class:`fedi.policies.host.PolicyHost`."""

    def wanted(self, hook: Hook) -> frozenset[str]: ...

    def judge(self, snapshot: Snapshot) -> Judgement: ...


class Refusals(Protocol):
    """:class:`fedi.ledger.decisions.Decisions`."""

    def refusal_of_host(self, host: str, now_ms: int) -> Decision | None: ...

    def refusal_of(self, uri: str, now_ms: int) -> Decision | None: ...


class Nobody:
    """Finds no one: for tests, and where nothing may be asked."""

    async def find_by_handle(self, username: str, domain: str) -> AccountId | None:  # noqa: ARG002
        return None

    async def find_actor(self, uri: str) -> AccountId | None:  # noqa: ARG002
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """``media_base`` is the URL under which the media folder is served, with a slash at its end; ``instance_account``
    is the server's own actor, which signs reports; ``forget_tokens`` is called when some have ended."""

    db: Database
    clock: Clock
    ids: IdMaker
    uris: LocalUris
    hub: Hub
    policies: Judge
    refusals: Refusals
    people: PeopleFinder = field(default_factory=Nobody)
    posts: PostsConfig = field(default_factory=PostsConfig)
    media_base: str = ""
    instance_account: AccountId | None = None
    forget_tokens: Callable[[], None] = lambda: None
