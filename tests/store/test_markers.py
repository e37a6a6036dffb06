"""How far people have read, on both engines."""

from fedi.store import markers
from tests.support.rows import NOW_MS, put_account


async def test_a_marker_counts_its_versions_and_may_go_back(db):
    ana = await put_account(db, "ana")

    async def mark(timeline, last_read_id, now_ms=NOW_MS):
        return await db.write("test", lambda tx: markers.put_marker(tx, ana.id, timeline, last_read_id, now_ms))

    assert (await mark("home", "200")).version == 1
    home = await mark("home", "100", NOW_MS + 1)
    assert (home.timeline, home.last_read_id, home.version, home.updated_at) == ("home", "100", 2, NOW_MS + 1)
    read = await mark("notifications", "7")
    found = await db.read(lambda tx: markers.list_markers(tx, ana.id, ["home", "notifications"]))
    assert found == {"home": home, "notifications": read}
    assert await db.read(lambda tx: markers.list_markers(tx, ana.id, ["home"])) == {"home": home}
    assert await db.read(lambda tx: markers.list_markers(tx, ana.id + 1, ["home"])) == {}
