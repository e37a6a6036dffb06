"""Access tokens: 256 random bits, stored as SHA-256, never expiring (no app refreshes), ended by revocation alone."""

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from fedi.auth.scopes import covers, render_scopes
from fedi.clock import Clock
from fedi.ids import AccountId
from fedi.store import oauth
from fedi.store.database import Database, Tx

CACHE_TOKENS = 10_000
CACHE_LIFE_MS = 60_000  # another process, or the command line, may have revoked it


def make_secret() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """What is stored: plain SHA-256 is enough for text with 256 bits of randomness."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The person on whose behalf an app calls."""

    account_id: AccountId
    scopes: frozenset[str]
    app_id: int
    token_id: int

    def may(self, scope: str) -> bool:
        return covers(self.scopes, scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A valid token. ``caller`` is None for an app's own token (client credentials)."""

    token_id: int
    app_id: int
    scopes: frozenset[str]
    caller: Caller | None
    confirmed: bool

    def may(self, scope: str) -> bool:
        return covers(self.scopes, scope)


class Tokens:
    """Finds, makes and revokes tokens; keeps the recently used ones in memory."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._cache: OrderedDict[str, tuple[int, Grant]] = OrderedDict()
        self._epoch = 0  # rises with each revocation, so that a read begun before it is not kept

    async def find(self, secret: str) -> Grant | None:
        """The grant behind a token as the app sent it; None when unknown or revoked."""
        token_hash = hash_secret(secret)
        cached = self._cache.get(token_hash)
        if cached is not None and self._clock.ms() < cached[0]:
            return cached[1]
        epoch = self._epoch
        row = await self._database.read_now(lambda tx: oauth.find_token(tx, token_hash))
        if row is None or row.gone_at is not None:
            self._cache.pop(token_hash, None)
            return None
        grant = _grant(row)
        if epoch == self._epoch:
            self._cache[token_hash] = (self._clock.ms() + CACHE_LIFE_MS, grant)
            while len(self._cache) > CACHE_TOKENS:
                self._cache.popitem(last=False)
        return grant

    async def issue(
        self, tx: Tx, *, app: int, account: AccountId | None, scopes: frozenset[str], code_hash: str | None = None
    ) -> str:
        """Writes a new token inside the caller's unit, and returns it: the only time it is seen."""
        secret = make_secret()
        await oauth.put_token(
            tx,
            token_hash=hash_secret(secret),
            app=app,
            account=account,
            scopes=render_scopes(scopes),
            now_ms=self._clock.ms(),
            code_hash=code_hash,
        )
        return secret

    async def revoke(self, secret: str, *, app: int) -> None:
        token_hash = hash_secret(secret)
        await self._database.write("revoke a token", lambda tx: oauth.drop_token(tx, token_hash, app=app))
        self.forget_all()

    def forget_all(self) -> None:
        """After anything that ends tokens or changes what their owners may do. Rare, so the whole cache goes."""
        self._epoch += 1
        self._cache.clear()


def _grant(row: oauth.TokenRow) -> Grant:
    scopes = frozenset(row.scopes.split())
    caller = None
    if row.account is not None:
        caller = Caller(account_id=row.account, scopes=scopes, app_id=row.app, token_id=row.id)
    return Grant(
        token_id=row.id,
        app_id=row.app,
        scopes=scopes,
        caller=caller,
        confirmed=row.account is None or row.confirmed_at is not None,
    )
