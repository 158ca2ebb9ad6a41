"""Annotation jobs: /model-distillation/inference and /api/v1/inference."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response

from tandem.server.annotation import results, serialize, service
from tandem.server.annotation.schemas import (
    Failures,
    InferenceOut,
    JobProgress,
    Jobs,
    JobShown,
    Results,
    Submit,
)
from tandem.server.context import Here
from tandem.server.http.images import ANSWERS, Size, Wanted
from tandem.server.wire.envelope import Envelope, ok

surface_a = APIRouter(tags=["inference"])
v1 = APIRouter(tags=["inference"])
Path_ = Annotated[str | None, Query(min_length=1, max_length=1000)]
Index = Annotated[int, Path(ge=0, le=2**40)]
PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]


@surface_a.post("/inference/submit", response_model=Envelope[InferenceOut])
def submit_inference(
    context: Here,
    taskId: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
    inputDir: Path_ = None,
    outputDir: Path_ = None,
    batchSize: Annotated[int | None, Query(ge=1, le=1024)] = None,
    datasetId: Annotated[str | None, Query(max_length=255)] = None,
    autoImport: bool | None = None,
    body: Annotated[Submit | None, Body()] = None,
) -> Any:
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
    return ok(serialize.inference(service.submit(context, said.model_copy(update=missing))))


@surface_a.get("/inference/list", response_model=Envelope[list[InferenceOut]])
def list_inferences(context: Here) -> Any:
    """All, newest first."""
    return ok([serialize.inference(row) for row in service.every(context)])


@surface_a.get("/inference/{inferenceId}", response_model=Envelope[InferenceOut])
def get_inference(context: Here, inferenceId: str) -> Any:
    """One."""
    return ok(serialize.inference(service.get(context, inferenceId)))


@surface_a.delete("/inference/{inferenceId}", response_model=Envelope[None])
def delete_inference(context: Here, inferenceId: str) -> Any:
    """Forget it; its labels stay. 409 while it runs."""
    service.remove(context, inferenceId)
    return ok(None)


@v1.post("/inference", response_model=JobShown, status_code=201)
def create_job(context: Here, body: Submit) -> Any:
    """Annotate a folder, a ZIP or a data set."""
    return serialize.job(service.submit(context, body))


@v1.get("/inference", response_model=Jobs)
def list_jobs(
    context: Here,
    page: PageNumber = 1,
    page_size: Annotated[int, Query(ge=1, le=200)] = 20,
) -> Any:
    """A page of them, the newest first."""
    return {
        "items": [serialize.job(row) for row in service.every(context, page, page_size)],
        "total": service.count(context),
        "page": page,
        "page_size": page_size,
    }


@v1.get("/inference/{inference_id}", response_model=JobShown)
def get_job(context: Here, inference_id: str) -> Any:
    """One."""
    return serialize.job(service.get(context, inference_id))


@v1.get("/inference/{inference_id}/progress", response_model=JobProgress)
def get_job_progress(context: Here, inference_id: str) -> Any:
    """How far it is."""
    return serialize.progress(service.get(context, inference_id))


@v1.get("/inference/{inference_id}/failures", response_model=Failures)
def get_job_failures(
    context: Here,
    inference_id: str,
    page: PageNumber = 1,
    page_size: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Any:
    """The items that could not be annotated, each with the reason."""
    items, total = service.failures(context, inference_id, page, page_size)
    return Failures(items=items, total=total, page=page, page_size=page_size)


@v1.get("/inference/{inference_id}/results", response_model=Results)
def get_job_results(
    context: Here,
    inference_id: str,
    page: PageNumber = 1,
    page_size: Annotated[int, Query(ge=1, le=200)] = 24,
    label: Annotated[str | None, Query(max_length=500)] = None,
) -> Any:
    """What the model said of each item, also while the job is at work; `label` names a class."""
    items, total = results.page(context, inference_id, page, page_size, label)
    return Results(items=items, total=total, page=page, page_size=page_size)


@v1.get(
    "/inference/{inference_id}/results/{index}/picture", response_class=Response, responses=ANSWERS
)
def get_result_picture(
    context: Here, inference_id: str, index: Index, size: Size = 320, wanted: Wanted = None
) -> Response:
    """The picture of an item, made anew; of a clip its middle frame."""
    return results.picture(context, inference_id, index, size, wanted)


@v1.get(
    "/inference/{inference_id}/results/{index}/mask", response_class=Response, responses=ANSWERS
)
def get_result_mask(
    context: Here, inference_id: str, index: Index, size: Size = 320, wanted: Wanted = None
) -> Response:
    """The mask of an item, where the job wrote masks."""
    return results.mask(context, inference_id, index, size, wanted)


@v1.post("/inference/{inference_id}/stop", response_model=JobShown)
def stop_job(context: Here, inference_id: str) -> Any:
    """It ends after its batch, and can go on."""
    return serialize.job(service.stop(context, inference_id))


@v1.post("/inference/{inference_id}/resume", response_model=JobShown)
def resume_job(context: Here, inference_id: str) -> Any:
    """Go on with the item it was at."""
    return serialize.job(service.resume(context, inference_id))


@v1.delete("/inference/{inference_id}", status_code=204)
def delete_job(context: Here, inference_id: str) -> Response:
    """Forget it; its labels stay."""
    service.remove(context, inference_id)
    return Response(status_code=204)
