"""Routes that show what a data set holds, and divide it anew."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from tandem.server.context import Here
from tandem.server.datasets import browse, splitting
from tandem.server.datasets.browse import SamplesOut, StatsOut
from tandem.server.datasets.schemas import DatasetV1
from tandem.server.datasets.splitting import SplitIn
from tandem.server.http.images import ANSWERS, ImageSize, Wanted

router = APIRouter()


@router.get("/datasets/{id}/samples", response_model=SamplesOut)
def dataset_samples(
    context: Here,
    id: str,
    split: Annotated[str | None, Query(max_length=50)] = None,
    label: Annotated[str | None, Query(max_length=500)] = None,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    page_size: Annotated[int, Query(ge=1, le=200)] = 24,
) -> object:
    """Its items with their labels, a page at a time."""
    return browse.samples(context, id, split, label, page, page_size)


@router.get("/datasets/{id}/samples/{split}/{index}/picture", response_class=Response,
        responses=ANSWERS)  # fmt: skip
def dataset_image(
    context: Here,
    id: str,
    split: str,
    index: int,
    size: ImageSize = 320,
    if_none_match: Wanted = None,
) -> Response:
    """One item's picture, made small; of a clip its middle frame."""
    return browse.image(context, id, split, index, size, if_none_match)


@router.get(
    "/datasets/{id}/samples/{split}/{index}/mask", response_class=Response, responses=ANSWERS
)
def dataset_mask(
    context: Here,
    id: str,
    split: str,
    index: int,
    size: ImageSize = 320,
    if_none_match: Wanted = None,
) -> Response:
    """One item's mask in colours on a transparent ground."""
    return browse.mask(context, id, split, index, size, if_none_match)


@router.get("/datasets/{id}/stats", response_model=StatsOut)
def dataset_stats(context: Here, id: str) -> object:
    """How many of each class, how large the pictures are."""
    return browse.stats(context, id)


@router.post("/datasets/{id}/split", response_model=DatasetV1, status_code=202)
def split_dataset(context: Here, id: str, body: SplitIn) -> object:
    """A new data set of the same items, divided into train and val; it is made in the background.

    Pictures are hard links where the disk gives them: they take no room twice.
    """
    return splitting.begin(context, id, body)
