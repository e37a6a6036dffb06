"""Instants as signed documents write them (``xsd:dateTime`` with a zone), in whole Unix seconds."""

import re
from datetime import UTC, datetime
from typing import Any

_FORM = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,18})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def find_xsd_date_s(value: Any) -> int | None:
    """Unix seconds, or ``None`` if the value is no date and time with a zone."""
    match = _FORM.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        return int(datetime.fromisoformat(match[1] + match[2].replace("Z", "+00:00")).timestamp())
    except (ValueError, OverflowError):
        return None


def render_xsd_date(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
