"""Activities on their way out: one body, one row and one job per inbox, and what became of each.

The rows are what the author's delivery report reads; the jobs drive them. Both are written in the transaction that
makes the activity, or in pages by its ``fan_out`` job.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from fedi.activitypub.urls import parse_url
from fedi.errors import PeerFault
from fedi.ids import AccountId, StatusId
from fedi.store import hosts, jobs
from fedi.store.database import Row, Tx

DELIVER, FAN_OUT, REFRESH_ACTOR = "deliver", "fan_out", "refresh_actor"
FAN_OUT_ABOVE = 1000  # inboxes; more would hold the writer for too long at once
PAGE = 500

DAY_MS = 24 * 3600 * 1000
BODY_KEPT_MS = 7 * DAY_MS
ROWS_KEPT_MS = 30 * DAY_MS

DeliveryState = Literal["queued", "sent", "retrying", "refused", "gone", "expired"]
Seal = Literal["", "proof", "ld"]
FINAL: frozenset[DeliveryState] = frozenset({"sent", "refused", "gone", "expired"})

HOST_UNREACHABLE = "host-unreachable"  # the reason of rows for hosts given up before


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """``recipients``: how many people it reaches there. ``refusal``: why we do not send there after all."""

    inbox: str
    recipients: int = 1
    refusal: str | None = None

    @property
    def host(self) -> str:
        """The lane: host and, where unusual, port."""
        return host_of_inbox(self.inbox)


class Outgoing(NamedTuple):
    """``body`` is empty once nobody needs it any more."""

    activity: str
    account: AccountId
    status: StatusId | None
    kind: str
    body: bytes
    created_at: int
    unsealed: Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What one attempt came to. ``code`` is the HTTP status, None when there was no answer."""

    delivery: int
    state: DeliveryState
    now_ms: int
    code: int | None = None
    error: str | None = None
    next_at: int | None = None
    counted: bool = True


class DeliveryRow(NamedTuple):
    kind: str
    activity: str
    host: str
    inbox: str
    state: DeliveryState
    recipients: int
    attempts: int
    next_at: int | None
    last_code: int | None
    last_error: str | None
    updated_at: int
    dead_since: int | None


@dataclass(slots=True, kw_only=True)
class HostReport:
    """One activity at one host. ``state`` is that of the inbox which fared worst; ``states`` count inboxes."""

    host: str
    state: DeliveryState
    states: dict[DeliveryState, int] = field(default_factory=dict)
    recipients: int = 0
    attempts: int = 0
    next_at: int | None = None
    code: int | None = None
    error: str | None = None
    updated_at: int
    unreachable_since: int | None = None


@dataclass(slots=True, kw_only=True)
class ActivityReport:
    """One activity (``kind`` Create, Update, Delete …) about a status; ``recipients`` count people by state."""

    kind: str
    activity: str
    hosts: list[HostReport] = field(default_factory=list)
    recipients: dict[DeliveryState, int] = field(default_factory=dict)


class DeliveryTotal(NamedTuple):
    """What is left of an old report."""

    kind: str
    state: DeliveryState
    hosts: int
    recipients: int


PUT_OUTGOING = """
INSERT INTO outgoing (activity, account, status, kind, body, created_at, unsealed)
VALUES (:activity, :account, :status, :kind, :body, :now, :unsealed) ON CONFLICT (activity) DO NOTHING"""
PUT_DELIVERY = """
INSERT INTO delivery (activity, inbox, host, recipients, state, next_at, last_error, updated_at)
VALUES (:activity, :inbox, :host, :recipients, :state, :next_at, :last_error, :now)
ON CONFLICT (activity, inbox) DO NOTHING RETURNING id"""
FIND_OUTGOING = """
SELECT activity, account, status, kind, body, created_at, unsealed FROM outgoing WHERE activity = :activity"""
PUT_SEALED = "UPDATE outgoing SET body = :body, unsealed = '' WHERE activity = :activity AND unsealed <> ''"
PUT_ATTEMPT = """
UPDATE delivery SET state = :state, attempts = attempts + :counted, next_at = :next_at, last_code = :code,
       last_error = :error, updated_at = :now
 WHERE id = :delivery"""
