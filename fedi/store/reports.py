"""Reports, ours and those of other servers (``Flag``)."""

from collections.abc import Sequence

from fedi.ids import AccountId
from fedi.model.reports import Report, ReportCategory
from fedi.store.database import Tx
from fedi.store.paging import FIRST_PAGE, Paged, Window
from fedi.store.rows import Shape, to_json

REPORT = Shape(Report)

PUT_REPORT = f"""
INSERT INTO report (uri, account, target, statuses, comment, category, forwarded, created_at, due_at)
VALUES (:uri, :account, :target, :statuses, :comment, :category, :forwarded, :now_ms, :due_at)
ON CONFLICT (uri) DO NOTHING RETURNING {REPORT.columns}"""
FIND_REPORT = f"SELECT {REPORT.columns} FROM report WHERE id = :id"
FIND_BY_URI = f"SELECT {REPORT.columns} FROM report WHERE uri = :uri"  # report_uri
LIST_REPORTS = Paged(f"SELECT {REPORT.columns} FROM report WHERE 1 = 1", "id")


async def put_report(
    tx: Tx,
    *,
    uri: str | None,
    account: AccountId,
    target: AccountId,
    statuses: Sequence[str],
    comment: str,
    category: ReportCategory = "other",
    forwarded: bool = False,
    now_ms: int,
    due_at: int,
) -> Report | None:
    """``statuses`` are URIs. None when a report with this URI is there already."""
    return await tx.one_as(
        REPORT.make,
        PUT_REPORT,
        uri=uri,
        account=account,
        target=target,
        statuses=to_json(statuses),
        comment=comment,
        category=category,
        forwarded=int(forwarded),
        now_ms=now_ms,
        due_at=due_at,
    )


async def find_report(tx: Tx, report: int) -> Report | None:
    return await tx.one_as(REPORT.make, FIND_REPORT, id=report)


async def find_report_by_uri(tx: Tx, uri: str) -> Report | None:
    return await tx.one_as(REPORT.make, FIND_BY_URI, uri=uri)


async def list_reports(tx: Tx, window: Window = FIRST_PAGE) -> list[Report]:
    """Newest first."""
    return await LIST_REPORTS.all_as(tx, REPORT.make, window)
