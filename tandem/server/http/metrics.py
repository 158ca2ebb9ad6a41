"""/metrics for Prometheus: requests, tasks, the dispatcher, streams, the process."""

from __future__ import annotations

import time
from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tandem.server.context import Context, Here
from tandem.server.db.tables import DelFlag, Job, Task

router = APIRouter(tags=["health"])
PREFIXES = ("/model-distillation", "/api/v1")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """One registry for each service: two in one process do not add up."""

    def __init__(self, context: Context) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "tandem_requests", "Requests.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "tandem_request_seconds",
            "From the request to the last byte of its answer; event streams are left out.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        self.registry.register(_State(context))


class _State(Collector):
    """Asked for at each scrape."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def describe(self) -> list[Metric]:
        return []  # else registering would ask the data base

    def collect(self) -> Iterator[Metric]:
        try:
            states, live = self._counted()
        except SQLAlchemyError:
            yield GaugeMetricFamily("tandem_database_up", "Whether it answers.", value=0)
        else:
            yield GaugeMetricFamily("tandem_database_up", "Whether it answers.", value=1)
            tasks = GaugeMetricFamily("tandem_tasks", "Tasks by their state.", labels=["status"])
            for status, count in states:
                tasks.add_metric([status], count)
            yield tasks
            yield GaugeMetricFamily("tandem_live_runs", "Runs with a process.", value=live)
        streams = self.context.hub.listeners
        yield GaugeMetricFamily("tandem_open_streams", "Event streams.", value=streams)
        dispatcher = self.context.dispatcher
        if dispatcher is not None:
            holds = int(dispatcher.holds_lease)
            yield GaugeMetricFamily("tandem_dispatches", "1: this server dispatches.", value=holds)
            ticks, failed = dispatcher.ticks, dispatcher.failed_ticks
            yield CounterMetricFamily("tandem_dispatcher_rounds", "Rounds.", value=ticks)
            yield CounterMetricFamily("tandem_dispatcher_failed_rounds", "Failed.", value=failed)

    def _counted(self) -> tuple[list[tuple[str, int]], int]:
        with self.context.database.read() as session:
            counted = select(Task.status, func.count()).where(Task.del_flag == DelFlag.NORMAL)
            states = session.execute(counted.group_by(Task.status)).all()
            live = session.scalar(select(func.count()).select_from(Job).where(Job.live == 1))
        return [(str(status), count) for status, count in states], live or 0


class Measuring:
    """Counts each request under its route's template, so that ids make no new series."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status, is_stream = time.perf_counter(), 500, False

        async def sending(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = any(v.startswith(b"text/event-stream") for _, v in message["headers"])
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            route = _template(scope)
            method = scope["method"] if scope["method"].isalpha() else "-"
            self.metrics.requests.labels(method[:10], route, str(status)).inc()
            if not is_stream:
                seconds = time.perf_counter() - began
                self.metrics.seconds.labels(method[:10], route).observe(seconds)


def _template(scope: Scope) -> str:
    """The route's path with its names in braces; `-` for an address that is none."""
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return "-"
    # A router that was included knows its part of the path only.
    prefix = next((one for one in PREFIXES if scope["path"].startswith(one + "/")), "")
    return str(path) if path.startswith(prefix) else f"{prefix}{path}"


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(context: Here) -> Response:
    """In Prometheus's text format."""
    assert context.metrics is not None
    return Response(generate_latest(context.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def of(context: Context) -> Metrics:
    """Made for this service."""
    made = context.metrics = Metrics(context)
    return made