# Index job_ordering: what an inbox waits for already.
ORDERINGS_AHEAD = """
SELECT ordering, max(run_at) FROM job WHERE ordering IN TEXTS(:orderings) AND state = 'waiting' GROUP BY ordering"""
# Indexes outgoing_status and delivery_once: the rows of one status.
REPORT = """
SELECT o.kind, o.activity, d.host, d.inbox, d.state, d.recipients, d.attempts, d.next_at, d.last_code, d.last_error,
       d.updated_at, h.dead_since
  FROM outgoing o JOIN delivery d ON d.activity = o.activity LEFT JOIN host h ON h.name = d.host
 WHERE o.status = :status AND o.account = :account
 ORDER BY o.created_at, o.activity, d.host, d.id LIMIT :limit"""
TOTALS = "SELECT kind, state, hosts, recipients FROM delivery_total WHERE status = :status ORDER BY kind, state"
# Indexes outgoing_status and delivery_once.
INBOXES_OF = """
SELECT DISTINCT d.inbox FROM outgoing o JOIN delivery d ON d.activity = o.activity WHERE o.status = :status"""
# Who is reached through a shared inbox by this activity: followers of its sender, and whoever its status addresses.
ACCOUNTS_BEHIND = """
SELECT a.inbox FROM account a
 WHERE a.shared_inbox = :inbox AND a.inbox <> :inbox AND a.local = 0 AND a.gone_at IS NULL AND (
       EXISTS (SELECT 1 FROM follow f WHERE f.target = :sender AND f.follower = a.id AND f.state = 'accepted')
    OR EXISTS (SELECT 1 FROM mention m JOIN outgoing o ON o.status = m.status
                WHERE o.activity = :activity AND m.account = a.id))"""
FORGET_SHARED_INBOX = "UPDATE account SET shared_inbox = NULL WHERE shared_inbox = :inbox"
OWNERS_OF_INBOX = "SELECT uri FROM account WHERE inbox = :inbox AND local = 0 AND gone_at IS NULL LIMIT 5"
COUNT_BY_STATE = "SELECT state, count(*) FROM delivery GROUP BY state"
# Index outgoing_created. Nobody is waiting for these bodies any more.
FORGET_BODIES = """
UPDATE outgoing SET body = :empty
 WHERE created_at < :before AND length(body) > 0 AND activity IN (
    SELECT o.activity FROM outgoing o
     WHERE o.created_at < :before AND length(o.body) > 0 AND NOT EXISTS (
        SELECT 1 FROM delivery d
         WHERE d.activity = o.activity AND (d.state IN ('queued', 'retrying') OR d.updated_at >= :before))
     LIMIT :limit)"""
OLD_ACTIVITIES = """
SELECT o.activity, o.status, o.kind FROM outgoing o
 WHERE o.created_at < :before AND NOT EXISTS (
    SELECT 1 FROM delivery d WHERE d.activity = o.activity AND (d.state IN ('queued', 'retrying') OR d.updated_at >= :before))
 ORDER BY o.created_at LIMIT :limit"""
ADD_TOTALS = """
INSERT INTO delivery_total (status, kind, state, hosts, recipients)
SELECT CAST(:status AS BIGINT), CAST(:kind AS TEXT), state, count(DISTINCT host), sum(recipients)
  FROM delivery WHERE activity = :activity GROUP BY state
ON CONFLICT (status, kind, state) DO UPDATE SET
  hosts = delivery_total.hosts + excluded.hosts, recipients = delivery_total.recipients + excluded.recipients"""
DROP_DELIVERIES = "DELETE FROM delivery WHERE activity = :activity"
DROP_OUTGOING = "DELETE FROM outgoing WHERE activity = :activity"


def host_of_inbox(inbox: str) -> str:
    """Folded host with its port where unusual; '' for what is no URL (such a row is refused when it is sent)."""
    try:
        return parse_url(inbox).authority
    except PeerFault:
        return ""


def ordering_key(account: int, inbox: str) -> str:
    """What one account sends to one inbox arrives in the order in which it was made."""
    return f"{account}>{inbox}"


