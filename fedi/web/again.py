"""Answers given again: the same question gets the same bytes while nothing has been committed since.

A handler whose answer follows from the database, the settings, the clock's second and its :data:`Question` alone says so
with :func:`may_repeat`, before it reads. Its answer is then kept, ready to be sent, and :mod:`fedi.web.front` gives it to
who asks the same before the application sees the request. Every commit, whoever made it, ends what was kept; so does
the next second, because mutes, polls and decisions end by the clock alone.
"""

import random
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache

from aiohttp import hdrs, web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web import Request, Response, StreamResponse
from multidict import CIMultiDictProxy, istr

from fedi.clock import Clock
from fedi.config import LimitsConfig
from fedi.ids import AccountId
from fedi.ledger.decisions import Decisions
from fedi.store.database import Database
from fedi.web.addresses import IPNetwork, find_client_address, limit_key
from fedi.web.limits import Limits

MAX_BYTES = 8 * 1024 * 1024
_OVERHEAD = 1_500  # of an entry in memory, roughly: its question, its head, the objects around them

# The path as sent, with its query, and what of the headers any answer depends on: Authorization, Accept,
# Accept-Language, Cookie.
Question = tuple[str, str | None, str | None, str | None, str | None]

_SIGNATURE, _SIGNATURE_INPUT, _FORWARDED = istr("Signature"), istr("Signature-Input"), istr("X-Forwarded-For")


@dataclass(frozen=True, slots=True)
class Term:
    """How far an answer is good: until ``until_ms``, and as long as the database's ``state`` is the same."""

    state: int | None
    until_ms: int


@dataclass(frozen=True, slots=True)
class Counted:
    """Who the request was counted for: a token and its person, else the client's address."""

    token: int | None = None
    person: AccountId | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Headers that every answer on a path has, and the same as they are sent."""

    headers: Mapping[str, str]
    lines: str

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Standing":
        return cls(headers, "".join(f"{name}: {value}\r\n" for name, value in headers.items()))


@dataclass(frozen=True, slots=True)
class _Kept:
    term: Term
    counted: Counted | None
    head: bytes
    body: bytes


_TERM: web.RequestKey[Term] = web.RequestKey("term")


class Answers:
    """Those that are kept, the least recently given ones forgotten first."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        decisions: Decisions,
        limits: Limits,
        rates: LimitsConfig,
        proxies: tuple[IPNetwork, ...],
    ) -> None:
        self._database = database
        self._clock = clock
        self._decisions = decisions
        self._limits = limits
        self._rates = rates
        self._kept: OrderedDict[Question, _Kept] = OrderedDict()
        self._size_bytes = 0

        @lru_cache(maxsize=1024)
        def address(peer: str, forwarded: tuple[str, ...]) -> str:
            return limit_key(find_client_address(peer, forwarded, proxies))

        self._address = address

    def term_now(self) -> Term | None:
        """For what is read from now on; None where the database cannot say at once whether it changed."""
        state = self._database.state_now()
        return None if state is None else Term(state, (self._clock.ms() // 1000 + 1) * 1000)

    def keep(self, request: Request, response: StreamResponse, standing: Standing, counted: Counted | None) -> None:
        """Keeps what may be repeated."""
        term = request.get(_TERM)
        if term is None or type(response) is not Response or response.status != 200 or response.cookies:
            return
        body = response.body
        if request.method != "GET" or not isinstance(body, bytes):
            return
        own = "".join(
            [f"{name}: {value}\r\n" for name, value in response.headers.items() if name not in standing.headers]
        )
        head = f"HTTP/1.1 200 OK\r\n{own}{standing.lines}Content-Length: {len(body)}\r\n".encode()
        self._put(_question(request.raw_path, request.headers), _Kept(term, counted, head, body))

    def find(self, message: RawRequestMessage, peer: str) -> bytes | None:
        """The whole answer to a request from ``peer``, counted against its limits; None where the application must
        answer."""
        headers = message.headers
        question = _question(message.path, headers)
        kept = self._kept.get(question)
        if kept is None:
            return None
        now_ms = self._clock.ms()
        term = kept.term
        if now_ms >= term.until_ms or (term.state is not None and term.state != self._database.state_now()):
            return None
        if not self._decisions.is_empty and (_SIGNATURE in headers or _SIGNATURE_INPUT in headers):
            return None  # who signs may be refused
        limit = b"" if kept.counted is None else self._count(kept.counted, headers, peer)
        if limit is None:
            return None
        self._kept.move_to_end(question)
        own = b"Date: %b\r\nX-Request-Id: %016x\r\n" % (_date(now_ms // 1000), random.getrandbits(64))
        return b"".join((kept.head, own, limit, b"\r\n", kept.body))

    def _count(self, of: Counted, headers: CIMultiDictProxy[str], peer: str) -> bytes | None:
        """As the application counts; the headers that tell of it, or None when there is nothing left."""
        who: object = ("token", of.token)
        if of.token is None:
            who = ("address", self._address(peer, tuple(headers.getall(_FORWARDED, ()))))
        allowance = self._limits.take("client", who, self._rates.client_requests)
        if allowance.refused:
            return None
        if of.person is not None and self._limits.take("user", of.person, self._rates.user_requests).refused:
            return None
        return allowance.header_lines()

    def _put(self, question: Question, kept: _Kept) -> None:
        before = self._kept.pop(question, None)
        if before is not None:
            self._size_bytes -= len(before.body) + _OVERHEAD
        self._kept[question] = kept
        self._size_bytes += len(kept.body) + _OVERHEAD
        while self._size_bytes > MAX_BYTES:
            _, dropped = self._kept.popitem(last=False)
            self._size_bytes -= len(dropped.body) + _OVERHEAD


def _question(path: str, headers: Mapping[str, str]) -> Question:
    get = headers.get
    return path, get(hdrs.AUTHORIZATION), get(hdrs.ACCEPT), get(hdrs.ACCEPT_LANGUAGE), get(hdrs.COOKIE)


@lru_cache(maxsize=2)
def _date(now_s: int) -> bytes:
    return formatdate(now_s, usegmt=True).encode()


ANSWERS: web.AppKey[Answers] = web.AppKey("answers", Answers)


def may_repeat(request: Request) -> None:
    """Says, before anything is read, that this request's answer follows from its question and the database alone."""
    term = None if request.body_exists else request.app[ANSWERS].term_now()
    if term is not None:
        request[_TERM] = term


def may_repeat_until(request: Request, until_ms: int) -> None:
    """As :func:`may_repeat`, for bytes that are given out until a time whatever is committed."""
    if not request.body_exists:
        request[_TERM] = Term(None, until_ms)
