"""Log lines: one each, machine readable, without secrets."""

import io
import json
import logging

import pytest
import structlog

from fedi.cli.logs import set_up_logs
from fedi.config import Secret


@pytest.fixture
def lines():
    stream = io.StringIO()
    before = logging.getLogger().handlers[:], logging.getLogger().level
    yield lambda: stream.getvalue().splitlines(), stream
    logging.getLogger().handlers[:], level = before
    logging.getLogger().setLevel(level)
    logging.getLogger("aiohttp.access").disabled = False
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_json_line_holds_event_context_and_time(lines):
    read, stream = lines
    set_up_logs("info", "json", stream)
    structlog.contextvars.bind_contextvars(request_id="r1")
    structlog.get_logger().info("inbox-accepted", code="ok", secret=Secret("hunter2"))
    (line,) = map(json.loads, read())
    assert line["event"] == "inbox-accepted"
    assert (line["request_id"], line["code"], line["level"]) == ("r1", "ok", "info")
    assert line["at"].endswith("Z")
    assert "hunter2" not in str(line)


def test_a_hostile_value_cannot_start_a_line_of_its_own(lines):
    read, stream = lines
    set_up_logs("info", "logfmt", stream)
    structlog.get_logger().info("refused", host='evil\nlevel=error event="forged')
    assert len(read()) == 1
    assert "event=refused" in read()[0]


def test_lines_below_the_level_are_not_written_and_the_level_can_change(lines):
    read, stream = lines
    log = structlog.get_logger()
    set_up_logs("warning", "logfmt", stream)
    log.info("quiet")
    logging.getLogger("asyncio").info("quiet too")
    assert read() == []
    set_up_logs("info", "logfmt", stream)
    log.info("heard")
    assert len(read()) == 1


def test_the_standard_library_logs_in_the_same_form(lines):
    read, stream = lines
    set_up_logs("info", "json", stream)
    try:
        int("broken")
    except ValueError:
        logging.getLogger("aiohttp.server").exception("unhandled %s", "fault")
    (line,) = map(json.loads, read())
    assert line["event"] == "unhandled fault"
    assert line["logger"] == "aiohttp.server"
    assert "ValueError: invalid literal" in line["exception"]
