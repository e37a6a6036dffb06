"""Web sessions: a random secret in a cookie, its SHA-256 in the database, thirty days after the last sign-in."""

from fedi.auth.tokens import hash_secret, make_secret
from fedi.clock import Clock
from fedi.ids import AccountId
from fedi.store import oauth
from fedi.store.database import Database, Tx
from fedi.store.oauth import SessionRow

LIFE_MS = 30 * 86_400_000


class Sessions:
    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def start(self, account: AccountId) -> str:
        """Begins a session and returns the secret for the cookie."""
        secret = make_secret()
        now = self._clock.ms()

        async def unit(tx: Tx) -> None:
            await oauth.drop_old_sessions(tx, now_ms=now)
            await oauth.put_session(
                tx, id_hash=hash_secret(secret), account=account, now_ms=now, expires_at=now + LIFE_MS
            )

        await self._database.write("start a web session", unit)
        return secret

    async def find(self, secret: str) -> SessionRow | None:
        return await self._database.read_now(
            lambda tx: oauth.find_session(tx, hash_secret(secret), now_ms=self._clock.ms())
        )

    async def end(self, secret: str) -> None:
        await self._database.write("end a web session", lambda tx: oauth.drop_session(tx, hash_secret(secret)))
