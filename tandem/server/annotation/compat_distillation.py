"""Surface A: /model-distillation/inference."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query

from tandem.server.annotation import serialize, service
from tandem.server.annotation.schemas import (
    AnnotationOut,
    Submit,
)
from tandem.server.context import Here
from tandem.server.wire.envelope import Envelope, ok

router = APIRouter(tags=["inference"])
Path_ = Annotated[str | None, Query(min_length=1, max_length=1000)]


@router.post("/inference/submit", response_model=Envelope[AnnotationOut])
def submit_annotation(
    context: Here,
    taskId: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
    inputDir: Path_ = None,
    outputDir: Path_ = None,
    batchSize: Annotated[int | None, Query(ge=1, le=1024)] = None,
    datasetId: Annotated[str | None, Query(max_length=255)] = None,
    autoImport: bool | None = None,
    body: Annotated[Submit | None, Body()] = None,
) -> object:
    """Annotate a folder, a ZIP or a data set; in the query or in a body, which wins."""
    query = {
        "task_id": taskId,
        "input_dir": inputDir,
        "output_dir": outputDir,
        "batch_size": batchSize,
        "dataset_id": datasetId,
        "auto_import": autoImport,
    }
    said = body or Submit()
    missing = {name: one for name, one in query.items() if getattr(said, name) is None}
    return ok(serialize.compat_annotation(service.submit(context, said.model_copy(update=missing))))


@router.get("/inference/list", response_model=Envelope[list[AnnotationOut]])
def list_annotations(context: Here) -> object:
    """All, newest first."""
    return ok([serialize.compat_annotation(row) for row in service.every(context)])


@router.get("/inference/{inferenceId}", response_model=Envelope[AnnotationOut])
def get_annotation(context: Here, inferenceId: str) -> object:
    """One."""
    return ok(serialize.compat_annotation(service.get(context, inferenceId)))


@router.delete("/inference/{inferenceId}", response_model=Envelope[None])
def delete_annotation(context: Here, inferenceId: str) -> object:
    """Forget it; its labels stay. 409 while it runs."""
    service.remove(context, inferenceId)
    return ok(None)
