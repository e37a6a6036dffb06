"""Figures for the operator, on a port of their own that only this machine reaches. No host, account or URL is named."""

from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily

from fedi.clock import Clock
from fedi.config import VERSION, MetricsConfig
from fedi.store import jobs
from fedi.store.database import Database
from fedi.store.jobs import QueueAge


class Metrics:
    """Counts what is told to it; asks the job table when it is read."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.registry = CollectorRegistry()
        self._inbox = Counter(
            "fedi_inbox_activities", "Activities processed, by outcome", ["outcome"], registry=self.registry
        )
        self._deliveries = Counter(
            "fedi_deliveries", "Delivery attempts, by result", ["result"], registry=self.registry
        )
        Counter("fedi_build", "The running version", ["version"], registry=self.registry).labels(VERSION).inc()

    def count_inbox(self, outcome: str) -> None:
        self._inbox.labels(outcome).inc()

    def count_delivery(self, result: str) -> None:
        self._deliveries.labels(result).inc()

    async def render(self) -> bytes:
        ages = await self._database.read(jobs.list_ages)
        registry = CollectorRegistry()
        registry.register(_Queues(ages, self._clock.ms()))
        return generate_latest(self.registry) + generate_latest(registry)

    async def show(self, _request: web.Request) -> web.Response:
        return web.Response(body=await self.render(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def serve(self, settings: MetricsConfig) -> web.AppRunner | None:
        """Listens on the metrics port; None where it is switched off with port 0."""
        if not settings.port:
            return None
        app = web.Application()
        app.router.add_get("/metrics", self.show)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, settings.listen, settings.port).start()
        return runner


class _Queues:
    def __init__(self, ages: list[QueueAge], now_ms: int) -> None:
        self._ages = ages
        self._now_ms = now_ms

    def collect(self) -> Iterator[GaugeMetricFamily]:
        count = GaugeMetricFamily("fedi_jobs", "Jobs by kind and state", labels=["kind", "state"])
        oldest = GaugeMetricFamily(
            "fedi_job_oldest_seconds", "How long the oldest due job has waited", labels=["kind", "state"]
        )
        for age in self._ages:
            count.add_metric([age.kind, age.state], age.jobs)
            oldest.add_metric([age.kind, age.state], max(0.0, (self._now_ms - age.oldest_run_at) / 1000))
        yield count
        yield oldest
