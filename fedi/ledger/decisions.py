"""The only door to a restriction: a decision with a rule, a reason and an end date.

For now there are two: refusing a host, and suspending an account. Everything else waits for the transparency log.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from fedi.activitypub.urls import host as host_of
from fedi.activitypub.urls import normal_host, parent_domains
from fedi.errors import ClientFault, PeerFault
from fedi.ids import random_token
from fedi.store import ledger as rows
from fedi.store.database import Database, Tx

Scope = Literal["account", "domain"]
Effect = Literal["suspend", "refuse"]

DAY_S = 24 * 3600
LONGEST_S: dict[Effect, int] = {"refuse": 180 * DAY_S, "suspend": 90 * DAY_S}
MAX_REASON_CHARS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """``subject`` is an actor URI, or ``host:example.org``. Times are Unix seconds; it ends by itself at ``until``."""

    id: str
    scope: Scope
    subject: str
    effect: Effect
    rule: str
    reason: str
    by_role: str
    start_at: int
    until: int
    ended_at: int | None = None

    def is_live(self, now_s: int) -> bool:
        return self.ended_at is None and self.start_at <= now_s < self.until


def host_subject(host: str) -> str:
    return f"host:{normal_host(host)}"


class Decisions:
    """Decides, lifts, and answers who is refused now.

    The live ones are few and asked for at every request, so they are kept in memory: loaded at the start, and after
    each commit that made or ended one. Where other processes share the database, :meth:`load` is called again when
    they tell of a change.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._live: dict[str, list[Decision]] = {}

    async def load(self, now_ms: int) -> None:
        found = await self._db.read(lambda tx: rows.list_live_decisions(tx, now_ms // 1000))
        live: dict[str, list[Decision]] = {}
        for row in found:
            live.setdefault(row.subject, []).append(_decision(row))
        self._live = live

    @property
    def is_empty(self) -> bool:
        """Nothing is refused at all: the common case, asked for before anything is looked up."""
        return not self._live

    def refusal_of_host(self, host: str, now_ms: int) -> Decision | None:
        """``host`` is folded. A decision on a domain holds for everything below it."""
        if not self._live:
            return None
        for domain in parent_domains(host):
            if found := self._find(f"host:{domain}", now_ms):
                return found
        return None

    def refusal_of(self, uri: str, now_ms: int) -> Decision | None:
        """The decision that keeps out what this URI names: its host's, or its own if it is a suspended actor."""
        if not self._live:
            return None
        try:
            by_host = self.refusal_of_host(host_of(uri), now_ms)
        except PeerFault:
            by_host = None
        return by_host or self._find(uri, now_ms)

    async def decide(
        self,
        tx: Tx,
        *,
        effect: Effect,
        subject: str,
        rule: str,
        reason: str,
        until_ms: int,
        by_role: str,
        now_ms: int,
    ) -> Decision:
        """Refuses a host (``subject`` its name) or suspends an account (``subject`` its actor URI).

        Raises :class:`ClientFault`: ``decision-incomplete``, ``decision-too-long``, ``already-decided``.
        """
        now_s, until_s = now_ms // 1000, until_ms // 1000
        if not rule.strip() or not reason.strip():
            raise ClientFault("decision-incomplete", "Name the rule and the reason.")
        if len(reason) > MAX_REASON_CHARS:
            raise ClientFault("decision-incomplete", "Keep the reason below 500 characters.")
        if until_s <= now_s:
            raise ClientFault("decision-incomplete", "The end must lie in the future.")
        if until_s - now_s > LONGEST_S[effect]:
            raise ClientFault(
                "decision-too-long",
                "This can last %(days)s days at most; renew it with a fresh reason when it ends.",
                params={"days": str(LONGEST_S[effect] // DAY_S)},
            )
        named = host_subject(subject) if effect == "refuse" else subject
        if self._find(named, now_ms) is not None:
            raise ClientFault("already-decided", "A decision on this is in force; lift it first.")
        decision = Decision(
            id=random_token(),
            scope="domain" if effect == "refuse" else "account",
            subject=named,
            effect=effect,
            rule=rule.strip(),
            reason=reason.strip(),
            by_role=by_role,
            start_at=now_s,
            until=until_s,
        )
        await rows.put_decision(
            tx,
            decision=decision.id,
            scope=decision.scope,
            subject=decision.subject,
            effect=decision.effect,
            surfaces=json.dumps(["*"]),
            rule=decision.rule,
            reason=decision.reason,
            by_role=decision.by_role,
            start_at=decision.start_at,
            until=decision.until,
        )
        await rows.put_restriction(tx, subject=decision.subject, surface="*", decision=decision.id)
        tx.after_commit(lambda: self._live.setdefault(decision.subject, []).append(decision))
        return decision

    async def lift(self, tx: Tx, *, subject: str, now_ms: int) -> Decision:
        """Ends the live decision on a host name or an actor URI. Raises :class:`ClientFault` ``not-decided``."""
        named = subject if "://" in subject else host_subject(subject)
        decision = self._find(named, now_ms)
        if decision is None:
            raise ClientFault("not-decided", "Nothing is in force against this.", status=404)
        await rows.end_decision(tx, decision.id, now_ms // 1000)
        await rows.drop_restrictions(tx, decision.id)
        tx.after_commit(lambda: self._forget(decision))
        return decision

    def list_live(self, now_ms: int) -> Iterator[Decision]:
        for decisions in self._live.values():
            yield from (decision for decision in decisions if decision.is_live(now_ms // 1000))

    def _find(self, subject: str, now_ms: int) -> Decision | None:
        for decision in self._live.get(subject, ()):
            if decision.is_live(now_ms // 1000):
                return decision
        return None

    def _forget(self, decision: Decision) -> None:
        kept = [one for one in self._live.get(decision.subject, ()) if one.id != decision.id]
        if kept:
            self._live[decision.subject] = kept
        else:
            self._live.pop(decision.subject, None)


async def find_decision(tx: Tx, decision: str) -> Decision | None:
    row = await rows.find_decision(tx, decision)
    return None if row is None else _decision(row)


async def list_decisions(tx: Tx, limit: int = 100) -> list[Decision]:
    """Newest first, ended ones too."""
    return [_decision(row) for row in await rows.list_decisions(tx, limit)]


def _decision(row: rows.DecisionRow) -> Decision:
    return Decision(
        id=row.id,
        scope="domain" if row.scope == "domain" else "account",
        subject=row.subject,
        effect="refuse" if row.effect == "refuse" else "suspend",
        rule=row.rule,
        reason=row.reason,
        by_role=row.by_role,
        start_at=row.start_at,
        until=row.until,
        ended_at=row.ended_at,
    )
