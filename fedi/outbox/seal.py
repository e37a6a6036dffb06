"""What an activity gets before it leaves: an integrity proof, or where others pass it on an LD signature.

Made once for each activity, when the first of its deliveries starts, so that posting does not wait for it.
"""

import asyncio
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from fedi.activitypub.addressing import PUBLIC
from fedi.activitypub.keys import SigningKey
from fedi.activitypub.ld_signatures import Worker, add_ld_signature
from fedi.activitypub.proofs import add_proof
from fedi.activitypub.render import render_bytes
from fedi.clock import Clock
from fedi.errors import PeerFault
from fedi.ids import AccountId
from fedi.store import accounts, deliveries
from fedi.store.database import Database, Tx
from fedi.store.deliveries import Outgoing

MOST_KEPT = 128  # bodies, at most 60 kB each

log = structlog.get_logger(__name__)


class OwnKeys(Protocol):
    """The loaded keys of local accounts: :class:`fedi.remote.keys.KeyRing`."""

    async def own_key(self, account: AccountId, kind: str = "rsa") -> SigningKey: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """Bytes ready to leave. ``fresh``: not yet stored in this form. ``followers`` is the author's collection where
    the activity is for followers alone, and ``author`` their username (for FEP-8fcf)."""

    activity: str
    account: AccountId
    body: bytes
    fresh: bool = False
    followers: str | None = None
    author: str = ""


class Sealer:
    """Keeps the last bodies, so that many inboxes cost one look."""

    def __init__(self, *, db: Database, clock: Clock, keys: OwnKeys, worker: Worker) -> None:
        self._db = db
        self._clock = clock
        self._keys = keys
        self._worker = worker
        self._kept: OrderedDict[str, asyncio.Future[Sealed | None]] = OrderedDict()

    async def get(self, activity: str) -> Sealed | None:
        """None when its body is no longer kept."""
        found = self._kept.get(activity)
        if found is None:
            found = asyncio.ensure_future(self._make(activity))
            self._kept[activity] = found
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(activity)
        try:
            return await asyncio.shield(found)
        except BaseException:
            self._kept.pop(activity, None)  # the next one tries again
            raise

    async def _make(self, activity: str) -> Sealed | None:
        async def read(tx: Tx) -> tuple[Outgoing | None, str | None, str]:
            outgoing = await deliveries.find_outgoing(tx, activity)
            if outgoing is None:
                return None, None, ""
            author = await accounts.find_account(tx, outgoing.account)
            if author is None:
                return outgoing, None, ""
            return outgoing, author.followers_uri, author.username

        outgoing, followers, name = await self._db.read_now(read)
        if outgoing is None or not outgoing.body:
            return None
        document: dict[str, Any] = {}
        if outgoing.unsealed or followers is not None:
            document = json.loads(outgoing.body)
        body = outgoing.body if not outgoing.unsealed else render_bytes(await self._seal(document, outgoing))
        return Sealed(
            activity=activity,
            account=outgoing.account,
            body=body,
            fresh=bool(outgoing.unsealed),
            followers=followers if followers and _is_for_followers(document, followers) else None,
            author=name,
        )

    async def _seal(self, document: dict[str, Any], outgoing: Outgoing) -> dict[str, Any]:
        now_s = self._clock.ms() // 1000
        if outgoing.unsealed == "ld":
            try:
                rsa = await self._keys.own_key(outgoing.account, "rsa")
                return await add_ld_signature(document, rsa, now_s, self._worker)
            except PeerFault as fault:  # the worker is overrun: it still arrives, only nobody can pass it on
                log.warning("ld-signature-skipped", activity=outgoing.activity, fault=str(fault))
        try:
            return add_proof(document, await self._keys.own_key(outgoing.account, "ed25519"), now_s)
        except KeyError:
            return document


def _is_for_followers(document: dict[str, Any], followers: str) -> bool:
    to, cc = document.get("to", []), document.get("cc", [])
    return followers in to and PUBLIC not in to and PUBLIC not in cc
