"""How log lines look: one per event on standard error, as ``key=value`` or JSON.

Modules ask ``structlog.get_logger()`` and bind request, activity and job ids as context variables; what aiohttp and
asyncio log through the standard library passes through the same steps. Secrets print as stars by their own type.
"""

import logging
import sys
from typing import Literal, TextIO

import structlog

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["logfmt", "json"]


def set_up_logs(level: Level, form: Format, stream: TextIO | None = None) -> None:
    """Sends every log line of this process to ``stream`` (standard error). May be called again to change the level."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
    ]
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False, sort_keys=False)
        if form == "json"
        else structlog.processors.LogfmtRenderer(key_order=["at", "level", "event"], drop_missing=True)
    )
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,  # so that a new level reaches loggers that modules keep
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    root = logging.getLogger()
    for old in [old for old in root.handlers if getattr(old, "is_ours", False)]:
        root.removeHandler(old)
    handler.is_ours = True  # type: ignore[attr-defined]  # told from the handlers of a test runner
    root.addHandler(handler)
    root.setLevel(number)
    # One line per outcome is ours to write; an access log halves a hot route.
    logging.getLogger("aiohttp.access").disabled = True
