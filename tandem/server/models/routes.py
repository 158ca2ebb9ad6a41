"""/api/v1/models: which there are, one of them, tried, exported, downloaded, brought in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse, Response, StreamingResponse

from tandem.server.artifacts import folder
from tandem.server.context import Here
from tandem.server.models import children, detail, evaluations, exports, imports, service, trying
from tandem.server.models.allowed_paths import model_of
from tandem.server.models.schemas import (
    EvaluationShown,
    Exports,
    ExportShown,
    FormatName,
    ImportModel,
    ModelDetail,
    ModelEvaluations,
    ModelList,
    NewEvaluation,
    NewExport,
    Tried,
)
from tandem.server.tasks.creation.allowed_paths import inside
from tandem.server.tasks.list_query import Keyword
from tandem.server.tasks.service import get
from tandem.server.wire.task import TaskOut

router = APIRouter(tags=["models"])
_PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]
_PageSize = Annotated[int, Query(ge=1, le=200)]


@router.get("/models", response_model=ModelList)
def list_models(
    context: Here,
    page: _PageNumber = 1,
    page_size: _PageSize = 20,
    keyword: Annotated[Keyword | None, Query()] = None,
    kind: Annotated[str | None, Query(max_length=50, examples=["classification"])] = None,
    sort: Annotated[str, Query(max_length=100, examples=["-accuracy"])] = "-created_at",
) -> object:
    """Everything that was trained to its end or brought in, the newest first."""
    items, total = service.page(context, page, page_size, keyword, kind, sort)
    return ModelList(items=items, total=total, page=page, page_size=page_size)


@router.get("/models/{task_id}", response_model=ModelDetail)
def get_model(context: Here, task_id: str) -> object:
    """One, with what it knows, where it comes from and its files."""
    return detail.of(context, task_id)


@router.get("/models/{task_id}/download", response_class=Response)
def download_whole_model(context: Here, task_id: str) -> Response:
    """The model as a ZIP, or its ONNX file."""
    row = service.row_of(context, task_id)
    return _sent(model_of(context, row), str(row["task_name"]))


@router.post("/models/{task_id}/try", response_model=Tried, openapi_extra=trying.BODY)
def try_model(
    context: Here, task_id: str, asked: Annotated[trying.ModelQuestion, Depends(trying.asked)]
) -> object:
    """What it says of a picture (at most 20 MB) or a text.

    The model stays loaded for five minutes in a process of its own, on the CPU: 503 where that
    process dies or is busy for too long.
    """
    return trying.ask(context, service.row_of(context, task_id), asked)


@router.get("/models/{task_id}/exports", response_model=Exports)
def list_exports(context: Here, task_id: str) -> object:
    """What it could be written as, and what was asked for so far."""
    row = service.row_of(context, task_id)
    model = model_of(context, row)
    there = [children.as_shown(one) for one in exports.items(model)]
    return {"formats": exports.formats(model, row["task_type"]), "items": there}


@router.post("/models/{task_id}/exports", response_model=ExportShown, status_code=202)
def export_model(context: Here, task_id: str, body: NewExport) -> object:
    """Write it in a format; one at a time for each model."""
    row = service.row_of(context, task_id)
    model = model_of(context, row)
    return children.as_shown(exports.begin(context, model, row["task_type"], body.format))


@router.get("/models/{task_id}/exports/{format}/download", response_class=Response)
def download_export(context: Here, task_id: str, format: FormatName) -> Response:
    """The file; a format that is a folder comes as a ZIP."""
    row = service.row_of(context, task_id)
    found = exports.one_file(model_of(context, row), format)
    return _sent(found, f"{row['task_name']}-{format}")


@router.get("/models/{task_id}/evaluations", response_model=ModelEvaluations)
def list_evaluations(context: Here, task_id: str) -> object:
    """What it was measured on since it was made, the newest first."""
    model = model_of(context, service.row_of(context, task_id))
    return {"items": [children.as_shown(one) for one in evaluations.items(model)]}


@router.post("/models/{task_id}/evaluations", response_model=EvaluationShown, status_code=202)
def evaluate_model(context: Here, task_id: str, body: NewEvaluation) -> object:
    """Measure it on a labelled data set, in a process of its own; one at a time for each model."""
    model = model_of(context, service.row_of(context, task_id))
    return children.as_shown(evaluations.begin(context, model, body))


def _sent(found: Path, name: str) -> Response:
    if found.is_file():
        return FileResponse(
            found,
            filename=f"{name}{found.suffix}",
            media_type="application/octet-stream",
            headers=folder.SAFE_HEADERS,
        )
    folder.refuse_links_out(found)
    told = f"attachment; filename=\"model.zip\"; filename*=UTF-8''{quote(name, safe='')}.zip"
    headers = folder.SAFE_HEADERS | {"Content-Disposition": told}
    return StreamingResponse(folder.zipped(found), media_type="application/zip", headers=headers)


@router.post("/models/import", response_model=TaskOut, status_code=201)
def import_model(context: Here, body: ImportModel) -> object:
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
