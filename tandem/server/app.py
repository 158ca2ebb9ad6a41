"""Assembly: the context, the routers, the boundary, what requests pass on their way."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from tandem.executors.base import Executor
from tandem.server.context import Context
from tandem.server.db.database import Database
from tandem.server.events.hub import Hub
from tandem.server.http import boundary, description, health, metrics
from tandem.server.http.console import Console
from tandem.server.http.middleware.access import AccessCheck
from tandem.server.http.middleware.body import BodyLimit
from tandem.server.http.middleware.etag import Etag
from tandem.server.http.middleware.idempotency import Idempotency
from tandem.server.http.middleware.language import Language
from tandem.server.http.middleware.origin import OriginCheck
from tandem.server.http.middleware.security_headers import SecurityHeaders
from tandem.server.resources import routers
from tandem.server.settings import ServerSettings

COMPRESSED_BYTES = 1024


def create_app(
    settings: ServerSettings,
    executor: Executor,
    *,
    dispatch: bool = False,
    token: str | None = None,
) -> FastAPI:
    """The service on `settings`; its background work starts and ends with the lifespan.

    `token` opens it; None: whoever reaches it may use it.
    """
    context = Context(
        settings=settings,
        database=Database(settings.database_url),
        executor=executor,
        hub=Hub(),
        token=token,
    )
    app = FastAPIOffline(
        redoc_url=None,
        title="Tandem",
        version=health.VERSION,
        description=description.ABOUT,
        openapi_tags=description.TAGS,
        generate_unique_id_function=_operation_id,
        lifespan=_lifespan(context, dispatch),
        # Each one around the next.
        middleware=[
            Middleware(metrics.Measuring, metrics=metrics.of(context)),
            Middleware(SecurityHeaders),
            Middleware(Language),
            Middleware(boundary.Boundary),
            Middleware(OriginCheck, settings=settings, any_host=token is not None),
            Middleware(Console, web_root=settings.web_root),
            Middleware(AccessCheck, database=context.database, token=token),
            Middleware(
                BodyLimit,
                most_bytes=settings.max_body_bytes,
                most_upload_bytes=settings.max_upload_bytes,
            ),
            Middleware(GZipMiddleware, minimum_size=COMPRESSED_BYTES),
            Middleware(Etag),
            Middleware(Idempotency, database=context.database),
        ],
    )
    app.state.context = context
    boundary.install(app)
    for router, prefix in routers():
        app.include_router(router, prefix=prefix)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.openapi = lambda: description.complete(app)  # type: ignore[method-assign]
    return app


def _operation_id(route: APIRoute) -> str:
    """Stable, and told apart by surface: `a_start_task`, `v1_start_task`."""
    surface = {"/model-distillation": "a", "/api/v1": "v1", "/api/training": "b"}
    prefix = next((s for path, s in surface.items() if route.path_format.startswith(path)), "")
    return re.sub(r"\W", "_", f"{prefix}_{route.name}".strip("_"))


def _lifespan(
    context: Context, dispatch: bool
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if dispatch:
            from tandem.server.datasets.checking import Checker
            from tandem.server.dispatch.dispatcher import Dispatcher

            dispatcher = context.dispatcher = Dispatcher(context)
            dispatcher.start()
            checker = Checker(context)
            checker.start()
        try:
            yield
        finally:
            context.hub.close()
            context.workers.close()
            if dispatch:
                checker.stop()
            if context.dispatcher is not None:
                context.dispatcher.stop()
            context.database.close()

    return lifespan
