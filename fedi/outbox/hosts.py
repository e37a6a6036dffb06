"""How other servers fare: which signature they take, whether they answer. In memory, written when it changes.

A breaker opens after five failures within ten minutes; every half hour one delivery tries again. After failures on
seven different days without a success between them a host is dead: nothing is queued for it until it speaks to us.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from fedi.activitypub.signed_request import Scheme
from fedi.store.hosts import HostState

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

WINDOW_MS = 10 * MINUTE_MS
FAILURES = 5
OPEN_MS = 30 * MINUTE_MS
DEAD_AFTER_DAYS = 7
SCHEME_KEPT_MS = 7 * DAY_MS
SCHEME_CONFIRMED_MS = DAY_MS  # no write for each success
PROBE_MS = HOUR_MS
MOST_KEPT = 50_000


class HostBook:
    """``changed`` collects what is to be written; ``moved`` lanes that wait (until when) or are woken (None)."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._states: OrderedDict[str, HostState] = OrderedDict()
        self._most = most
        self._probing: set[str] = set()
        self._troubled: set[str] = set()
        self.changed: dict[str, HostState] = {}
        self.moved: dict[str, int | None] = {}
        self.on_change: Callable[[], None] | None = None

    def knows(self, name: str) -> bool:
        return name in self._states

    def learn(self, state: HostState) -> None:
        """As stored."""
        if state.name in self._states:
            return
        self._states[state.name] = state
        self._note_trouble(state)
        if len(self._states) > self._most:
            idle = next((name for name in self._states if name not in self._troubled | self.changed.keys()), None)
            if idle is not None:
                del self._states[idle]

    def get(self, name: str) -> HostState:
        return self._states.get(name) or HostState(name=name)

    def _put(self, state: HostState) -> None:
        self._states[state.name] = state
        self.changed[state.name] = state
        self._note_trouble(state)

    def _note_trouble(self, state: HostState) -> None:
        if state.dead_since or state.open_until:
            self._troubled.add(state.name)
        else:
            self._troubled.discard(state.name)

    # May it be asked ----------------------------------------------------------------------------------------

    def is_dead(self, name: str) -> bool:
        return self.get(name).dead_since is not None

    def closed_until(self, name: str, now_ms: int) -> int | None:
        """When to come back, while the breaker is open or somebody else is trying; None: go on."""
        until = self.get(name).open_until
        if until is None:
            return None
        if until > now_ms:
            return until
        if name in self._probing:
            return now_ms + OPEN_MS  # woken earlier when the probe succeeds
        self._probing.add(name)
        return None

    # How it went --------------------------------------------------------------------------------------------

    def succeeded(self, name: str) -> None:
        """Any answer that a working server gives, whatever it says."""
        self._probing.discard(name)
        state = self.get(name)
        if state.failures or state.open_until or state.failed_days or state.dead_since:
            self._put(replace(state, failures=0, window_at=None, open_until=None, failed_days=(), dead_since=None))
            if state.open_until or state.dead_since:
                self.moved[name] = None

    def failed(self, name: str, now_ms: int) -> None:
        """No connection, a time-out, or a 5xx."""
        state = self.get(name)
        probed = name in self._probing
        self._probing.discard(name)
        fresh = state.window_at is None or now_ms - state.window_at >= WINDOW_MS
        failures = 1 if fresh else state.failures + 1
        day = now_ms // DAY_MS
        days = state.failed_days if day in state.failed_days else (*state.failed_days, day)
        open_until = state.open_until
        if probed or (failures >= FAILURES and (open_until is None or open_until <= now_ms)):
            open_until = now_ms + OPEN_MS
            self.moved[name] = open_until
        dead_since = state.dead_since
        if dead_since is None and len(days) >= DEAD_AFTER_DAYS:
            dead_since = now_ms
            self.moved[name] = None  # what waits is told at once that it waits in vain
        self._put(
            replace(
                state,
                failures=failures,
                window_at=now_ms if fresh else state.window_at,
                open_until=open_until,
                failed_days=days[-DEAD_AFTER_DAYS:],
                dead_since=dead_since,
            )
        )

    def left(self, name: str) -> None:
        """A probe that ended without a word about the host."""
        self._probing.discard(name)

    def seen(self, name: str, now_ms: int) -> None:
        """A verified request came from this host (without its port): it lives. Cheap for those in good health."""
        if not self._troubled:
            return
        for lane in [lane for lane in self._troubled if lane == name or lane.startswith(f"{name}:")]:
            self.succeeded(lane)
            self._put(replace(self.get(lane), seen_at=now_ms))
            if self.on_change is not None:
                self.on_change()

    # Signatures ---------------------------------------------------------------------------------------------

    def scheme(self, name: str, now_ms: int) -> Scheme:
        """Cavage until we know better: everybody takes it."""
        state = self.get(name)
        if state.scheme is None or now_ms - (state.scheme_at or 0) > SCHEME_KEPT_MS:
            return "cavage"
        return state.scheme

    def may_probe(self, name: str, now_ms: int) -> bool:
        """Whether the other scheme may be tried now: once an hour and host."""
        probed_at = self.get(name).probed_at
        return probed_at is None or now_ms - probed_at >= PROBE_MS

    def probed(self, name: str, now_ms: int) -> None:
        self._put(replace(self.get(name), probed_at=now_ms))

    def takes(self, name: str, scheme: Scheme, now_ms: int) -> None:
        state = self.get(name)
        if state.scheme != scheme or now_ms - (state.scheme_at or 0) > SCHEME_CONFIRMED_MS:
            self._put(replace(state, scheme=scheme, scheme_at=now_ms))
