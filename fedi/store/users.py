"""People who can sign in."""

from fedi.ids import AccountId
from fedi.model.users import LocalUser, Role, UserSettings
from fedi.store.accounts import fold_username
from fedi.store.database import Tx
from fedi.store.rows import Shape, to_json

USER = Shape(LocalUser)

PUT_USER = f"INSERT INTO local_user ({USER.columns}) VALUES ({USER.parameters})"
FIND_USER = f"SELECT {USER.columns} FROM local_user WHERE account = :account"
FIND_BY_EMAIL = f"SELECT {USER.columns} FROM local_user WHERE email = :email"
FIND_BY_USERNAME = f"""
SELECT {USER.columns_of("u")} FROM account a JOIN local_user u ON u.account = a.id
 WHERE a.username_folded = :username AND a.domain = ''"""  # account_handle
LIST_USERS = f"SELECT {USER.columns} FROM local_user WHERE account > :after ORDER BY account LIMIT :limit"
LIST_BY_ROLES = f"SELECT {USER.columns} FROM local_user WHERE role IN TEXTS(:roles) ORDER BY account"
SET_PASSWORD = "UPDATE local_user SET password_hash = :password_hash WHERE account = :account"  # noqa: S105
SET_EMAIL = "UPDATE local_user SET email = :email, confirmed_at = NULL WHERE account = :account"
SET_SETTINGS = "UPDATE local_user SET settings = :settings WHERE account = :account"
SET_LOCALE = "UPDATE local_user SET locale = :locale WHERE account = :account"
SET_ROLE = "UPDATE local_user SET role = :role WHERE account = :account"
CONFIRM = "UPDATE local_user SET confirmed_at = :now_ms WHERE account = :account AND confirmed_at IS NULL"
DROP_USER = "DELETE FROM local_user WHERE account = :account"
DROP_PRIVATE = (
    "DELETE FROM list_member WHERE list IN (SELECT id FROM list WHERE account = :account)",
    "DELETE FROM list WHERE account = :account",
    "DELETE FROM bookmark WHERE account = :account",
    "DELETE FROM thread_mute WHERE account = :account",
    "DELETE FROM marker WHERE account = :account",
    "DELETE FROM notification WHERE account = :account",
    "DELETE FROM idempotency WHERE account = :account",
)


def fold_email(email: str) -> str:
    """Two spellings of one address are one: nobody gets two accounts by case."""
    return email.strip().casefold()


async def put_user(tx: Tx, user: LocalUser) -> None:
    """Raises UniqueViolation (around the unit) when the address or the account is taken."""
    values = USER.values(user)
    if user.email is not None:
        values["email"] = fold_email(user.email)
    await tx.run(PUT_USER, **values)


async def find_user(tx: Tx, account: AccountId) -> LocalUser | None:
    return await tx.one_as(USER.make, FIND_USER, account=account)


async def find_by_email(tx: Tx, email: str) -> LocalUser | None:
    return await tx.one_as(USER.make, FIND_BY_EMAIL, email=fold_email(email))


async def find_by_username(tx: Tx, username: str) -> LocalUser | None:
    return await tx.one_as(USER.make, FIND_BY_USERNAME, username=fold_username(username))


async def find_by_login(tx: Tx, name: str) -> LocalUser | None:
    """By address or user name, whichever was typed."""
    return await (find_by_email(tx, name) if "@" in name[1:] else find_by_username(tx, name.removeprefix("@").strip()))


async def list_users(tx: Tx, *, after: int = 0, limit: int = 1000) -> list[LocalUser]:
    return await tx.all_as(USER.make, LIST_USERS, after=after, limit=limit)


async def list_by_roles(tx: Tx, *roles: Role) -> list[LocalUser]:
    return await tx.all_as(USER.make, LIST_BY_ROLES, roles=roles)


async def set_password_hash(tx: Tx, account: AccountId, password_hash: str | None) -> None:
    """None: nobody can sign in with a password."""
    await tx.run(SET_PASSWORD, account=account, password_hash=password_hash)


async def set_email(tx: Tx, account: AccountId, email: str | None) -> None:
    """The new address is not confirmed yet."""
    await tx.run(SET_EMAIL, account=account, email=fold_email(email) if email is not None else None)


async def set_settings(tx: Tx, account: AccountId, settings: UserSettings) -> None:
    await tx.run(SET_SETTINGS, account=account, settings=to_json(settings))


async def set_locale(tx: Tx, account: AccountId, locale: str) -> None:
    await tx.run(SET_LOCALE, account=account, locale=locale)


async def set_role(tx: Tx, account: AccountId, role: Role) -> None:
    await tx.run(SET_ROLE, account=account, role=role)


async def confirm(tx: Tx, account: AccountId, now_ms: int) -> bool:
    """Whether the address was unconfirmed until now."""
    return await tx.run(CONFIRM, account=account, now_ms=now_ms) > 0


async def drop_user(tx: Tx, account: AccountId) -> None:
    await tx.run(DROP_USER, account=account)


async def drop_private(tx: Tx, account: AccountId) -> None:
    """What only this person could see: lists, bookmarks, notifications, places in timelines."""
    for statement in DROP_PRIVATE:
        await tx.run(statement, account=account)
