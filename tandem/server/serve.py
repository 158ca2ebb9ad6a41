"""The service in the foreground."""

from __future__ import annotations

import os

import uvicorn

from tandem.executors.base import Executor
from tandem.server.app import create_app
from tandem.server.database import Database
from tandem.server.events.ending import EndingServer
from tandem.server.settings import read
from tandem.server.upgrade import check_at_start


def serve(host: str | None, port: int | None, *, executor: Executor | None = None) -> int:
    """Until SIGTERM; the exit code."""
    settings = read(host=host, port=port)
    os.makedirs(settings.home, mode=0o700, exist_ok=True)  # noqa: PTH103
    database = Database(settings.database_url)
    check_at_start(database)
    database.close()
    if executor is None:
        from tandem.executors.local import LocalExecutor

        executor = LocalExecutor()
    app = create_app(settings, executor, dispatch=True)
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, log_level="warning", access_log=False
    )
    EndingServer(config, app.state.context.hub).run()
    return 0
