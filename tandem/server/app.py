"""Assembly: the context, the routers, the boundaries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from tandem.executors.base import Executor
from tandem.server import boundary
from tandem.server.artefacts import routes as artefacts
from tandem.server.context import Context
from tandem.server.database import Database
from tandem.server.datasets import routes as datasets
from tandem.server.evaluations import routes as evaluations
from tandem.server.events import routes as events
from tandem.server.events.hub import Hub
from tandem.server.history import routes as history
from tandem.server.presets import routes as presets
from tandem.server.queue import routes as queue
from tandem.server.settings import ServerSettings
from tandem.server.system import routes as system
from tandem.server.tasks import routes as tasks
from tandem.server.trained import routes as trained

PARTS = (tasks, events, history, presets, evaluations, datasets, trained, artefacts, queue, system)


def create_app(settings: ServerSettings, executor: Executor, *, dispatch: bool = False) -> FastAPI:
    """The service on `settings`; its background work starts and ends with the lifespan."""
    context = Context(
        settings=settings,
        database=Database(settings.database_url),
        executor=executor,
        hub=Hub(),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        dispatcher: Any = None
        if dispatch:
            from tandem.server.dispatcher import Dispatcher

            dispatcher = Dispatcher(context)
            dispatcher.start()
        try:
            yield
        finally:
            context.hub.close()
            if dispatcher is not None:
                dispatcher.stop()
            context.database.close()

    app = FastAPI(title="Tandem", lifespan=lifespan)
    app.state.context = context
    boundary.install(app)
    for part in PARTS:
        app.include_router(part.surface_a, prefix="/model-distillation")
        app.include_router(part.v1, prefix="/api/v1")

    @app.get("/actuator/health")
    def health() -> JSONResponse:
        up = context.database.answers()
        return JSONResponse({"status": "UP" if up else "DOWN"}, 200 if up else 503)

    return app