async def send(
    tx: Tx,
    *,
    activity_uri: str,
    kind: str,
    account: AccountId,
    status: StatusId | None = None,
    body: bytes,
    destinations: Sequence[Destination],
    now_ms: int,
    priority: int = jobs.NORMAL,
    unsealed: Seal = "",
) -> None:
    """Writes an activity with its deliveries and their jobs. The same activity again only adds new inboxes.

    ``account`` signs; ``status`` is what its author will find it reported under; ``unsealed`` says what is to be
    added to ``body`` before it leaves.
    """
    if not destinations:
        return
    await tx.run(
        PUT_OUTGOING,
        activity=activity_uri,
        account=account,
        status=status,
        kind=kind,
        body=body,
        now=now_ms,
        unsealed=unsealed,
    )
    if len(destinations) <= FAN_OUT_ABOVE:
        await put_deliveries(
            tx, activity_uri=activity_uri, account=account, destinations=destinations, now_ms=now_ms, priority=priority
        )
        return
    payload = {
        "activity": activity_uri,
        "account": account,
        "priority": priority,
        "to": [[to.inbox, to.recipients, to.refusal] for to in destinations],
    }
    await jobs.enqueue(tx, FAN_OUT, payload, dedup=activity_uri, priority=priority, now_ms=now_ms)


async def put_deliveries(
    tx: Tx,
    *,
    activity_uri: str,
    account: AccountId,
    destinations: Iterable[Destination],
    now_ms: int,
    priority: int = jobs.NORMAL,
) -> int:
    """The rows and jobs of destinations that the activity has not yet; how many are new."""
    wanted = {to.inbox: to for to in destinations}
    lanes = {inbox: to.host for inbox, to in wanted.items()}
    orderings = {inbox: ordering_key(account, inbox) for inbox in wanted}
    closed = {state.name: state for state in await hosts.list_troubled(tx, set(lanes.values()), now_ms)}
    ahead: dict[str, int] = dict(await tx.all(ORDERINGS_AHEAD, orderings=list(orderings.values())))
    if ahead and priority < jobs.LOW:
        await jobs.hurry_ordering(tx, kind=DELIVER, orderings=ahead, priority=priority)
    new: list[jobs.NewJob] = []
    for inbox, to in wanted.items():
        lane = lanes[inbox]
        state, reason = _at_first(to, closed.get(lane))
        due = max(now_ms, ahead.get(orderings[inbox], 0), (closed[lane].open_until or 0) if lane in closed else 0)
        row = await tx.value(
            PUT_DELIVERY,
            activity=activity_uri,
            inbox=inbox,
            host=lane,
            recipients=to.recipients,
            state=state,
            next_at=due if state == "queued" else None,
            last_error=reason,
            now=now_ms,
        )
        if row is not None and state == "queued":
            new.append(
                jobs.NewJob(
                    kind=DELIVER,
                    payload={"delivery": row, "activity": activity_uri, "inbox": inbox, "account": account},
                    ordering=orderings[inbox],
                    lane=lane,
                    priority=priority,
                    run_at=due,
                )
            )
    await jobs.enqueue_many(tx, new, now_ms=now_ms)
    return len(new)


def _at_first(to: Destination, host: "hosts.HostState | None") -> tuple[DeliveryState, str | None]:
    if to.refusal is not None:
        return "refused", to.refusal
    if host is not None and host.dead_since is not None:
        return "expired", HOST_UNREACHABLE
    return "queued", None


async def find_outgoing(tx: Tx, activity_uri: str) -> Outgoing | None:
    return await tx.one_as(Outgoing, FIND_OUTGOING, activity=activity_uri)


async def put_sealed(tx: Tx, activity_uri: str, body: bytes) -> None:
    """The body with its signature or proof: made once, whatever the number of inboxes."""
    await tx.run(PUT_SEALED, activity=activity_uri, body=body)


