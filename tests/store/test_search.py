"""Posts by the address of their page, on both engines."""

from fedi.store import search, statuses
from tests.support.rows import NOW_MS, put_account, put_reblog, put_status

PAGE = "https://far.example/@far/1"


async def test_remote_posts_are_found_by_the_page_that_they_name(db):
    ann, far = await put_account(db, "ann"), await put_account(db, "far", "far.example")
    other = await put_account(db, "other", "other.example")
    one = await put_status(db, far, url=PAGE)
    two = await put_status(db, other, url=PAGE)
    await put_status(db, ann, url=PAGE)  # pages of ours have an address that says which they are
    await put_status(db, far, uri="https://far.example/plain", url="https://far.example/plain")
    await put_reblog(db, far, one)

    async def find(url):
        return await db.read(lambda tx: search.list_statuses_at_page(tx, url))

    assert await find(PAGE) == [(one.id, one.uri, far.uri), (two.id, two.uri, other.uri)]
    assert await find("https://far.example/plain") == []
    await db.write("delete", lambda tx: statuses.mark_deleted(tx, one.id, NOW_MS))
    assert [found.id for found in await find(PAGE)] == [two.id]


async def test_an_index_leads_to_it(db):
    # A full planner would read a small table as a whole.
    if db.engine == "postgres":
        plan = "SELECT indexdef FROM pg_indexes WHERE indexname = 'status_page'"
        ((found,),) = await db.read(lambda tx: tx.all(plan))
        assert "(url)" in found
    else:
        rows = await db.read(lambda tx: tx.all(f"EXPLAIN QUERY PLAN {search.STATUSES_AT_PAGE}", url=PAGE))
        assert any("status_page" in str(row) for row in rows)
