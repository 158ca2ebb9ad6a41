"""Routes of /api/training."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import iterate_in_threadpool

from tandem.server.artifacts.folder import zipped
from tandem.server.compat_training import service
from tandem.server.compat_training.schemas import (
    ModelOut,
    ModelType,
    StartedOut,
    StartIn,
    StatusOut,
    TrainingDataset,
)
from tandem.server.context import Here
from tandem.server.datasets import one_shot
from tandem.server.datasets import service as datasets
from tandem.server.http.multipart import of_a_file

router = APIRouter(prefix="/api/training", tags=["plain training"])
FORM = {"requestBody": {"required": True, "content": of_a_file("name", "type")}}


@router.post("/start", response_model=StartedOut)
def start_training(context: Here, body: StartIn) -> object:
    """Train a classifier or a detector on labels alone."""
    return StartedOut(task_id=service.start(context, body))


@router.get("/status/{task_id}", response_model=StatusOut)
def training_status(context: Here, task_id: str) -> object:
    """Where it is."""
    return service.status(context, task_id)


@router.post("/stop/{task_id}", response_model=StatusOut)
def stop_training(context: Here, task_id: str) -> object:
    """Save and end; it can go on later."""
    return service.stop(context, task_id)


@router.get("/tasks", response_model=list[StatusOut])
def training_tasks(context: Here) -> object:
    """Newest first."""
    return list(service.listed(context, ended=False))


@router.get("/history", response_model=list[StatusOut])
def training_history(context: Here) -> object:
    """Those that have ended."""
    return list(service.listed(context, ended=True))


@router.get("/models", response_model=list[ModelOut])
def training_models(model_type: ModelType | None = None) -> object:
    """What can be trained, with its licence."""
    return service.models(model_type)


@router.get("/datasets", response_model=list[TrainingDataset])
def training_datasets(context: Here) -> object:
    """Data sets that were uploaded or found."""
    return [TrainingDataset(**one) for one in datasets.plain(context)]


@router.post("/datasets/upload", response_model=TrainingDataset, openapi_extra=FORM)
async def upload_dataset(context: Here, request: Request) -> object:
    """A ZIP in one request, streamed to the disk; it is validated in the background."""
    return TrainingDataset(**await one_shot.receive(context, request))


@router.delete("/datasets/{id}", response_model=None)
def delete_dataset(context: Here, id: str) -> None:
    """With its files; 409 while a training uses it."""
    datasets.remove(context, id)


@router.get("/download/{task_id}", response_class=StreamingResponse)
async def download_model(context: Here, task_id: str) -> StreamingResponse:
    """The trained model as a ZIP."""
    from starlette.concurrency import run_in_threadpool

    folder, name = await run_in_threadpool(service.model_folder, context, task_id)

    async def blocks() -> AsyncIterator[bytes]:
        async for block in iterate_in_threadpool(zipped(folder)):
            yield block

    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(blocks(), media_type="application/zip", headers=headers)
