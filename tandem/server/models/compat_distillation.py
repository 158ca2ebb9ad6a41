"""Surface A: /model-distillation/completed-models."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from tandem.server.context import Here
from tandem.server.models import service
from tandem.server.wire.envelope import Envelope, ok
from tandem.server.wire.task import TaskOut

router = APIRouter(tags=["models"])
_ModelName = Annotated[str | None, Query(max_length=100)]


@router.get("/completed-models", response_model=Envelope[list[TaskOut]])
def completed_models(
    context: Here,
    minAccuracy: Annotated[float | None, Query(ge=0, le=100, examples=[70])] = None,
    teacherModel: _ModelName = None,
    studentModel: _ModelName = None,
) -> object:
    """The tasks that are COMPLETED, newest first. `minAccuracy` (%) is asked of the best."""
    rows = service.every(context, minAccuracy, teacherModel, studentModel)
    return ok([TaskOut.model_validate(dict(row)) for row in rows])
