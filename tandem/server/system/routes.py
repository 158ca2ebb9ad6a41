"""Routes of the machine and of what there is to choose from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from tandem.server.context import Context, Here
from tandem.server.events.stream import HEADERS, EventStream
from tandem.server.system import service
from tandem.server.system.schemas import Catalog, System

router = APIRouter(tags=["system"])
EVERY_SECONDS = 2.0
LOOK_SECONDS = 0.2


@router.get("/catalog")
def get_catalog(context: Here) -> Catalog:
    """Students, teachers, losses, data layouts, and the JSON schema of a run."""
    return service.choices(context)


@router.get("/system")
def get_system(context: Here) -> System:
    """Processor, memory, disk, GPUs, versions, and who dispatches."""
    return service.system(context)


@router.get("/system/events", response_class=EventStream)
async def watch_system(context: Here) -> EventStream:
    """The machine every two seconds, as server-sent events of type `system`."""
    return EventStream(_frames(context), headers=HEADERS)


async def _frames(context: Context) -> AsyncIterator[bytes]:
    while not context.hub.closed:
        now = await run_in_threadpool(service.state, context)
        yield b"event: system\ndata: " + now.model_dump_json().encode() + b"\n\n"
        for _ in range(round(EVERY_SECONDS / LOOK_SECONDS)):
            if context.hub.closed:
                return
            await asyncio.sleep(LOOK_SECONDS)
