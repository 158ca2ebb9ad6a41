"""Surface A: /model-distillation/datasets."""

from __future__ import annotations

from fastapi import APIRouter

from tandem.server.context import Here
from tandem.server.datasets import service
from tandem.server.wire.dataset import DatasetChoice
from tandem.server.wire.envelope import Envelope, ok

router = APIRouter(tags=["data sets"])


@router.get("/datasets", response_model=Envelope[list[DatasetChoice]])
def list_datasets(context: Here) -> object:
    """The folders under the data sets' root."""
    return ok(service.every(context))
