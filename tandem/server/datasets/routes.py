"""/api/v1/datasets and /api/v1/uploads."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool

from tandem.server.context import Here
from tandem.server.datasets import browse_routes, recording, service, uploads, versions
from tandem.server.datasets.schemas import (
    CheckIn,
    DatasetV1,
    FaultsOut,
    UploadIn,
    UploadOut,
    UsedOut,
    VersionOut,
)
from tandem.server.errors import TooLargeError
from tandem.server.tasks import service as tasks

router = APIRouter(tags=["data sets"])
router.include_router(browse_routes.router)
PIECE = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/datasets", response_model=list[DatasetV1])
def datasets(context: Here) -> object:
    """All, with what their check has said."""
    return service.listed(context)


@router.get("/datasets/{id}", response_model=DatasetV1)
def dataset(context: Here, id: str) -> object:
    """One, with its counts."""
    return service.one(context, id)


@router.post("/datasets/{id}/check", response_model=DatasetV1, status_code=202)
def check_dataset(context: Here, id: str, body: CheckIn | None = None) -> object:
    """Look at all of it in the background, as the `type` that is named, if one is."""
    return service.check(context, id, body)


@router.get("/datasets/{id}/faults", response_model=FaultsOut)
def dataset_faults(
    context: Here,
    id: str,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    page_size: Annotated[int, Query(ge=1, le=500)] = 50,
) -> object:
    """What is wrong with it, by file and line."""
    return service.faults(context, id, page, page_size)


@router.delete("/datasets/{id}", status_code=204)
def delete_dataset(context: Here, id: str) -> None:
    """With its files; 409 while a task uses it."""
    service.remove(context, id)


@router.get("/datasets/{id}/versions", response_model=list[VersionOut])
def dataset_versions(context: Here, id: str) -> object:
    """The newest first."""
    service.one(context, id)
    return versions.every(context, id)


@router.post("/datasets/{id}/versions", response_model=VersionOut)
def make_version(context: Here, id: str) -> object:
    """The version of what lies there now; the last one where nothing has changed."""
    service.one(context, id)
    return versions.make(context, id)


@router.get("/tasks/{task_id}/data", response_model=list[UsedOut])
def task_data(context: Here, task_id: str) -> object:
    """The versions of its data that each of its executions used."""
    tasks.get(context, task_id)
    return [UsedOut.model_validate(dict(row)) for row in recording.of_task(context, task_id)]


@router.post("/uploads", response_model=UploadOut, status_code=201)
def begin_upload(context: Here, body: UploadIn) -> object:
    """A place for a ZIP that comes in pieces."""
    row = uploads.begin(context, body.name, body.size, type=body.type, sha256=body.sha256)
    return uploads.shown(context, row)


@router.get("/uploads/{id}", response_model=UploadOut)
def get_upload(context: Here, id: str) -> object:
    """How much of it is there: after a break, go on at `offset`."""
    return uploads.shown(context, uploads.get(context, id))


@router.put("/uploads/{id}", response_model=UploadOut, openapi_extra=PIECE)
async def send_piece(
    context: Here,
    request: Request,
    id: str,
    upload_offset: Annotated[int, Header(ge=0)] = 0,
) -> object:
    """A piece that begins at `Upload-Offset`; what came before a break is kept."""
    row = await run_in_threadpool(uploads.get, context, id)
    room = row.size_bytes - upload_offset
    opened = uploads.appending(context, id, upload_offset)
    file = await run_in_threadpool(opened.__enter__)
    try:
        async for block in request.stream():
            room -= len(block)
            if room < 0:
                raise TooLargeError(
                    "More bytes came than the upload was said to have.", fix="Send what was said."
                )
            await run_in_threadpool(file.write, block)
    finally:
        await run_in_threadpool(opened.__exit__, None, None, None)
    return uploads.shown(context, row)


@router.post("/uploads/{id}/complete", response_model=UploadOut)
def complete_upload(context: Here, id: str) -> object:
    """Unpack it; it is validated in the background. Known content answers the data set it is."""
    return uploads.shown(context, uploads.complete(context, id))


@router.delete("/uploads/{id}", status_code=204)
def drop_upload(context: Here, id: str) -> None:
    """Give up; what came is deleted."""
    uploads.drop(context, id)
