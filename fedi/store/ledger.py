"""Rows of objects, positions, intake and decisions. Only :mod:`fedi.ledger` imports this module.

Times are Unix seconds. A position is taken by one ``UPDATE … RETURNING``, never by reading first: two
transactions cannot get the same one, and a rollback gives it back.
"""

from collections.abc import Sequence
from typing import NamedTuple

from fedi.store.database import Tx


class Position(NamedTuple):
    surface: int
    pos: int
    last_id: int


class IntakeRow(NamedTuple):
    body_hash: bytes
    outcome: str | None


class DecisionRow(NamedTuple):
    id: str
    scope: str
    subject: str
    effect: str
    rule: str
    reason: str
    by_role: str
    start_at: int
    until: int
    ended_at: int | None


OBJECT_BY_URI = "SELECT n FROM object WHERE id = :uri"
BOOST_BY_PAIR = "SELECT n FROM object WHERE account = :account AND boost_of = :boost_of AND gone IS NULL"
OBJECT_BY_NUMBER = "SELECT n FROM object WHERE n = :n"

INSERT_OBJECT = """
INSERT INTO object (n, id, account, author, host, boost_of, class, archived, body_hash, at, ready_at)
VALUES (:n, :uri, :account, :author, :host, :boost_of, :audience, :archived, :body_hash, :at, NULL)
"""

# A surface is born with the next free number; whoever loses the race finds it when taking a position.
INSERT_SURFACE = """
INSERT INTO surface_head (surface, name, kind, next, last_id)
SELECT coalesce(max(surface), 0) + 1, CAST(:name AS TEXT), CAST(:kind AS TEXT), 0, 0 FROM surface_head WHERE true
ON CONFLICT DO NOTHING
"""

# last_id rises with every delivered post, so that paging by status id and by position agree.
TAKE_POSITION = """
UPDATE surface_head
   SET next = next + 1, last_id = CASE WHEN last_id >= CAST(:n AS BIGINT) THEN last_id + 1 ELSE CAST(:n AS BIGINT) END
 WHERE name = :name
RETURNING surface, next - 1 AS pos, last_id
"""
TAKE_ARCHIVE_POSITION = """
UPDATE surface_head
   SET next = next + 1, last_id = CASE WHEN last_id >= CAST(:n AS BIGINT) THEN last_id ELSE CAST(:n AS BIGINT) END
 WHERE name = :name
RETURNING surface, next - 1 AS pos, last_id
"""
RAISE_LAST_ID = "UPDATE surface_head SET last_id = :n WHERE surface = :surface AND last_id < :n"

INSERT_SLOT = "INSERT INTO slot (surface, pos, object) VALUES (:surface, :pos, :n)"

MARK_READY = "UPDATE object SET ready_at = :at WHERE n = :n AND ready_at IS NULL"
MARK_GONE = "UPDATE object SET gone = :how WHERE n = :n AND gone IS NULL"

INTAKE_OF = "SELECT body_hash, outcome FROM intake WHERE activity = :activity"
INSERT_INTAKE = """
INSERT INTO intake (activity, object, body_hash, at) VALUES (:activity, :object, :body_hash, :at)
ON CONFLICT (activity) DO NOTHING
"""
SET_OUTCOME = "UPDATE intake SET outcome = :outcome WHERE activity = :activity AND outcome IS NULL"
PUT_BODY = "INSERT INTO body (hash, data, at) VALUES (:hash, :data, :at) ON CONFLICT (hash) DO NOTHING"
BODY_OF = "SELECT data FROM body WHERE hash = :hash"
DROP_BODY = "DELETE FROM body WHERE hash = :hash"
# Index body_at.
DROP_OLD_BODIES = """
DELETE FROM body WHERE hash IN (SELECT hash FROM body WHERE at < :before ORDER BY at LIMIT :limit)"""

DECISION_COLUMNS = "id, scope, subject, effect, rule, reason, by_role, start_at, until, ended_at"
INSERT_DECISION = """
INSERT INTO decision (id, scope, subject, effect, surfaces, rule, reason, by_role, start_at, until)
VALUES (:id, :scope, :subject, :effect, :surfaces, :rule, :reason, :by_role, :start_at, :until)
"""
INSERT_RESTRICTION = "INSERT INTO restriction (subject, surface, decision) VALUES (:subject, :surface, :decision)"
DROP_RESTRICTION = "DELETE FROM restriction WHERE decision = :decision"
END_DECISION = "UPDATE decision SET ended_at = :at WHERE id = :id AND ended_at IS NULL"
LIVE_DECISIONS = f"""
SELECT {DECISION_COLUMNS} FROM decision
 WHERE ended_at IS NULL AND until > :now AND effect IN ('refuse', 'suspend')
"""
DECISION_BY_ID = f"SELECT {DECISION_COLUMNS} FROM decision WHERE id = :id"
DECISIONS = f"SELECT {DECISION_COLUMNS} FROM decision ORDER BY start_at DESC, id LIMIT :limit"


