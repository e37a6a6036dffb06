"""What the outbox does by itself, as tasks of the job kind ``maintenance``: polls that end or were voted on, and old
deliveries that are forgotten."""

from collections.abc import Mapping

from fedi.ids import StatusId
from fedi.jobs.periodic import Every, Task
from fedi.jobs.runner import ENDED, Result
from fedi.outbox.changes import POLL_END, ChangeActs
from fedi.outbox.interactions import POLL_UPDATE
from fedi.store import accounts, deliveries, hosts, idempotency, jobs, polls, statuses
from fedi.store.database import Tx
from fedi.store.jobs import Job
from fedi.streaming.hub import Event

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HOSTS_KEPT_MS = 30 * DAY_MS


class Upkeep(ChangeActs):
    """Made with the outbox's tools."""

    def tasks(self) -> Mapping[str, Task]:
        return {POLL_END: self.end_poll, POLL_UPDATE: self.tell_tallies}

    def chores(self) -> Mapping[str, Every]:
        return {"forget-deliveries": Every(period_ms=HOUR_MS, run=self.forget_old)}

    async def end_poll(self, job: Job) -> Result:
        """Tells who voted and who asked; of a poll of ours everybody who has it."""
        poll_id = StatusId(job.data["poll"])
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            await jobs.finish(tx, job.id)
            poll = await polls.find_poll(tx, poll_id)
            status = await statuses.find_status(tx, poll_id)
            if poll is None or status is None or status.deleted_at is not None or not poll.is_closed(now_ms):
                return
            if not await polls.mark_closed(tx, poll_id, now_ms):
                return
            for voter in {*await polls.list_local_voters(tx, poll_id), status.account}:
                await self.notify(tx, account=voter, kind="poll", by=status.account, status=poll_id, now_ms=now_ms)
            await statuses.bump_version(tx, poll_id)
            author = await accounts.find_account(tx, status.account)
            if author is not None and author.local and author.gone_at is None:
                await self.send_update(tx, status, author, now_ms)
            self.publish(tx, Event(kind="status.update", status=poll_id, author=status.account))

        await self.db.write("end a poll", act)
        return ENDED

    async def tell_tallies(self, job: Job) -> Result:
        """Votes on a poll of ours came in."""
        status_id = StatusId(job.data["status"])
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            await jobs.finish(tx, job.id)
            status = await statuses.find_status(tx, status_id)
            if status is None or status.deleted_at is not None or status.poll is None:
                return
            await statuses.bump_version(tx, status_id)
            author = await accounts.find_account(tx, status.account)
            if author is not None and author.local and author.gone_at is None:
                await self.send_update(tx, status, author, now_ms)

        await self.db.write("tell tallies", act)
        return ENDED

    async def forget_old(self) -> None:
        """Old bodies, rows, hosts and idempotency keys, in small steps."""
        now_ms = self.now()
        while await self.db.write("forget deliveries", lambda tx: deliveries.forget_old(tx, now_ms=now_ms)):
            pass
        await self.db.write("forget keys", lambda tx: idempotency.forget_old(tx, now_ms=now_ms))
        await self.db.write("forget hosts", lambda tx: hosts.drop_unused(tx, before_ms=now_ms - HOSTS_KEPT_MS))
