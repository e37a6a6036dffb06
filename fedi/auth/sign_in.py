"""Checking who signs in."""

from fedi.auth.passwords import Passwords
from fedi.model.users import LocalUser
from fedi.store import users
from fedi.store.database import Database


async def find_signed_in(database: Database, passwords: Passwords, *, login: str, password: str) -> LocalUser | None:
    """The person with that address or user name and that password; None if either is wrong.

    Takes as long for a name that does not exist. Counting attempts is the caller's duty.
    """
    name = login.replace("\0", "")[:320]
    user = await database.read(lambda tx: users.find_by_login(tx, name))
    right = await passwords.is_right(user.password_hash if user is not None else None, password)
    return user if right else None