async def find_object(tx: Tx, uri: str) -> int | None:
    n: int | None = await tx.value(OBJECT_BY_URI, uri=uri)
    return n


async def find_boost(tx: Tx, account: int, boost_of: str) -> int | None:
    n: int | None = await tx.value(BOOST_BY_PAIR, account=account, boost_of=boost_of)
    return n


async def has_number(tx: Tx, n: int) -> bool:
    return await tx.value(OBJECT_BY_NUMBER, n=n) is not None


async def put_object(
    tx: Tx,
    *,
    n: int,
    uri: str,
    account: int,
    author: str,
    host: str,
    boost_of: str | None,
    audience: str,
    archived: bool,
    body_hash: bytes,
    at: int,
) -> None:
    await tx.run(
        INSERT_OBJECT,
        n=n,
        uri=uri,
        account=account,
        author=author,
        host=host,
        boost_of=boost_of,
        audience=audience,
        archived=int(archived),
        body_hash=body_hash,
        at=at,
    )


async def put_surface(tx: Tx, name: str, kind: str) -> None:
    await tx.run(INSERT_SURFACE, name=name, kind=kind)


async def take_position(tx: Tx, name: str, n: int, *, archived: bool) -> Position | None:
    """The next position of the surface, or None if there is no such surface yet."""
    return await tx.one_as(Position, TAKE_ARCHIVE_POSITION if archived else TAKE_POSITION, name=name, n=n)


async def raise_last_id(tx: Tx, surface: int, n: int) -> None:
    await tx.run(RAISE_LAST_ID, surface=surface, n=n)


async def put_slots(tx: Tx, n: int, positions: Sequence[Position]) -> None:
    if positions:
        await tx.many(INSERT_SLOT, [{"surface": at.surface, "pos": at.pos, "n": n} for at in positions])


async def mark_ready(tx: Tx, n: int, at: int) -> None:
    await tx.run(MARK_READY, n=n, at=at)


async def mark_gone(tx: Tx, n: int, how: str) -> None:
    await tx.run(MARK_GONE, n=n, how=how)


async def find_intake(tx: Tx, activity: str) -> IntakeRow | None:
    return await tx.one_as(IntakeRow, INTAKE_OF, activity=activity)


async def put_intake(tx: Tx, *, activity: str, object_uri: str | None, body_hash: bytes, at: int) -> bool:
    """Whether the activity was new."""
    made = await tx.run(INSERT_INTAKE, activity=activity, object=object_uri, body_hash=body_hash, at=at)
    return made == 1


async def set_outcome(tx: Tx, activity: str, outcome: str) -> None:
    await tx.run(SET_OUTCOME, activity=activity, outcome=outcome)


async def put_body(tx: Tx, body_hash: bytes, data: bytes, at: int) -> None:
    await tx.run(PUT_BODY, hash=body_hash, data=data, at=at)


async def find_body(tx: Tx, body_hash: bytes) -> bytes | None:
    data: bytes | None = await tx.value(BODY_OF, hash=body_hash)
    return data


async def drop_body(tx: Tx, body_hash: bytes) -> None:
    await tx.run(DROP_BODY, hash=body_hash)


async def drop_old_bodies(tx: Tx, before: int, limit: int) -> int:
    return await tx.run(DROP_OLD_BODIES, before=before, limit=limit)


async def put_decision(
    tx: Tx,
    *,
    decision: str,
    scope: str,
    subject: str,
    effect: str,
    surfaces: str,
    rule: str,
    reason: str,
    by_role: str,
    start_at: int,
    until: int,
) -> None:
    await tx.run(
        INSERT_DECISION,
        id=decision,
        scope=scope,
        subject=subject,
        effect=effect,
        surfaces=surfaces,
        rule=rule,
        reason=reason,
        by_role=by_role,
        start_at=start_at,
        until=until,
    )


async def put_restriction(tx: Tx, *, subject: str, surface: str, decision: str) -> None:
    await tx.run(INSERT_RESTRICTION, subject=subject, surface=surface, decision=decision)


async def drop_restrictions(tx: Tx, decision: str) -> None:
    await tx.run(DROP_RESTRICTION, decision=decision)


async def end_decision(tx: Tx, decision: str, at: int) -> None:
    await tx.run(END_DECISION, id=decision, at=at)


async def list_live_decisions(tx: Tx, now: int) -> list[DecisionRow]:
    return await tx.all_as(DecisionRow, LIVE_DECISIONS, now=now)


async def list_decisions(tx: Tx, limit: int) -> list[DecisionRow]:
    """Newest first."""
    return await tx.all_as(DecisionRow, DECISIONS, limit=limit)


async def find_decision(tx: Tx, decision: str) -> DecisionRow | None:
    return await tx.one_as(DecisionRow, DECISION_BY_ID, id=decision)
