"""Rows of sign-in: apps, authorization codes, tokens, web sessions. Secrets are here as SHA-256 only."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from fedi.ids import AccountId
from fedi.store.database import Tx


class App(NamedTuple):
    id: int
    client_id: str
    secret_hash: str
    name: str
    website: str | None
    redirect_uris: tuple[str, ...]  # byte for byte as registered
    scopes: frozenset[str]
    created_at: int


class CodeRow(NamedTuple):
    app: int
    account: AccountId
    redirect_uri: str
    scopes: str
    challenge: str | None
    expires_at: int
    used_at: int | None


class TokenRow(NamedTuple):
    """A token with what must be known of its owner at each request."""

    id: int
    app: int
    account: AccountId | None
    scopes: str
    confirmed_at: int | None
    gone_at: int | None


class SessionRow(NamedTuple):
    account: AccountId
    username: str
    locale: str
    expires_at: int


_APP = "id, client_id, secret_hash, name, website, redirect_uris, scopes, created_at"
INSERT_APP = f"""
INSERT INTO app ({_APP})
VALUES (:id, :client_id, :secret_hash, :name, :website, :redirect_uris, :scopes, :created_at)"""
APP_BY_CLIENT = f"SELECT {_APP} FROM app WHERE client_id = :client_id"
APP_BY_ID = f"SELECT {_APP} FROM app WHERE id = :id"


def _app(  # noqa: PLR0917 - columns by position
    id_: int, client_id: str, secret: str, name: str, website: str | None, uris: str, scopes: str, created_at: int
) -> App:
    return App(id_, client_id, secret, name, website, tuple(json.loads(uris)), frozenset(scopes.split()), created_at)


async def put_app(
    tx: Tx,
    *,
    app_id: int,
    client_id: str,
    secret_hash: str,
    name: str,
    website: str | None,
    redirect_uris: Sequence[str],
    scopes: str,
    now_ms: int,
) -> None:
    await tx.run(
        INSERT_APP,
        id=app_id,
        client_id=client_id,
        secret_hash=secret_hash,
        name=name,
        website=website,
        redirect_uris=json.dumps(list(redirect_uris), ensure_ascii=False),
        scopes=scopes,
        created_at=now_ms,
    )


async def find_app(tx: Tx, client_id: str) -> App | None:
    return await tx.one_as(_app, APP_BY_CLIENT, client_id=client_id)


async def find_app_by_id(tx: Tx, app_id: int) -> App | None:
    return await tx.one_as(_app, APP_BY_ID, id=app_id)


INSERT_CODE = """
INSERT INTO oauth_code (code_hash, app, account, redirect_uri, scopes, challenge, expires_at)
VALUES (:code_hash, :app, :account, :redirect_uri, :scopes, :challenge, :expires_at)"""
CODE = """
SELECT app, account, redirect_uri, scopes, challenge, expires_at, used_at FROM oauth_code WHERE code_hash = :code_hash"""
# The condition makes two requests with one code differ: only one of them changes a row.
USE_CODE = "UPDATE oauth_code SET used_at = :now WHERE code_hash = :code_hash AND used_at IS NULL"
REVOKE_BY_CODE = "DELETE FROM token WHERE code_hash = :code_hash"
TOKENS_BY_CODE = "SELECT token_hash FROM token WHERE code_hash = :code_hash"
# A used code is remembered for a day, so that its reuse is noticed. Full scan of a table that holds one day.
DROP_OLD_CODES = "DELETE FROM oauth_code WHERE expires_at < :before"


async def put_code(
    tx: Tx,
    *,
    code_hash: str,
    app: int,
    account: AccountId,
    redirect_uri: str,
    scopes: str,
    challenge: str | None,
    expires_at: int,
) -> None:
    await tx.run(
        INSERT_CODE,
        code_hash=code_hash,
        app=app,
        account=account,
        redirect_uri=redirect_uri,
        scopes=scopes,
        challenge=challenge,
        expires_at=expires_at,
    )


async def find_code(tx: Tx, code_hash: str) -> CodeRow | None:
    return await tx.one_as(CodeRow, CODE, code_hash=code_hash)


async def mark_code_used(tx: Tx, code_hash: str, *, now_ms: int) -> bool:
    """Whether this call was the first to use it."""
    return await tx.run(USE_CODE, code_hash=code_hash, now=now_ms) == 1


async def drop_tokens_of_code(tx: Tx, code_hash: str) -> list[str]:
    """Revokes what a code was exchanged for, and returns the hashes of those tokens."""
    hashes = [str(row[0]) for row in await tx.all(TOKENS_BY_CODE, code_hash=code_hash)]
    await tx.run(REVOKE_BY_CODE, code_hash=code_hash)
    return hashes


async def drop_old_codes(tx: Tx, *, before_ms: int) -> int:
    return await tx.run(DROP_OLD_CODES, before=before_ms)


INSERT_ACCESS = """
INSERT INTO token (token_hash, app, account, scopes, created_at, code_hash)
VALUES (:token_hash, :app, :account, :scopes, :created_at, :code_hash)"""
ACCESS = """
SELECT t.id, t.app, t.account, t.scopes, u.confirmed_at, a.gone_at
  FROM token t
  LEFT JOIN local_user u ON u.account = t.account
  LEFT JOIN account a ON a.id = t.account
 WHERE t.token_hash = :token_hash"""
DROP_ACCESS = "DELETE FROM token WHERE token_hash = :token_hash AND app = :app"
DROP_ACCESS_OF_ACCOUNT = (
    "DELETE FROM token WHERE account = :account",
    "DELETE FROM oauth_code WHERE account = :account",
    "DELETE FROM web_session WHERE account = :account",
)


async def put_token(
    tx: Tx,
    *,
    token_hash: str,
    app: int,
    account: AccountId | None,
    scopes: str,
    now_ms: int,
    code_hash: str | None = None,
) -> None:
    await tx.run(
        INSERT_ACCESS,
        token_hash=token_hash,
        app=app,
        account=account,
        scopes=scopes,
        created_at=now_ms,
        code_hash=code_hash,
    )


async def find_token(tx: Tx, token_hash: str) -> TokenRow | None:
    return await tx.one_as(TokenRow, ACCESS, token_hash=token_hash)


async def drop_token(tx: Tx, token_hash: str, *, app: int) -> bool:
    """Revokes a token of that app; false when there is none."""
    return await tx.run(DROP_ACCESS, token_hash=token_hash, app=app) == 1


async def drop_access_of_account(tx: Tx, account: AccountId) -> None:
    """Ends its sessions and tokens, and the codes that were to become some."""
    for statement in DROP_ACCESS_OF_ACCOUNT:
        await tx.run(statement, account=account)


INSERT_SESSION = """
INSERT INTO web_session (id_hash, account, created_at, expires_at) VALUES (:id_hash, :account, :now, :expires_at)"""
SESSION = """
SELECT s.account, a.username, u.locale, s.expires_at
  FROM web_session s JOIN account a ON a.id = s.account JOIN local_user u ON u.account = s.account
 WHERE s.id_hash = :id_hash AND s.expires_at > :now AND a.gone_at IS NULL"""
DROP_SESSION = "DELETE FROM web_session WHERE id_hash = :id_hash"
DROP_OLD_SESSIONS = "DELETE FROM web_session WHERE expires_at <= :now"


async def put_session(tx: Tx, *, id_hash: str, account: AccountId, now_ms: int, expires_at: int) -> None:
    await tx.run(INSERT_SESSION, id_hash=id_hash, account=account, now=now_ms, expires_at=expires_at)


async def find_session(tx: Tx, id_hash: str, *, now_ms: int) -> SessionRow | None:
    return await tx.one_as(SessionRow, SESSION, id_hash=id_hash, now=now_ms)


async def drop_session(tx: Tx, id_hash: str) -> None:
    await tx.run(DROP_SESSION, id_hash=id_hash)


async def drop_old_sessions(tx: Tx, *, now_ms: int) -> int:
    return await tx.run(DROP_OLD_SESSIONS, now=now_ms)
