"""/api/v1/tasks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from tandem.server.context import Here
from tandem.server.errors import InvalidError
from tandem.server.tasks import clone, serialize, service
from tandem.server.tasks.creation import create, preview
from tandem.server.tasks.list_query import (
    Keyword,
    PageNumber,
    PageSize,
    Word,
    read_cursor,
    snake_filter,
)
from tandem.server.tasks.schemas import (
    AttemptOut,
    Clone,
    Edit,
    NewTask,
    Preview,
    PreviewRequest,
    TaskDetail,
    TaskList,
)
from tandem.server.wire.create import flat
from tandem.spec.i18n import t

router = APIRouter(tags=["tasks"])


@router.get("/tasks", response_model=TaskList)
def list_tasks(
    context: Here,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
    page: Annotated[PageNumber | None, Query()] = None,
    page_size: Annotated[PageSize, Query()] = 20,
    status: Annotated[str | None, Query(max_length=100, examples=["RUNNING,QUEUED"])] = None,
    keyword: Annotated[Keyword | None, Query()] = None,
    kind: Annotated[Word | None, Query(examples=["detection"])] = None,
    owner: Annotated[Word | None, Query()] = None,
    sort: Annotated[str | None, Query(max_length=100, examples=["-best_accuracy"])] = None,
) -> object:
    """Tasks, newest first: by `cursor`, or by `page`. `sort` goes with `page`.

    `status` may name several, with commas between.
    """
    wanted = snake_filter(status, keyword, sort, kind, owner)
    if cursor and (sort or page):
        problem = t("A cursor follows the usual order: leave sort and page out.")
        raise InvalidError([{"field": "cursor", "problem": problem}])
    below = read_cursor(cursor) if cursor else None
    if page or sort:
        return _answer(serialize.numbered_page(context, wanted, page, page_size, more=not sort))
    return _answer(serialize.next_page(context, wanted, below, page_size))


def _answer(body: TaskList | TaskDetail, status_code: int = 200) -> Response:
    """Written here, as its parts come from the tables and need no second check."""
    return Response(body.model_dump_json(), status_code=status_code, media_type="application/json")


@router.post("/tasks", response_model=TaskDetail, status_code=201)
def create_task(context: Here, body: NewTask) -> object:
    """A new task, PENDING, or QUEUED with `start`."""
    settings = context.settings.everything

    def make(task_id: str) -> create.Made:
        if body.create is not None:
            fields = flat(body.create)
            return create.from_fields(fields, settings, task_id=task_id, prefix="create.")
        return create.from_spec(body.spec or {}, settings, task_id=task_id, prefix="spec.")

    task_id = service.create(
        context,
        make,
        name=body.name,
        description=body.description,
        priority=body.priority,
        start=body.start,
    )
    return _answer(serialize.detail(context, task_id), 201)


@router.post("/tasks/preview", response_model=Preview)
def preview_task(context: Here, body: PreviewRequest) -> object:
    """Whether a task could be made so, what it lacks, and how else it is written; none is made."""
    return preview.preview(context, body)


@router.get("/tasks/{task_id}", response_model=TaskDetail)
def get_task(context: Here, task_id: str) -> object:
    """One task with its spec."""
    return _answer(serialize.detail(context, task_id))


@router.patch("/tasks/{task_id}", response_model=TaskDetail)
def edit_task(context: Here, task_id: str, body: Edit) -> object:
    """Change its name, description, remark or priority."""
    given = body.model_dump(exclude_unset=True)
    priority = given.pop("priority", None)
    if "name" in given:
        given["task_name"] = given.pop("name")
    service.edit(context, task_id, priority=priority, **given)
    return _answer(serialize.detail(context, task_id))


@router.delete("/tasks/{task_id}", status_code=204)
def delete_task(context: Here, task_id: str, files: bool = False) -> Response:
    """Delete it with its history and evaluations; with `files`, its run's folder too."""
    service.remove(context, task_id, files=files)
    return Response(status_code=204)


@router.post("/tasks/{task_id}/start", response_model=TaskDetail)
def start_task(context: Here, task_id: str) -> object:
    """Queue it: PENDING, STOPPED, FAILED or PAUSED."""
    service.start(context, task_id)
    return _answer(serialize.detail(context, task_id))


@router.post("/tasks/{task_id}/resume", response_model=TaskDetail)
def resume_task(context: Here, task_id: str) -> object:
    """Go on from the last checkpoint: STOPPED, FAILED or PAUSED."""
    service.start(context, task_id, out_of=service.RESUMABLE)
    return _answer(serialize.detail(context, task_id))


@router.post("/tasks/{task_id}/stop", response_model=TaskDetail)
def stop_task(context: Here, task_id: str) -> object:
    """Ask its run to save a checkpoint and end; one that waits is STOPPED at once."""
    service.stop(context, task_id)
    return _answer(serialize.detail(context, task_id))


@router.post("/tasks/{task_id}/save", response_model=TaskDetail, status_code=202)
def save_task(context: Here, task_id: str) -> object:
    """Ask its run to save a checkpoint now and go on; its `checkpoint` event says when it has."""
    service.save(context, task_id)
    return _answer(serialize.detail(context, task_id), 202)


@router.post("/tasks/{task_id}/pause", response_model=TaskDetail)
def pause_task(context: Here, task_id: str) -> object:
    """A stop that keeps its place in the queue."""
    service.pause(context, task_id)
    return _answer(serialize.detail(context, task_id))


@router.get("/tasks/{task_id}/attempts", response_model=list[AttemptOut])
def list_attempts(context: Here, task_id: str) -> object:
    """Its executions, the first one first."""
    return service.attempts(context, task_id)


@router.post("/tasks/{task_id}/clone", response_model=TaskDetail, status_code=201)
def clone_task(context: Here, task_id: str, body: Clone | None = None) -> object:
    """A copy of it, to be run anew."""
    asked = body or Clone()
    copied = clone.clone(context, task_id, name=asked.name, start=asked.start)
    return _answer(serialize.detail(context, copied), 201)
