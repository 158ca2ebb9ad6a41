"""Routes of trained models: surface A's list, and bringing one in. The rest is in v1.py."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from tandem.server.context import Here
from tandem.server.models import imports, service
from tandem.server.models.v1 import router as work
from tandem.server.tasks.allowed_paths import inside
from tandem.server.tasks.service import get
from tandem.server.wire.envelope import Envelope, ok
from tandem.server.wire.task import TaskOut

surface_a = APIRouter(tags=["models"])
v1 = APIRouter(tags=["models"])
v1.include_router(work)
Name = Annotated[str | None, Query(max_length=100)]


@surface_a.get("/completed-models", response_model=Envelope[list[TaskOut]])
def completed_models(
    context: Here,
    minAccuracy: Annotated[float | None, Query(ge=0, le=100, examples=[70])] = None,
    teacherModel: Name = None,
    studentModel: Name = None,
) -> Any:
    """The tasks that are COMPLETED, newest first. `minAccuracy` (%) is asked of the best."""
    rows = service.every(context, minAccuracy, teacherModel, studentModel)
    return ok([TaskOut.model_validate(dict(row)) for row in rows])


class ImportModel(BaseModel):
    """A foreign model to bring in."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    path: Annotated[str, Field(min_length=1, max_length=1000)]
    """Of a .pt, .onnx or .safetensors file, inside the models' root."""
    name: Annotated[str, Field(min_length=1, max_length=100)]
    classes: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=100_000)] = []
    """Where the file does not name them."""
    size: Annotated[str, Field(max_length=100)] = ""
    """Of a safetensors file, such as resnet50."""
    image_size: Annotated[int, Field(ge=16, le=2048)] | None = None
    accuracy: Annotated[float, Field(ge=0, le=100)] | None = None
    """In percent, if it is known."""


@v1.post("/models/import", response_model=TaskOut, status_code=201)
def import_model(context: Here, body: ImportModel) -> Any:
    """An Ultralytics, ONNX or timm file as a completed task that has a model."""
    file = inside("path", body.path, context.settings.everything.path("models_root"))
    task_id = imports.import_into(
        context,
        file,
        body.name,
        body.accuracy,
        classes=body.classes,
        size=body.size,
        image_size=body.image_size,
    )
    return TaskOut.model_validate(dict(get(context, task_id)))
