"""Faults, by who is to blame.

A fault carries a *safe* sentence, which is shown, and an *internal* one, which is logged; they never mix.
Everything that is not one of these is our own bug.
"""

from collections.abc import Mapping


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """A fault with a stable, public code (lower case, hyphenated; never reused).

    ``safe`` is an English sentence and at the same time the key of its translations; ``params`` fill its
    ``%(name)s`` places. ``status`` is the HTTP status it becomes when it leaves through the web.
    """

    default_status = 500

    def __init__(
        self,
        code: str,
        safe: str = "",
        *,
        status: int | None = None,
        internal: str = "",
        params: Mapping[str, str] | None = None,
        retry_after_s: int | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(code if not internal else f"{code}: {internal}")
        self.code = code
        self.safe = safe or code
        self.status = status or self.default_status
        self.internal = internal
        self.params = dict(params or {})
        self.retry_after_s = retry_after_s
        self.extra = dict(extra or {})  # further members of the problem+json body, such as a decision URL


class PeerFault(Problem):
    """Another server broke a rule: a 4xx, or a ``Faulty`` outcome after acceptance."""

    default_status = 400


class ClientFault(Problem):
    """An app or a person asked for something that cannot be done; the sentence says what to change."""

    default_status = 422


class Unreachable(Exception):  # noqa: N818 - a state of the world, not an error of ours
    """A remote host could not be asked now (connect, time-out, 5xx, 429): try later. No blame."""

    def __init__(self, host: str, detail: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(f"{host}: {detail}")
        self.host = host
        self.detail = detail
        self.retry_after_s = retry_after_s


class NetworkInTransaction(RuntimeError):  # noqa: N818 - named by the rule it guards
    """Our bug: something awaited the outside world while a transaction was open."""
