"""What an answer to a delivery means. Pure.

4xx is final but for 401, 408 and 429; 501 is final; 404 and 410 say that the inbox is gone; everything else that is
no 2xx is tried again, and counts against the host.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fedi.activitypub.http_dates import find_http_date_s

MAX_REASON_CHARS = 300
MAX_RETRY_AFTER_S = 24 * 3600

Outcome = Literal["sent", "retry", "refused", "gone", "redirect"]

_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``blames_host``: the host counts as failing. ``reason`` is what the author reads: the other side's own words, or
    a code of ours."""

    outcome: Outcome
    code: int | None = None
    reason: str | None = None
    retry_after_s: int | None = None
    blames_host: bool = False


def judge(status: int, headers: Mapping[str, str], body: bytes, now_s: int) -> Verdict:
    """``headers`` are looked up by their usual names, in any case (a ``CIMultiDict``)."""
    if 200 <= status < 300:
        return Verdict(outcome="sent", code=status)
    reason = find_reason(headers.get("Content-Type", ""), body)
    if status in {307, 308}:
        return Verdict(outcome="redirect", code=status, reason="redirected")
    if status in {404, 410}:
        return Verdict(outcome="gone", code=status, reason=reason)
    if status in {401, 408, 429} or (status >= 500 and status != 501):
        return Verdict(
            outcome="retry",
            code=status,
            reason=reason,
            retry_after_s=find_retry_after_s(headers.get("Retry-After"), now_s),
            blames_host=status >= 500,
        )
    return Verdict(outcome="refused", code=status, reason=reason)


def find_retry_after_s(value: str | None, now_s: int) -> int | None:
    """Seconds or a date (RFC 9110 §10.2.3), a day at most."""
    if value is None:
        return None
    if _SECONDS.fullmatch(value.strip()):
        return min(int(value), MAX_RETRY_AFTER_S)
    at_s = find_http_date_s(value)
    return None if at_s is None else min(max(at_s - now_s, 0), MAX_RETRY_AFTER_S)


def find_reason(content_type: str, body: bytes) -> str | None:
    """The sentence in a problem+json (RFC 9457), ``{"error": …}`` or short text; one line, no control characters."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind.endswith("json"):
        try:
            found = json.loads(body[:65_536])
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict):
            return None
        parts = [found.get(name) for name in ("title", "detail", "error", "message", "decision")]
        words = [part for part in parts if isinstance(part, str) and part]
        return _one_line(" · ".join(dict.fromkeys(words))) if words else None
    if kind == "text/plain":
        return _one_line(body[:2000].decode("utf-8", "replace"))
    return None


def _one_line(text: str) -> str | None:
    kept = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text)
    short = " ".join(kept.split())[:MAX_REASON_CHARS]
    return short or None
