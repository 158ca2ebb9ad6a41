"""/api/v1/tasks/{task_id}/samples: best and worst answers, the pictures behind a cell."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from tandem.server.context import Here
from tandem.server.http import images
from tandem.server.samples import service
from tandem.server.samples.index import SampleOrder
from tandem.server.samples.schemas import RunSamples

router = APIRouter(tags=["samples"])
_ClassName = Annotated[str | None, Query(max_length=500)]


@router.get("/tasks/{task_id}/samples", response_model=RunSamples)
def list_samples(
    context: Here,
    task_id: str,
    order: SampleOrder = "worst",
    truth: _ClassName = None,
    answer: _ClassName = None,
    nothing: service.Who | None = None,
    wrong: bool | None = None,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    page_size: Annotated[int, Query(ge=1, le=200)] = 24,
) -> RunSamples:
    """Validation samples with what is true and what the student answered.

    `truth` and `answer` together are a cell of the confusion matrix. Of boxes, `nothing=answer`
    are things that were not found (of the class `truth`), and `nothing=truth` boxes where nothing
    is (of the class `answer`).
    """
    asked = service.SampleQuery(order, truth, answer, nothing, wrong, page, page_size)
    return service.listed(context, task_id, asked)


@router.get(
    "/tasks/{task_id}/samples/{index}/picture", response_class=Response, responses=images.ANSWERS
)
def show_sample(
    context: Here,
    task_id: str,
    index: int,
    size: images.ImageSize = 320,
    wanted: images.Wanted = None,
) -> Response:
    """The picture; a clip's middle frame."""
    path = service.image(context, task_id, index)
    root = context.settings.datasets_root
    return images.respond(
        lambda: images.rendered(path, size, root=root), images.stamp_of(path, size), wanted
    )


@router.get(
    "/tasks/{task_id}/samples/{index}/mask", response_class=Response, responses=images.ANSWERS
)
def show_sample_mask(
    context: Here,
    task_id: str,
    index: int,
    who: service.Who = "answer",
    size: images.ImageSize = 320,
    wanted: images.Wanted = None,
) -> Response:
    """The mask in colours, to be laid over the picture of the same size."""
    path, image = service.mask(context, task_id, index, who)

    def make() -> images.RenderedImage:
        shape = None if image is None else images.size_of(image)
        indices = images.mask_indices(path)
        return images.mask_png(indices, size, shape=shape), "image/png"

    return images.respond(make, images.stamp_of(path, size, image), wanted)
