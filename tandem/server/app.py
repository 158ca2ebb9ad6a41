"""Assembly: the context, the routers, the boundaries."""

from __future__ import annotations

from fastapi import FastAPI

from tandem.executors.base import Executor
from tandem.server.artefacts import routes as artefacts
from tandem.server.context import Context
from tandem.server.database import Database
from tandem.server.datasets import routes as datasets
from tandem.server.evaluations import routes as evaluations
from tandem.server.events import routes as events
from tandem.server.events.hub import Hub
from tandem.server.presets import routes as presets
from tandem.server.queue import routes as queue
from tandem.server.settings import ServerSettings
from tandem.server.system import routes as system
from tandem.server.tasks import routes as tasks

PARTS = (tasks, events, presets, evaluations, datasets, artefacts, queue, system)


def create_app(settings: ServerSettings, executor: Executor) -> FastAPI:
    """The service on `settings`; its background work starts and ends with the lifespan."""
    app = FastAPI(title="Tandem")
    app.state.context = Context(
        settings=settings,
        database=Database(settings.database_url),
        executor=executor,
        hub=Hub(),
    )
    for part in PARTS:
        app.include_router(part.surface_a, prefix="/model-distillation")
        app.include_router(part.v1, prefix="/api/v1")
    return app
