"""Surface A: /model-distillation/tasks."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Annotated

from fastapi import APIRouter, Body, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import TypeAdapter
from sqlalchemy import RowMapping
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tandem.server.context import Context, Here
from tandem.server.errors import InvalidError
from tandem.server.tasks import reports, service
from tandem.server.tasks.creation import create
from tandem.server.tasks.list_query import Keyword, PageNumber, PageSize, TaskFilter, camel_filter
from tandem.server.wire.create import CreateTask, ProgressReport, ReportedFloat
from tandem.server.wire.envelope import Envelope, Page, ok
from tandem.server.wire.task import TaskOut
from tandem.spec.i18n import t
from tandem.spec.state import State

router = APIRouter(tags=["tasks"])
ROWS = TypeAdapter(list[TaskOut])
HEAD, TAIL = b'{"data":[', b'],"code":200,"message":"success"}'
"""The code comes last: a list that breaks off in the middle can still say so."""
log = logging.getLogger(__name__)
_TaskList = Envelope[list[TaskOut]]
Limit = Annotated[int, Query(ge=1, le=1000)]


def task(row: RowMapping) -> TaskOut:
    """A row as installed clients know it."""
    return TaskOut.model_validate(dict(row))


def _one(context: Context, task_id: str) -> Envelope[TaskOut]:
    return ok(task(service.get(context, task_id)))


def whole(context: Context, wanted: TaskFilter) -> Response:
    """The plain list. A long one is sent as it is read: it is never whole in memory."""
    parts = _parts(service.chunks(context, wanted))
    first = list(islice(parts, 2))  # before the answer begins, so that it may still be refused
    if len(first) < 2:
        return Response(HEAD + b"".join(first) + TAIL, media_type="application/json")
    rest = _told_if_cut(parts)
    return StreamingResponse(chain([HEAD], first, rest), media_type="application/json")


def _told_if_cut(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The parts and the end; where the data base goes away in between, an end that says so."""
    try:
        yield from parts
    except (DBAPIError, PoolTimeoutError) as error:
        log.warning("The data base went away in the middle of a list: %s", error)
        said = t("The data base went away in the middle of this list: ask again in a moment.")
        yield b'],"code":503,"message":' + json.dumps(said).encode() + b"}"
        return
    yield TAIL


def _parts(chunks: Iterator[Sequence[RowMapping]]) -> Iterator[bytes]:
    comma = b""
    for rows in chunks:
        report = ROWS.dump_json([task(row) for row in rows], by_alias=True)[1:-1]
        if report:
            yield comma + report
            comma = b","


@router.get("/tasks", response_model=_TaskList | Envelope[Page[TaskOut]])
def list_tasks(
    context: Here,
    page: Annotated[PageNumber | None, Query()] = None,
    pageSize: Annotated[PageSize, Query()] = 20,
    status: Annotated[State | None, Query()] = None,
    keyword: Annotated[Keyword | None, Query()] = None,
    orderBy: Annotated[str | None, Query(max_length=100, examples=["createTime desc"])] = None,
) -> object:
    """All tasks, newest first; with `page`, one page of them and how many there are."""
    wanted = camel_filter(status, keyword, orderBy)
    if page is None:
        return whole(context, wanted)
    rows = service.page(context, wanted, page, pageSize)
    total = service.total(context, wanted, first_page=len(rows) if page == 1 else None, of=pageSize)
    shown = Page[TaskOut](
        items=[task(row) for row in rows], total=total, page=page, pageSize=pageSize
    )
    body = Envelope[Page[TaskOut]](code=200, message="success", data=shown)
    return Response(body.model_dump_json(by_alias=True), media_type="application/json")


@router.get("/tasks/running", response_model=_TaskList)
def running_tasks(context: Here) -> object:
    """Those that run now."""
    return whole(context, TaskFilter(State.RUNNING))


@router.get("/tasks/recent", response_model=_TaskList)
def recent_tasks(context: Here, limit: Limit = 10) -> object:
    """The newest."""
    return ok([task(row) for row in service.page(context, TaskFilter(), 1, limit)])


@router.get("/tasks/status/{status}", response_model=_TaskList)
def tasks_by_status(context: Here, status: State) -> object:
    """Those in one state, newest first."""
    return whole(context, TaskFilter(status))


@router.get("/tasks/{taskId}", response_model=Envelope[TaskOut])
def get_task(context: Here, taskId: str) -> object:
    """One task."""
    return _one(context, taskId)


@router.post("/tasks", response_model=Envelope[TaskOut])
def create_task(context: Here, body: CreateTask) -> object:
    """A new task, PENDING."""
    settings = context.settings.everything
    task_id = service.create(
        context,
        lambda task_id: create.from_fields(body.flat(), settings, task_id=task_id),
        name=body.task_name,
        description=body.description,
    )
    return _one(context, task_id)


@router.post("/tasks/{taskId}/start", response_model=Envelope[TaskOut])
def start_task(context: Here, taskId: str) -> object:
    """Queue it. From STOPPED, FAILED and PAUSED it goes on from its last checkpoint."""
    service.start(context, taskId)
    return _one(context, taskId)


@router.post("/tasks/{taskId}/stop", response_model=Envelope[TaskOut])
def stop_task(context: Here, taskId: str) -> object:
    """Ask the run to save a checkpoint and end; a task that waits is STOPPED at once."""
    service.stop(context, taskId)
    return _one(context, taskId)


@router.post("/tasks/{taskId}/complete", response_model=Envelope[TaskOut])
def complete_task(context: Here, taskId: str) -> object:
    """A run elsewhere has finished."""
    reports.complete(context, taskId)
    return _one(context, taskId)


@router.delete("/tasks/{taskId}", response_model=Envelope[None])
def delete_task(context: Here, taskId: str) -> object:
    """Delete it logically, with its history and evaluations. Its files stay."""
    service.remove(context, taskId)
    return ok(None)


@router.put("/tasks/{taskId}/progress", response_model=Envelope[TaskOut])
def report_progress(
    context: Here,
    taskId: str,
    currentEpoch: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
    accuracy: Annotated[ReportedFloat | None, Query()] = None,
    loss: Annotated[ReportedFloat | None, Query()] = None,
    body: Annotated[ProgressReport | None, Body()] = None,
) -> object:
    """How far a run elsewhere is, in the query or in a body; the body wins."""
    report = body or ProgressReport()
    query = {"current_epoch": currentEpoch, "accuracy": accuracy, "loss": loss}
    missing = {name: one for name, one in query.items() if getattr(report, name) is None}
    report = report.model_copy(update=missing)
    if report.current_epoch is None:
        problem = t("{field} is missing.", field="currentEpoch")
        raise InvalidError([{"field": "currentEpoch", "problem": problem}])
    reports.progress(context, taskId, report)
    return _one(context, taskId)


@router.put("/tasks/{taskId}/model-path", response_model=Envelope[None])
def report_model_path(
    context: Here,
    taskId: str,
    modelPath: Annotated[str, Query(min_length=1, max_length=500)],
    modelUrl: Annotated[str | None, Query(max_length=500)] = None,
) -> object:
    """Where a run elsewhere left the student."""
    reports.model_path(context, taskId, modelPath, modelUrl)
    return ok(None)


@router.put("/tasks/{taskId}/error", response_model=Envelope[None])
def report_error(context: Here, taskId: str, errorMessage: Annotated[str, Query()]) -> object:
    """A run elsewhere has failed."""
    reports.error(context, taskId, errorMessage)
    return ok(None)
