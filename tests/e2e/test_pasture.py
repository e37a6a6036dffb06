"""All 262 objects of fediverse-pasture-inputs, delivered as their authors would: shown, or refused with a code."""

import re

import pytest

from tests.support.pasture_table import TABLE, render_table, run_pasture

pytestmark = pytest.mark.e2e


async def test_every_object_is_shown_or_refused_with_a_code_as_the_table_says(tmp_path):
    rows = await run_pasture(tmp_path)  # fails if the instance logged an exception

    assert len(rows) == 262
    for row in rows:
        assert row.http_status < 500, row
        if row.shown is None:
            assert re.fullmatch(r"[a-z]+(-[a-z]+)*(:[a-z0-9]+(-[a-z0-9]+)*)?", row.outcome), row
            assert row.outcome not in {"applied", "none"}, row
        else:
            assert row.outcome == "applied", row
    written = TABLE.read_text(encoding="utf-8")
    assert render_table(rows) == written, "python -m tests.support.pasture_table writes the table anew"
