"""Reports, on both engines."""

from fedi.store import reports
from fedi.store.paging import Window
from tests.support.rows import NOW_MS, put_account


async def test_a_report_is_taken_once_and_comes_back_as_it_was_put(db):
    ana, ben = await put_account(db, "ana"), await put_account(db, "ben", "there.example")

    async def report(uri, **rest):
        facts = {"statuses": (), "comment": "", "now_ms": NOW_MS, "due_at": NOW_MS + 9} | rest
        return await db.write(
            "test", lambda tx: reports.put_report(tx, uri=uri, account=ben.id, target=ana.id, **facts)
        )

    uri = "https://there.example/flags/1"
    first = await report(uri, statuses=("https://here.example/1",), comment="spam!", category="spam", forwarded=True)
    assert (first.statuses, first.comment, first.category, first.forwarded, first.due_at) == (
        ("https://here.example/1",), "spam!", "spam", True, NOW_MS + 9,
    )  # fmt: skip
    assert await report(uri, comment="again") is None
    own, more = await report(None), await report(None)
    assert await db.read(lambda tx: reports.find_report(tx, first.id)) == first
    assert await db.read(lambda tx: reports.find_report_by_uri(tx, uri)) == first
    assert await db.read(reports.list_reports) == [more, own, first]
    assert await db.read(lambda tx: reports.list_reports(tx, Window(max_id=own.id))) == [first]
