"""Keys: those of strangers, fetched, checked in both directions and kept loaded; and our own, for signing.

A key counts only if its owner lists it (FEP-fe34). What could not be found is not asked for again for a while
(CVE-2026-34148), and a key that no longer fits is read anew once.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fedi.activitypub.keys import PublicKey, SigningKey, load_signing_key, parse_public_multikey, parse_public_pem
from fedi.activitypub.parse import parse_key_document, parse_object
from fedi.activitypub.urls import UrlRules, same_origin
from fedi.activitypub.vocab import ActorDocument, KeyDocument, PublishedKey
from fedi.clock import Clock
from fedi.errors import PeerFault, Unreachable
from fedi.ids import AccountId, Uri
from fedi.model.accounts import ActorKey
from fedi.remote.resolve import ResolvedActor, Resolver

MINUTE_MS = 60_000
NEGATIVE_MS = 10 * MINUTE_MS
REFETCH_MS = 10 * MINUTE_MS
KEPT_MS = 24 * 60 * MINUTE_MS
MAX_KEYS = 20_000
MAX_FAILURES = 10  # failed key fetches per source address and minute

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key as the store has it, with the URI of its owner."""

    key: ActorKey
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKey:
    """``actor`` is the owner's document if it was fetched just now: the caller stores it."""

    key: PublicKey
    actor: ResolvedActor | None = None


