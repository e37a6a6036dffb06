"""Password hashing: argon2id with 19 MiB, two passes, one lane (the OWASP baseline).

One hash takes about 25 ms of a core and 19 MiB, so hashing never runs on the loop and never more than two at a time.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from fedi.errors import ClientFault

MIN_PASSWORD_CHARACTERS = 8
MAX_PASSWORD_BYTES = 1024  # a longer one only costs us time

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def check_new_password(password: str) -> None:
    """Raises ClientFault where it is too short to protect anything, or longer than is hashed."""
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise ClientFault("password-too-short", "A password has at least 8 characters.")
    if len(password.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES:
        raise ClientFault("password-too-long", "This password is too long.")


def hash_password(password: str) -> str:
    """The PHC string to store. Blocks for tens of milliseconds: for the command line; else use :class:`Passwords`."""
    return _hasher.hash(password)


def is_password(stored: str, password: str) -> bool:
    """Whether ``password`` is the one ``stored`` was made from; an unreadable hash matches nothing."""
    if len(password.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES:
        return False
    try:
        return _hasher.verify(stored, password)
    except (Argon2Error, InvalidHashError, UnicodeEncodeError):
        return False


class Passwords:
    """Hashing off the loop, two at a time."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._pool, hash_password, password)

    async def is_right(self, stored: str | None, password: str) -> bool:
        """As slow when there is no such account as when there is, so that time does not tell which names exist."""
        if stored is None:
            if self._decoy is None:
                self._decoy = await self.hash("")
            await self._verify(self._decoy, password + "x")
            return False
        return await self._verify(stored, password)

    async def _verify(self, stored: str, password: str) -> bool:
        return await asyncio.get_running_loop().run_in_executor(self._pool, is_password, stored, password)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
