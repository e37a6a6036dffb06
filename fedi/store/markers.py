"""How far people have read their timelines."""

from collections.abc import Collection

from fedi.ids import AccountId
from fedi.model.notifications import Marker
from fedi.store.database import Tx
from fedi.store.rows import Shape

MARKER = Shape(Marker)

PUT_MARKER = f"""
INSERT INTO marker (account, timeline, last_read_id, version, updated_at)
VALUES (:account, :timeline, :last_read_id, 1, :now_ms)
ON CONFLICT (account, timeline) DO UPDATE SET last_read_id = excluded.last_read_id, version = marker.version + 1,
  updated_at = excluded.updated_at
RETURNING {MARKER.columns}"""
LIST_MARKERS = f"SELECT {MARKER.columns} FROM marker WHERE account = :account AND timeline IN TEXTS(:timelines)"


async def put_marker(tx: Tx, account: AccountId, timeline: str, last_read_id: str, now_ms: int) -> Marker:
    """May also go back: somebody reads again."""
    marker = await tx.one_as(
        MARKER.make, PUT_MARKER, account=account, timeline=timeline, last_read_id=last_read_id, now_ms=now_ms
    )
    assert marker is not None
    return marker


async def list_markers(tx: Tx, account: AccountId, timelines: Collection[str]) -> dict[str, Marker]:
    """By timeline; those never marked are left out."""
    found = await tx.all_as(MARKER.make, LIST_MARKERS, account=account, timelines=timelines)
    return {marker.timeline: marker for marker in found}
