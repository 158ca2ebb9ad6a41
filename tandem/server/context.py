"""What every part of one running service shares."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Protocol

from fastapi import Depends, Request

from tandem.server.db.database import Database
from tandem.server.models.workers import Workers
from tandem.server.settings import ServerSettings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from tandem.executors.base import Executor
    from tandem.server.events.hub import Hub


class RunningDispatcher(Protocol):
    """What the service knows of its dispatcher; the dispatcher itself is made of the context."""

    @property
    def holds_lease(self) -> bool:
        """Whether this server is the one that dispatches."""
        ...

    @property
    def ticks(self) -> int:
        """Rounds that went well."""
        ...

    @property
    def failed_ticks(self) -> int:
        """Rounds that did not."""
        ...

    def stop(self) -> None:
        """End after the present round; trainings run on."""


class ScrapedMetrics(Protocol):
    """What the service keeps of its metrics: where Prometheus's page is made from."""

    @property
    def registry(self) -> CollectorRegistry:
        """All counters of this service."""
        ...


@dataclass
class Context:
    """Made once by `app.create_app`; a route gets it as `Here`."""

    settings: ServerSettings
    database: Database
    executor: Executor
    hub: Hub
    """Feeds the live streams of this server."""
    wake_event: threading.Event = field(default_factory=threading.Event)
    """Set when the dispatcher has something to do at once."""
    dispatcher: RunningDispatcher | None = None
    """None in a service that only answers."""
    metrics: ScrapedMetrics | None = None
    workers: Workers = field(default_factory=Workers)
    """The models that are loaded, to be tried in a page."""
    token: str | None = field(default=None, repr=False)
    """Opens the service; None: whoever reaches it may use it."""

    def wake(self) -> None:
        """The queue or a wish has changed: dispatch now, not at the next tick."""
        self.wake_event.set()


def _here(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Here = Annotated[Context, Depends(_here)]
