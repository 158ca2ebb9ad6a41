"""/api/v1/tasks/{task_id}: log, report, model, artefacts."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import ValidationError

from tandem.server.artifacts import folder, log
from tandem.server.artifacts.schemas import ArtifactFile, ArtifactList, LogPiece
from tandem.server.context import Here
from tandem.server.errors import NotFoundError
from tandem.server.host.paths import inside
from tandem.spec.report import RunReport

router = APIRouter(tags=["artefacts"])
LOGS = {"log": "log.txt", "stderr": "stderr.txt"}
Stream = Literal["log", "stderr"]


@router.get("/tasks/{task_id}/log", response_model=LogPiece)
def read_log(
    context: Here,
    task_id: str,
    stream: Stream = "log",
    tail: Annotated[int, Query(ge=1, le=10_000)] = 200,
    offset: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Annotated[int, Query(ge=4, le=log.MOST_BYTES)] = 2**16,
) -> object:
    """The last `tail` lines, or from `offset` on at most `limit` bytes."""
    path = inside(folder.of_task(context, task_id)[0], LOGS[stream])
    return log.tail(path, tail) if offset is None else log.piece(path, offset, limit)


@router.get("/tasks/{task_id}/log/raw", response_class=FileResponse)
def raw_log(context: Here, task_id: str, stream: Stream = "log") -> FileResponse:
    """The whole file, or the part that a Range header names."""
    path = folder.one_file(folder.of_task(context, task_id)[0], LOGS[stream])
    return FileResponse(path, media_type="text/plain; charset=utf-8", headers=folder.SAFE_HEADERS)


@router.get("/tasks/{task_id}/report", response_model=RunReport)
def read_report(context: Here, task_id: str) -> object:
    """What the run says of its result."""
    path = inside(folder.of_task(context, task_id)[0], "report.json")
    try:
        return RunReport.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise NotFoundError(
            "This run has no report yet.", fix="It is written at the end of the training."
        ) from error


@router.get("/tasks/{task_id}/model", response_class=StreamingResponse)
def download_model(context: Here, task_id: str) -> StreamingResponse:
    """The trained student as a ZIP."""
    run, name = folder.of_task(context, task_id)
    model = inside(run, "final_model")
    if not model.is_dir():
        raise NotFoundError(
            "This run has no trained model yet.", fix="It is written at the end of the training."
        )
    folder.refuse_links_out(model)
    told = f"attachment; filename=\"model.zip\"; filename*=UTF-8''{quote(name, safe='')}.zip"
    headers = folder.SAFE_HEADERS | {"Content-Disposition": told}
    return StreamingResponse(folder.zipped(model), media_type="application/zip", headers=headers)


@router.get("/tasks/{task_id}/artefacts", response_model=ArtifactList)
def list_artifacts(context: Here, task_id: str) -> object:
    """The files of the run's folder."""
    run, _ = folder.of_task(context, task_id)
    found = list(islice(folder.files(run), folder.MOST_FILES + 1))
    items = []
    for one in found[: folder.MOST_FILES]:
        with suppress(OSError):  # thinned away in this moment
            name = one.relative_to(run).as_posix()
            items.append(ArtifactFile(path=name, size_bytes=one.stat().st_size))
    return ArtifactList(items=items, truncated=len(found) > folder.MOST_FILES)


@router.get("/tasks/{task_id}/artefacts/{path:path}", response_class=FileResponse)
def download_artifact(context: Here, task_id: str, path: str) -> FileResponse:
    """One file, never shown as a page."""
    found = folder.one_file(folder.of_task(context, task_id)[0], path)
    return FileResponse(
        found,
        filename=found.name,
        media_type="application/octet-stream",
        headers=folder.SAFE_HEADERS,
    )