async def put_gone_inbox(tx: Tx, inbox: str, code: int, data: Mapping[str, Any], *, now_ms: int) -> None:
    """An inbox answered 404 or 410. A shared one is not used again, and its people get the activity in their own; of
    a personal one the actor is asked whether it still exists. ``data`` is the payload of the delivery's job."""
    shared = await tx.all(ACCOUNTS_BEHIND, inbox=inbox, sender=data["account"], activity=data["activity"])
    if shared:
        await tx.run(FORGET_SHARED_INBOX, inbox=inbox)
        await put_deliveries(
            tx,
            activity_uri=data["activity"],
            account=data["account"],
            destinations=[Destination(inbox=personal) for (personal,) in shared],
            now_ms=now_ms,
        )
        return
    if await tx.run(FORGET_SHARED_INBOX, inbox=inbox):
        return
    for (uri,) in await tx.all(OWNERS_OF_INBOX, inbox=inbox):
        payload = {"actor": uri, "because": "inbox-gone", "code": code}
        await jobs.enqueue(tx, REFRESH_ACTOR, payload, dedup=uri, lane=host_of_inbox(inbox), now_ms=now_ms)


async def put_attempts(tx: Tx, attempts: Sequence[Attempt]) -> None:
    await tx.many(
        PUT_ATTEMPT,
        [
            {
                "delivery": attempt.delivery,
                "state": attempt.state,
                "counted": int(attempt.counted),
                "next_at": attempt.next_at,
                "code": attempt.code,
                "error": attempt.error,
                "now": attempt.now_ms,
            }
            for attempt in attempts
        ],
    )


async def report(tx: Tx, status: StatusId, account: AccountId, *, limit: int = 20_000) -> list[ActivityReport]:
    """What the author may know of a status: each activity about it, host by host, oldest first.

    "sent" means the host answered 2xx, not that anybody read it.
    """
    rows = await tx.all_as(DeliveryRow, REPORT, status=status, account=account, limit=limit)
    reports: dict[str, ActivityReport] = {}
    places: dict[tuple[str, str], HostReport] = {}
    for row in rows:
        of = reports.setdefault(row.activity, ActivityReport(kind=row.kind, activity=row.activity))
        of.recipients[row.state] = of.recipients.get(row.state, 0) + row.recipients
        place = places.get((row.activity, row.host))
        if place is None:
            place = HostReport(host=row.host, state=row.state, updated_at=row.updated_at)
            places[row.activity, row.host] = place
            of.hosts.append(place)
        _add_row(place, row)
    return list(reports.values())


# From best to worst: one inbox that failed is what the author should see of a host.
_WORSE: tuple[DeliveryState, ...] = ("sent", "queued", "retrying", "expired", "gone", "refused")


def _add_row(place: HostReport, row: DeliveryRow) -> None:
    place.states[row.state] = place.states.get(row.state, 0) + 1
    place.recipients += row.recipients
    place.updated_at = max(place.updated_at, row.updated_at)
    place.unreachable_since = row.dead_since
    if _WORSE.index(row.state) >= _WORSE.index(place.state):
        place.state, place.code, place.error = row.state, row.last_code, row.last_error
        place.attempts, place.next_at = row.attempts, row.next_at


async def list_inboxes_of(tx: Tx, status: StatusId) -> list[str]:
    """Where a status has gone, or was to go: whoever has it hears of its changes, even if they follow no more."""
    return [row[0] for row in await tx.all(INBOXES_OF, status=status)]


async def list_totals(tx: Tx, status: StatusId) -> list[DeliveryTotal]:
    """Of a status whose rows are older than 30 days."""
    return await tx.all_as(DeliveryTotal, TOTALS, status=status)


async def count_by_state(tx: Tx) -> dict[str, int]:
    return dict(await tx.all(COUNT_BY_STATE))


async def forget_old(tx: Tx, *, now_ms: int, limit: int = 200) -> int:
    """Bodies go 7 days after their last row is final; rows become totals per status after 30. Call until it is 0."""
    forgotten = await tx.run(FORGET_BODIES, empty=b"", before=now_ms - BODY_KEPT_MS, limit=limit)
    old: list[Row] = await tx.all(OLD_ACTIVITIES, before=now_ms - ROWS_KEPT_MS, limit=limit)
    for activity, status, kind in old:
        named: dict[str, Any] = {"activity": activity}
        if status is not None:
            await tx.run(ADD_TOTALS, status=status, kind=kind, **named)
        await tx.run(DROP_DELIVERIES, **named)
        await tx.run(DROP_OUTGOING, **named)
    return forgotten + len(old)
