"""Fetches what is missing of conversations, and says what stays missing.

Every post found is fetched at its own origin and passes the same gate as any other; a collection only suggests ids.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

from fedi.activitypub.urls import host as host_of
from fedi.activitypub.urls import parent_domains
from fedi.activitypub.vocab import id_of
from fedi.errors import PeerFault, Unreachable
from fedi.ids import StatusId
from fedi.inbox.fetching import FetchingUnits
from fedi.inbox.world import World
from fedi.jobs.runner import DONE, Again, Result
from fedi.model.statuses import Status
from fedi.store import jobs, statuses, threads
from fedi.store.database import Tx
from fedi.store.jobs import Job
from fedi.store.threads import Completeness

MAX_ANCESTORS = 100
MAX_REPLIES = 500  # of one post
MAX_TREE = 1_000
MAX_PAGES = 500
MAX_SUBDOMAINS = 10  # new ones of one registrable domain: a wildcard may not lead us on for ever
DEADLINE_MS = 60_000
NOT_BEFORE_MS = 5 * 60_000
NOT_AGAIN_MS = 15 * 60_000
REQUESTS = 1_000


@dataclass(slots=True)
class _Walk:
    """One job's way through a conversation."""

    seen: set[str] = field(default_factory=set)
    hosts: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    waiting: deque[str] = field(default_factory=deque)
    pages: int = 0
    total: int = 0  # of all collections that were read, as they say themselves
    owner_says_all: bool = False
    pause_s: int | None = None


