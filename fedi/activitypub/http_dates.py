"""Dates in HTTP headers (IMF-fixdate, RFC 9110 §5.6.7): the one form that HTTP signers send."""

import re
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

_FORM = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ([0-9]{4})"
    r" ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_OF = {name: number for number, name in enumerate(_MONTHS, 1)}


# Busy seconds carry the same date many times; both ways cost several µs.
@lru_cache(maxsize=64)
def find_http_date_s(text: str) -> int | None:
    """Unix seconds, or ``None`` if the text is no date of this form."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    day, month, year, hour, minute, second = match.groups()
    try:
        moment = datetime(
            int(year), _MONTH_OF[month], int(day), int(hour), int(minute), min(int(second), 59), tzinfo=UTC
        )
    except ValueError:
        return None
    return int(moment.timestamp())


@lru_cache(maxsize=8)
def render_http_date(at_s: int) -> str:
    return formatdate(at_s, usegmt=True)
