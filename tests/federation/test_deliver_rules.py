"""What an answer means, and what is remembered of a host: without a network."""

import pytest
from multidict import CIMultiDict

from fedi.outbox.hosts import FAILURES, OPEN_MS, WINDOW_MS, HostBook
from fedi.outbox.verdicts import find_reason, find_retry_after_s, judge
from fedi.store.hosts import HostState

NOW = 1_767_225_600_000
DAY_MS = 24 * 3600 * 1000


@pytest.mark.parametrize(
    ("status", "outcome", "blames"),
    [
        (200, "sent", False),
        (202, "sent", False),
        (301, "refused", False),
        (307, "redirect", False),
        (308, "redirect", False),
        (400, "refused", False),
        (401, "retry", False),
        (403, "refused", False),
        (404, "gone", False),
        (408, "retry", False),
        (410, "gone", False),
        (413, "refused", False),
        (429, "retry", False),
        (500, "retry", True),
        (501, "refused", False),
        (502, "retry", True),
        (503, "retry", True),
        (599, "retry", True),
        (100, "refused", False),
    ],
)
def test_every_answer_has_one_meaning(status, outcome, blames):
    verdict = judge(status, CIMultiDict(), b"", NOW // 1000)
    assert (verdict.outcome, verdict.code, verdict.blames_host) == (outcome, status, blames)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 120 ", 120),
        ("99999999", 86_400),
        ("Thu, 01 Jan 2026 00:02:00 GMT", 120),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("1" * 5000, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert find_retry_after_s(value, NOW // 1000) == seconds


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("application/problem+json", b'{"title":"Blocked","detail":"Rule 3"}', "Blocked \u00b7 Rule 3"),
        ("application/json; charset=utf-8", b'{"error":"no\\u0000\\u202e way"}', "no way"),
        ("text/plain", b"  go \n away ", "go away"),
        ("text/html", b"<h1>no</h1>", None),
        ("application/json", b"[" * 100_000, None),
        ("application/json", b'["x"]', None),
        ("application/json", b'{"error":5}', None),
        ("text/plain", b"\xff" * 9000, "\ufffd" * 300),
        ("", b"", None),
    ],
)
def test_the_reason_is_one_short_line_whatever_they_send(kind, body, reason):
    assert find_reason(kind, body) == reason


def test_failures_count_within_their_window_only():
    book = HostBook()
    for n in range(FAILURES - 1):
        book.failed("a", NOW + n)
    book.failed("a", NOW + WINDOW_MS + 1)
    assert book.closed_until("a", NOW + WINDOW_MS + 2) is None
    for n in range(FAILURES - 1):
        book.failed("a", NOW + WINDOW_MS + 3 + n)
    opened = NOW + WINDOW_MS + 2 + FAILURES - 1
    assert book.closed_until("a", opened + 1) == opened + OPEN_MS
    assert book.moved == {"a": opened + OPEN_MS}


def test_one_probe_at_a_time_and_a_silent_end_lets_the_next_try():
    book = HostBook()
    book.learn(HostState(name="a", open_until=NOW - 1))
    assert book.closed_until("a", NOW) is None
    assert book.closed_until("a", NOW) == NOW + OPEN_MS
    book.left("a")
    assert book.closed_until("a", NOW) is None
    book.failed("a", NOW)
    assert book.closed_until("a", NOW) == NOW + OPEN_MS


def test_days_need_not_follow_each_other_but_a_success_starts_anew():
    book = HostBook()
    for day in range(6):
        book.failed("a", NOW + 3 * day * DAY_MS)
    book.succeeded("a")
    for day in range(20, 26):
        book.failed("a", NOW + day * DAY_MS)
        book.failed("a", NOW + day * DAY_MS + 1)
    assert not book.is_dead("a")
    book.failed("a", NOW + 30 * DAY_MS)
    assert book.is_dead("a")
    assert book.moved["a"] is None


def test_a_request_from_a_host_revives_all_its_ports_and_costs_the_healthy_nothing():
    book = HostBook()
    told = []
    book.on_change = lambda: told.append(1)
    book.learn(HostState(name="a.example", dead_since=1))
    book.learn(HostState(name="a.example:8443", open_until=NOW + 5))
    book.learn(HostState(name="aa.example", dead_since=1))
    book.seen("b.example", NOW)
    assert told == []
    book.seen("a.example", NOW)
    assert not book.is_dead("a.example")
    assert book.closed_until("a.example:8443", NOW) is None
    assert book.is_dead("aa.example")
    assert set(book.changed) == {"a.example", "a.example:8443"}


def test_memory_of_hosts_is_bounded_and_keeps_those_in_trouble():
    book = HostBook(most=3)
    book.learn(HostState(name="dead", dead_since=1))
    for n in range(10):
        book.learn(HostState(name=f"h{n}"))
    assert book.is_dead("dead")
    assert sum(book.knows(f"h{n}") for n in range(10)) <= 3