class Threads:
    """Handlers of the job kinds ``fetch_thread`` (payload: ``status``) and ``fetch_status`` (payload: ``uri``)."""

    def __init__(self, units: FetchingUnits) -> None:
        self._units = units

    async def ask(self, status: StatusId) -> bool:
        """Somebody here looks at a conversation: whether a job now fetches the rest of it."""
        now_ms = self._units.clock.ms()

        async def unit(tx: Tx) -> bool:
            found = await statuses.find_status(tx, status)
            if found is None or found.deleted_at is not None:
                return False
            before = await threads.find_completeness(tx, found.thread)
            is_due = before is None or (before.next_at or 0) <= now_ms
            is_ripe = now_ms - found.created_at >= NOT_BEFORE_MS
            if not is_due or not is_ripe or not await _is_partly_remote(tx, found):
                return False
            made = await jobs.enqueue(
                tx,
                "fetch_thread",
                {"status": found.id},
                dedup=str(found.thread),
                priority=jobs.LOW,
                now_ms=now_ms,
            )
            return made is not None

        return await self._units.db.write("ask for a thread", unit)

    async def completeness(self, tx: Tx, status: Status) -> Completeness:
        """What we have, and how much there seems to be."""
        found = await threads.find_completeness(tx, status.thread)
        known = await threads.count_known(tx, status.thread)
        if found is None:
            return Completeness(thread=status.thread, known=known, missing={})
        estimate = found.estimate if found.estimate is None else max(found.estimate, known)
        return Completeness(
            thread=found.thread,
            known=known,
            estimate=estimate,
            complete=found.complete,
            missing=found.missing,
            fetched_at=found.fetched_at,
            next_at=found.next_at,
        )

    # Jobs ---------------------------------------------------------------------------------------------------

    async def fetch_status(self, job: Job) -> Result:
        """One post, and through the queue what it answers."""
        uri, depth = str(job.data["uri"]), int(job.data.get("depth", 0))
        now_ms = self._units.clock.ms()

        async def unit(world: World) -> None:
            brief = await world.get_status(uri)
            status = await statuses.find_status(world.tx, brief.id)
            above = status.in_reply_to_uri if status is not None and status.in_reply_to is None else None
            if above is not None and depth < MAX_ANCESTORS and not self._units.uris.is_on_our_host(above):
                payload = {"uri": above, "depth": depth + 1}
                await jobs.enqueue(
                    world.tx, "fetch_status", payload, dedup=above, priority=jobs.LOW, now_ms=now_ms
                )  # fmt: skip

        try:
            await self._units.run("fetch a status", unit)
        except PeerFault:
            return DONE  # refused, deleted, or no post: nothing to try again
        return DONE

    async def fetch_thread(self, job: Job) -> Result:
        status_id = StatusId(int(job.data["status"]))
        start_ms = self._units.clock.ms()
        status = await self._units.db.read(lambda tx: statuses.find_status(tx, status_id))
        if status is None:
            return DONE
        walk = _Walk()
        await self._climb(status, walk, start_ms)
        status = await self._units.db.read(lambda tx: statuses.find_status(tx, status_id)) or status
        if not await self._read_context(status, walk, start_ms):
            await self._descend(status, walk, start_ms)
        is_unfinished = self._is_late(start_ms) or walk.pause_s is not None
        await self._write(status.thread, walk, is_unfinished=is_unfinished)
        if walk.pause_s is not None:
            return Again(error="told to wait", after_ms=walk.pause_s * 1000, counted=False)
        return DONE

    def _is_late(self, start_ms: int) -> bool:
        return self._units.clock.ms() - start_ms > DEADLINE_MS

    async def _climb(self, status: Status, walk: _Walk, start_ms: int) -> None:
        """Ancestors first: they are what makes a reply readable."""
        above = status
        for _ in range(MAX_ANCESTORS):
            parent = above.in_reply_to
            if parent is None:
                if above.in_reply_to_uri is None or self._is_late(start_ms):
                    return
                if not await self._take(above.in_reply_to_uri, walk):
                    return
            found = await self._units.db.read(lambda tx: _parent_of(tx, above))  # noqa: B023
            if found is None:
                return
            above = found

    async def _read_context(self, status: Status, walk: _Walk, start_ms: int) -> bool:
        """One collection by the owner of the conversation, instead of many. Whether there was one."""
        root = await self._units.db.read(lambda tx: statuses.find_status(tx, status.thread))
        uri = root.conversation_uri if root is not None and not root.local else None
        if root is None or uri is None or not uri.startswith("http") or host_of(uri) != host_of(root.uri):
            return False
        try:
            items = await self._list(uri, walk, start_ms)
        except (PeerFault, Unreachable):
            return False
        if not items:
            return False
        walk.owner_says_all = walk.pause_s is None
        for item in items:
            if self._is_late(start_ms) or walk.pause_s is not None:
                walk.missing["not-fetched"] += 1
                continue
            await self._take(item, walk)
        return True

    async def _descend(self, status: Status, walk: _Walk, start_ms: int) -> None:
        """``replies`` of every post we know, and of those we find."""
        done: set[str] = set()
        while not self._is_late(start_ms) and walk.pause_s is None and walk.pages < MAX_PAGES:
            listed = await self._units.db.read(
                lambda tx: threads.list_replies_uris(tx, status.thread, limit=MAX_TREE)
            )  # fmt: skip
            fresh = [(uri, replies) for uri, replies in listed if uri not in done and host_of(uri) == host_of(replies)]
            if not fresh:
                return
            for uri, replies in fresh:
                done.add(uri)
                if self._is_late(start_ms) or walk.pause_s is not None:
                    return
                try:
                    items = await self._list(replies, walk, start_ms)
                except (PeerFault, Unreachable) as fault:
                    self._note(fault, walk)
                    continue
                for item in items:
                    await self._take(item, walk)

    async def _list(self, uri: str, walk: _Walk, start_ms: int) -> list[str]:
        """Ids of a collection, as far as the caps go."""
        found: list[str] = []
        told: int | None = None
        async for items, total in self._units.resolver.with_budget(REQUESTS).list_pages(
            uri, max_pages=MAX_PAGES - walk.pages
        ):
            walk.pages += 1
            if told is None and total is not None:
                told = total
                walk.total += total
            found += [item_id for item in items if (item_id := id_of(item)) is not None]
            if len(found) >= MAX_REPLIES or self._is_late(start_ms):
                break
        return found[:MAX_REPLIES]

    async def _take(self, uri: str, walk: _Walk) -> bool:
        """One post, if it is not here yet. Whether it is here now."""
        if uri in walk.seen:
            return True
        if len(walk.seen) >= MAX_TREE:
            walk.missing["too-many"] += 1
            return False
        walk.seen.add(uri)
        if self._units.uris.is_on_our_host(uri):
            return True
        if not self._may_visit(uri, walk):
            walk.missing["too-many"] += 1
            return False

        async def unit(world: World) -> None:
            await world.get_status(uri)

        try:
            await self._units.run("fetch a reply", unit)
        except (PeerFault, Unreachable) as fault:
            self._note(fault, walk)
            return False
        return True

    def _may_visit(self, uri: str, walk: _Walk) -> bool:
        try:
            *_, domain = list(parent_domains(host_of(uri)))[:-1] or [host_of(uri)]
        except PeerFault:
            return False
        names = walk.hosts
        if f"={host_of(uri)}" in names:
            return True
        if names[domain] >= MAX_SUBDOMAINS:
            return False
        names[domain] += 1
        names[f"={host_of(uri)}"] = 1
        return True

    def _note(self, fault: PeerFault | Unreachable, walk: _Walk) -> None:
        if isinstance(fault, Unreachable):
            walk.missing["unreachable"] += 1
            if fault.retry_after_s is not None:
                walk.pause_s = fault.retry_after_s
            return
        match fault.code:
            case "remote-gone" | "remote-missing" | "deleted":
                walk.missing["deleted"] += 1
            case _:
                walk.missing["refused"] += 1

    async def _write(self, thread: StatusId, walk: _Walk, *, is_unfinished: bool) -> None:
        now_ms = self._units.clock.ms()

        async def unit(tx: Tx) -> None:
            known = await threads.count_known(tx, thread)
            unfetched = sum(walk.missing.values())
            estimate = known + unfetched if walk.owner_says_all else max(known + unfetched, walk.total + 1)
            await threads.put_completeness(
                tx,
                Completeness(
                    thread=thread,
                    known=known,
                    estimate=estimate,
                    complete=walk.owner_says_all and not is_unfinished,
                    missing=dict(walk.missing),
                    fetched_at=now_ms,
                    next_at=now_ms + NOT_AGAIN_MS,
                ),
            )

        await self._units.db.write("count a thread", unit)


async def _is_partly_remote(tx: Tx, status: Status) -> bool:
    """Nothing can be missing of a conversation that nobody else takes part in."""
    if not status.local or (status.in_reply_to_uri is not None and status.in_reply_to is None):
        return True
    root = await statuses.find_status(tx, status.thread)
    return (root is not None and not root.local) or bool(await threads.list_replies_uris(tx, status.thread, limit=1))


async def _parent_of(tx: Tx, status: Status) -> Status | None:
    again = await statuses.find_status(tx, status.id)
    if again is None or again.in_reply_to is None:
        return None
    return await statuses.find_status(tx, again.in_reply_to)
