"""/api/v1/inference: annotation jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from tandem.server.annotation import results, serialize, service
from tandem.server.annotation.schemas import (
    AnnotationPage,
    AnnotationProgress,
    AnnotationShown,
    Failures,
    Results,
    Submit,
)
from tandem.server.context import Here
from tandem.server.http.images import ANSWERS, ImageSize, Wanted

router = APIRouter(tags=["inference"])
ItemIndex = Annotated[int, Path(ge=0, le=2**40)]
_PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]


@router.post("/inference", response_model=AnnotationShown, status_code=201)
def create_annotation(context: Here, body: Submit) -> object:
    """Annotate a folder, a ZIP or a data set."""
    return serialize.annotation(service.submit(context, body))


@router.get("/inference", response_model=AnnotationPage)
def list_annotations(
    context: Here,
    page: _PageNumber = 1,
    page_size: Annotated[int, Query(ge=1, le=200)] = 20,
) -> object:
    """A page of them, the newest first."""
    return {
        "items": [serialize.annotation(row) for row in service.every(context, page, page_size)],
        "total": service.count(context),
        "page": page,
        "page_size": page_size,
    }


@router.get("/inference/{inference_id}", response_model=AnnotationShown)
def get_annotation(context: Here, inference_id: str) -> object:
    """One."""
    return serialize.annotation(service.get(context, inference_id))


@router.get("/inference/{inference_id}/progress", response_model=AnnotationProgress)
def get_annotation_progress(context: Here, inference_id: str) -> object:
    """How far it is."""
    return serialize.progress(service.get(context, inference_id))


@router.get("/inference/{inference_id}/failures", response_model=Failures)
def get_annotation_failures(
    context: Here,
    inference_id: str,
    page: _PageNumber = 1,
    page_size: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> object:
    """The items that could not be annotated, each with the reason."""
    items, total = service.failures(context, inference_id, page, page_size)
    return Failures(items=items, total=total, page=page, page_size=page_size)


@router.get("/inference/{inference_id}/results", response_model=Results)
def get_annotation_results(
    context: Here,
    inference_id: str,
    page: _PageNumber = 1,
    page_size: Annotated[int, Query(ge=1, le=200)] = 24,
    label: Annotated[str | None, Query(max_length=500)] = None,
) -> object:
    """What the model said of each item, also while the job is at work; `label` names a class."""
    items, total = results.page(context, inference_id, page, page_size, label)
    return Results(items=items, total=total, page=page, page_size=page_size)


@router.get(
    "/inference/{inference_id}/results/{index}/picture", response_class=Response, responses=ANSWERS
)
def get_result_image(
    context: Here, inference_id: str, index: ItemIndex, size: ImageSize = 320, wanted: Wanted = None
) -> Response:
    """The picture of an item, made anew; of a clip its middle frame."""
    return results.image(context, inference_id, index, size, wanted)


@router.get(
    "/inference/{inference_id}/results/{index}/mask", response_class=Response, responses=ANSWERS
)
def get_result_mask(
    context: Here, inference_id: str, index: ItemIndex, size: ImageSize = 320, wanted: Wanted = None
) -> Response:
    """The mask of an item, where the job wrote masks."""
    return results.mask(context, inference_id, index, size, wanted)


@router.post("/inference/{inference_id}/stop", response_model=AnnotationShown)
def stop_annotation(context: Here, inference_id: str) -> object:
    """It ends after its batch, and can go on."""
    return serialize.annotation(service.stop(context, inference_id))


@router.post("/inference/{inference_id}/resume", response_model=AnnotationShown)
def resume_annotation(context: Here, inference_id: str) -> object:
    """Go on with the item it was at."""
    return serialize.annotation(service.resume(context, inference_id))


@router.delete("/inference/{inference_id}", status_code=204)
def delete_annotation(context: Here, inference_id: str) -> Response:
    """Forget it; its labels stay."""
    service.remove(context, inference_id)
    return Response(status_code=204)
