"""OAuth 2 without HTTP: apps, authorization codes with PKCE, and exchanging them (RFC 6749, 7636, 9700)."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from fedi.auth.scopes import covers, render_scopes
from fedi.auth.tokens import Tokens, hash_secret, make_secret
from fedi.clock import Clock
from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.ids import AccountId, IdMaker
from fedi.store import oauth
from fedi.store.database import Database, Tx
from fedi.store.oauth import App

CODE_LIFE_MS = 10 * 60_000
CODE_MEMORY_MS = 86_400_000  # how long a used code is known, so that its reuse is noticed
MAX_URI_CHARACTERS = 2000
MAX_REDIRECT_URIS = 20
MAX_NAME_CHARACTERS = 100

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):.+", re.DOTALL)
_REFUSED_SCHEMES = frozenset({"data", "javascript", "vbscript"})  # a browser would run them as ours
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApp:
    app: App
    client_secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A new access token, as the app gets it."""

    token: str
    scopes: frozenset[str]
    created_at: int  # ms


def check_redirect_uri(uri: str) -> None:
    """Refuses what a browser must never be sent to; everything else is kept byte for byte, never normalised.

    Apps register schemes of their own, with one slash or none. Raises ``ClientFault``.
    """
    scheme = _SCHEME.fullmatch(uri)
    readable = uri.isprintable() and " " not in uri and "#" not in uri and len(uri) <= MAX_URI_CHARACTERS
    if scheme is None or not readable or scheme[1].lower() in _REFUSED_SCHEMES or not _has_parts(uri):
        raise ClientFault(
            "bad-redirect-uri", _("The redirect URI “%(uri)s” cannot be used."), params={"uri": uri[:200]}
        )


def _has_parts(uri: str) -> bool:
    """Whether its host can be named to the person who is asked for consent."""
    try:
        urlsplit(uri)
    except ValueError:
        return False
    return True


def is_challenge(text: str) -> bool:
    """Whether it has the form of an S256 challenge: 256 bits in base64url."""
    return _CHALLENGE.fullmatch(text) is not None


def is_verified(challenge: str, verifier: str) -> bool:
    """RFC 7636 §4.6, method S256."""
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge)


class Grants:
    """Registers apps and turns consent into tokens."""

    def __init__(self, *, database: Database, tokens: Tokens, clock: Clock, ids: IdMaker) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock
        self._ids = ids

    async def register(
        self, *, name: str, website: str | None, redirect_uris: Sequence[str], scopes: frozenset[str]
    ) -> NewApp:
        """A new app. Raises ``ClientFault`` for a missing name or a redirect URI that cannot be used."""
        if not name.strip():
            raise ClientFault("blank-name", _("An app needs a name."))
        if not redirect_uris:
            raise ClientFault("no-redirect-uri", _("An app needs a redirect URI."))
        if len(redirect_uris) > MAX_REDIRECT_URIS:
            raise ClientFault("too-many-redirect-uris", _("An app cannot have that many redirect URIs."))
        for uri in redirect_uris:
            check_redirect_uri(uri)
        secret = make_secret()
        app = App(
            id=self._ids.next(),
            client_id=make_secret(),
            secret_hash=hash_secret(secret),
            name=name.strip().replace("\0", "")[:MAX_NAME_CHARACTERS],
            website=website,
            redirect_uris=tuple(redirect_uris),
            scopes=scopes,
            created_at=self._clock.ms(),
        )
        await self._database.write(
            "register an app",
            lambda tx: oauth.put_app(
                tx,
                app_id=app.id,
                client_id=app.client_id,
                secret_hash=app.secret_hash,
                name=app.name,
                website=app.website,
                redirect_uris=app.redirect_uris,
                scopes=render_scopes(app.scopes),
                now_ms=app.created_at,
            ),
        )
        return NewApp(app=app, client_secret=secret)

    async def find_app(self, client_id: str) -> App | None:
        return await self._database.read_now(lambda tx: oauth.find_app(tx, client_id))

    async def find_app_by_id(self, app_id: int) -> App | None:
        return await self._database.read_now(lambda tx: oauth.find_app_by_id(tx, app_id))

    async def find_authenticated(self, client_id: str, client_secret: str) -> App | None:
        """The app, if the secret is its own."""
        app = await self.find_app(client_id)
        if app is None or not hmac.compare_digest(app.secret_hash, hash_secret(client_secret)):
            return None
        return app

    async def consent(
        self, *, app: App, account: AccountId, redirect_uri: str, scopes: frozenset[str], challenge: str | None
    ) -> str:
        """The code for an app that a person has allowed in. Single use, ten minutes."""
        code = make_secret()
        now = self._clock.ms()

        async def unit(tx: Tx) -> None:
            await oauth.drop_old_codes(tx, before_ms=now - CODE_MEMORY_MS)
            await oauth.put_code(
                tx,
                code_hash=hash_secret(code),
                app=app.id,
                account=account,
                redirect_uri=redirect_uri,
                scopes=render_scopes(scopes),
                challenge=challenge,
                expires_at=now + CODE_LIFE_MS,
            )

        await self._database.write("write an authorization code", unit)
        return code

    async def exchange(self, *, app: App, code: str, redirect_uri: str, verifier: str | None) -> Issued | None:
        """The token for a code; None when the code is not good for it.

        Every attempt uses the code up, and a second one revokes what the first one got (RFC 6749 §4.1.2): whoever
        sends a code twice, or with a wrong verifier, may have stolen it.
        """
        code_hash = hash_secret(code)
        now = self._clock.ms()

        async def unit(tx: Tx) -> tuple[Issued | None, bool]:
            row = await oauth.find_code(tx, code_hash)
            if row is None or row.app != app.id:
                return None, False
            if not await oauth.mark_code_used(tx, code_hash, now_ms=now):
                return None, bool(await oauth.drop_tokens_of_code(tx, code_hash))
            verified = is_verified(row.challenge, verifier or "") if row.challenge is not None else not verifier
            if now >= row.expires_at or row.redirect_uri != redirect_uri or not verified:
                return None, False
            scopes = frozenset(row.scopes.split())
            token = await self._tokens.issue(tx, app=app.id, account=row.account, scopes=scopes, code_hash=code_hash)
            return Issued(token=token, scopes=scopes, created_at=now), False

        issued, revoked = await self._database.write("exchange an authorization code", unit)
        if revoked:
            self._tokens.forget_all()
        return issued

    async def issue_to_app(self, *, app: App, scopes: frozenset[str]) -> Issued:
        """A token for the app itself."""
        now = self._clock.ms()
        token = await self._database.write(
            "issue an app token", lambda tx: self._tokens.issue(tx, app=app.id, account=None, scopes=scopes)
        )
        return Issued(token=token, scopes=scopes, created_at=now)


def is_within(app: App, scopes: frozenset[str]) -> bool:
    """Whether an app may ask for these scopes: it must have named them, or wider ones, when it registered."""
    return all(covers(app.scopes, scope) for scope in scopes)