class _Recent(Generic[T]):
    """A bounded memory whose entries end."""

    def __init__(self, clock: Clock, kept_ms: int, most: int) -> None:
        self._clock = clock
        self._kept_ms = kept_ms
        self._most = most
        self._entries: OrderedDict[object, tuple[int, T]] = OrderedDict()

    def get(self, key: object) -> T | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock.ms():
            del self._entries[key]
            return None
        return entry[1]

    def put(self, key: object, value: T) -> None:
        self._entries[key] = (self._clock.ms() + self._kept_ms, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def drop(self, key: object) -> None:
        self._entries.pop(key, None)


class KeyRing:
    """``find_stored`` and ``list_own`` read the store."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        rules: UrlRules,
        clock: Clock,
        find_stored: Callable[[str], Awaitable[StoredKey | None]],
        list_own: Callable[[AccountId], Awaitable[Sequence[ActorKey]]],
    ) -> None:
        self._resolver = resolver
        self._rules = rules
        self._clock = clock
        self._find_stored = find_stored
        self._list_own = list_own
        self._public: _Recent[PublicKey] = _Recent(clock, KEPT_MS, MAX_KEYS)
        self._missing: _Recent[PeerFault | Unreachable] = _Recent(clock, NEGATIVE_MS, MAX_KEYS)
        self._refetched: _Recent[bool] = _Recent(clock, REFETCH_MS, MAX_KEYS)
        self._failures: _Recent[list[int]] = _Recent(clock, MINUTE_MS, MAX_KEYS)
        self._own: OrderedDict[AccountId, tuple[SigningKey, ...]] = OrderedDict()

    # Strangers' keys ----------------------------------------------------------------------------------------

    async def find_known(self, key_id: str) -> PublicKey | None:
        """From memory or the store; no network."""
        known = self._public.get(key_id)
        if known is None and (stored := await self._find_stored(key_id)) is not None:
            try:
                known = _loaded(_published(stored), stored.owner)
            except PeerFault:
                return None
            self._public.put(key_id, known)
        return known

    async def fetch(self, key_id: str, *, asked_by: str = "") -> FoundKey:
        """From its origin, with its owner. ``asked_by`` is the address of who makes us ask.

        Raises :class:`PeerFault` (also for 10 minutes after a failure) and :class:`Unreachable`.
        """
        known_fault = self._missing.get(key_id)
        if known_fault is not None:
            raise known_fault
        failures = self._failures.get(asked_by) if asked_by else None
        if failures is not None and failures[0] >= MAX_FAILURES:
            raise PeerFault("too-many-key-fetches", status=401, internal=asked_by)
        try:
            found = await self._fetch(key_id)
        except (PeerFault, Unreachable) as fault:
            self._missing.put(key_id, fault)
            if asked_by:
                self._count_failure(asked_by)
            raise
        self._public.put(key_id, found.key)
        return found

    async def refetch(self, key: PublicKey) -> FoundKey | None:
        """After a signature that does not fit: the key as it is now; None if that was asked lately or cannot be."""
        if self._refetched.get(key.owner):
            return None
        self._refetched.put(key.owner, True)
        try:
            return await self.fetch(key.id)
        except (PeerFault, Unreachable):
            return None

    def forget(self, key_ids: Sequence[str]) -> None:
        """An actor was read anew: its keys may have changed."""
        for key_id in key_ids:
            self._public.drop(key_id)
            self._missing.drop(key_id)

    def _count_failure(self, asked_by: str) -> None:
        failures = self._failures.get(asked_by)
        if failures is None:
            self._failures.put(asked_by, [1])
        else:
            failures[0] += 1

    async def _fetch(self, key_id: str) -> FoundKey:
        document, final_url = await self._resolver.fetch_key_document(key_id)
        shown = parse_key_document(document, self._rules)
        if not same_origin(final_url, shown.id):
            raise PeerFault("key-mismatch", internal=f"{key_id} was served by {final_url}")
        url = key_id.partition("#")[0]
        # An actor under its own address. Everything else only names an owner, who is asked then.
        if shown.id == url and shown.id == shown.owner and "inbox" in document:
            actor = parse_object(document, self._rules)
            if not isinstance(actor, ActorDocument):
                raise PeerFault("key-mismatch", internal=f"{key_id} leads to no actor")
        else:
            _check_standalone(key_id, url, shown)
            fetched = await self._resolver.fetch_object(shown.owner)
            if not isinstance(fetched, ActorDocument) or fetched.id != shown.owner:
                raise PeerFault("key-mismatch", internal=f"{key_id}: {shown.owner} is no actor")
            actor = fetched
        if key_id not in actor.key_ids:
            raise PeerFault("key-mismatch", internal=f"{actor.id} does not list {key_id}")
        candidates = [key for key in (*actor.keys, *shown.keys) if key.id == key_id and key.owner == actor.id]
        if not candidates:
            raise PeerFault("key-mismatch", internal=f"no key {key_id} of {actor.id}")
        return FoundKey(key=_loaded(candidates[0], actor.id), actor=await self._resolver.with_handle(actor))

    # Our own ------------------------------------------------------------------------------------------------

    async def own_keys(self, account: AccountId) -> tuple[SigningKey, ...]:
        """Loaded keys of a local account, oldest first; empty if it has none."""
        loaded = self._own.get(account)
        if loaded is None:
            stored = await self._list_own(account)
            loaded = tuple(load_signing_key(key.private_key, id=key.id) for key in stored if key.private_key)
            self._own[account] = loaded
            if len(self._own) > MAX_KEYS:
                self._own.popitem(last=False)
        return loaded

    async def own_key(self, account: AccountId, kind: str = "rsa") -> SigningKey:
        """The newest key of that kind. Raises ``KeyError`` if a local account has none, which is our fault."""
        for key in reversed(await self.own_keys(account)):
            if key.kind == kind:
                return key
        raise KeyError(f"account {account} has no {kind} key")

    def forget_own(self, account: AccountId) -> None:
        """Its keys were changed."""
        self._own.pop(account, None)


def _check_standalone(key_id: str, url: str, shown: KeyDocument) -> None:
    """A key document is believed under its own address; GoToSocial's stub is shaped like its owner instead."""
    if shown.id in {url, key_id}:
        return
    is_stub = shown.id == shown.owner and any(key.id == key_id and key.owner == shown.owner for key in shown.keys)
    if not is_stub:
        raise PeerFault("key-mismatch", internal=f"{key_id} leads to {shown.id}")


def _published(stored: StoredKey) -> PublishedKey:
    text = stored.key.public_key
    is_pem = text.startswith("-----")
    return PublishedKey(
        id=Uri(stored.key.id), owner=Uri(stored.owner), pem=text if is_pem else None, multibase=None if is_pem else text
    )


def _loaded(key: PublishedKey, owner: str) -> PublicKey:
    if key.multibase is not None:
        return parse_public_multikey(key.multibase, id=key.id, owner=owner)
    return parse_public_pem(key.pem or "", id=key.id, owner=owner)
