"""Whom somebody knows among the followers of others."""

from collections.abc import Iterable

from fedi.ids import AccountId
from fedi.store.database import Tx

MOST_EACH = 10

# follow_once gives whom the viewer follows, and again whether they follow each target.
LIST_FAMILIAR = """
SELECT g.target, g.follower FROM follow f JOIN follow g ON g.follower = f.target AND g.target IN INTS(:targets)
 WHERE f.follower = :viewer AND f.state = 'accepted' AND g.state = 'accepted' ORDER BY g.target, g.id DESC"""


async def list_familiar(tx: Tx, viewer: AccountId, targets: Iterable[AccountId]) -> dict[AccountId, list[AccountId]]:
    """For each of ``targets``: its followers whom ``viewer`` follows, newest first, at most :data:`MOST_EACH`."""
    found: dict[AccountId, list[AccountId]] = {target: [] for target in targets}
    if found:
        for target, follower in await tx.all(LIST_FAMILIAR, viewer=viewer, targets=list(found)):
            if len(found[target]) < MOST_EACH:
                found[target].append(follower)
    return found
