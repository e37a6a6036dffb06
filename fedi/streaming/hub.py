"""Tells who listens in this process what has just been committed. Events carry ids only: whoever passes one on reads
the row again and checks that its viewer may see it.

    hub.publish(Event(kind="update", status=id, author=account))        # in ``tx.after_commit``
    with hub.subscribe(STATUSES, to_account(viewer)) as events:
        async for event in events: ...
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from fedi.ids import AccountId, StatusId

EventKind = Literal["update", "status.update", "delete", "notification", "filters_changed", "announcement", "actor"]
QUEUE_LENGTH = 256  # one who reads more slowly than this loses the oldest, and is told

STATUSES = "statuses"  # every new, changed or deleted status; the listener picks what its viewer follows


def to_account(account: AccountId) -> str:
    """The topic of what concerns one account: its notifications, and posts addressed to it."""
    return f"account:{account}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """``status`` and its ``author`` for statuses (of a boost: its own id, by who boosts); ``notification`` and whom it
    is for (``account``). A deleted status is gone when the event arrives, hence ``author``. ``actor``: the profile or
    the keys of an account of ours (``author``) are others now."""

    kind: EventKind
    status: StatusId | None = None
    author: AccountId | None = None
    account: AccountId | None = None
    notification: int | None = None

    def topics(self) -> Iterator[str]:
        if self.status is not None and self.kind != "notification":
            yield STATUSES
        if self.account is not None:
            yield to_account(self.account)


class Subscription:
    """Events in order. ``missed`` counts those lost because nobody read them in time."""

    def __init__(self, hub: "Hub", topics: tuple[str, ...]) -> None:
        self._hub = hub
        self._topics = topics
        self._events: deque[Event] = deque(maxlen=QUEUE_LENGTH)
        self._arrived = asyncio.Event()
        self._closed = False
        self.missed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            while self._events:
                yield self._events.popleft()
            if self._closed:
                return
            self._arrived.clear()
            await self._arrived.wait()

    def follow(self, topic: str) -> None:
        """Listens to one more topic."""
        if topic not in self._topics and not self._closed:
            self._topics = (*self._topics, topic)
            self._hub.add(topic, self)

    def leave(self, topic: str) -> None:
        self._topics = tuple(kept for kept in self._topics if kept != topic)
        self._hub.remove(topic, self)

    def offer(self, event: Event) -> None:
        if len(self._events) == QUEUE_LENGTH:
            self.missed += 1
        self._events.append(event)
        self._arrived.set()

    def close(self) -> None:
        """No more events; who waits for one stops waiting."""
        for topic in self._topics:
            self._hub.remove(topic, self)
        self._closed = True
        self._arrived.set()


class Hub:
    """One per process."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[Subscription]] = {}
        self._reactions: dict[EventKind, list[Callable[[Event], None]]] = {}

    def on(self, kind: EventKind, react: Callable[[Event], None]) -> None:
        """Calls ``react`` at once for every event of a kind, for as long as the process lives: to forget what is kept
        of the old state. It must be quick and may not fail."""
        self._reactions.setdefault(kind, []).append(react)

    def subscribe(self, *topics: str) -> Subscription:
        subscription = Subscription(self, topics)
        for topic in topics:
            self.add(topic, subscription)
        return subscription

    def publish(self, event: Event) -> None:
        """Never waits. An event that has several topics reaches each listener once."""
        for react in self._reactions.get(event.kind, ()):
            react(event)
        if not self._listeners:
            return
        reached: set[Subscription] = set()
        for topic in event.topics():
            reached |= self._listeners.get(topic, set())
        for subscription in reached:
            subscription.offer(event)

    def add(self, topic: str, subscription: Subscription) -> None:
        self._listeners.setdefault(topic, set()).add(subscription)

    def remove(self, topic: str, subscription: Subscription) -> None:
        listeners = self._listeners.get(topic)
        if listeners is not None:
            listeners.discard(subscription)
            if not listeners:
                del self._listeners[topic]

    def close(self) -> None:
        """At the end of the process: every stream ends."""
        for listeners in list(self._listeners.values()):
            for subscription in list(listeners):
                subscription.close()

    @property
    def listeners(self) -> int:
        return len({subscription for listeners in self._listeners.values() for subscription in listeners})
