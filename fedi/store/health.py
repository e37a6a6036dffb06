"""Whether the database answers."""

from fedi.store.database import Tx

PING = "SELECT 1"


async def ping(tx: Tx) -> None:
    await tx.value(PING)
