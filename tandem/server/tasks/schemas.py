"""Tasks under /api/v1: snake_case, ordinary REST."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tandem.server.wire.create import CreateFields, PrintableName, Prose
from tandem.server.wire.envelope import UtcTime

Priority = Annotated[int, Field(ge=-1000, le=1000)]


class RequestBody(BaseModel):
    """What a client sends; a name that is not known is refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class ResponseBody(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, protected_namespaces=())


class NewTask(RequestBody):
    """A task by its run (`spec`), or as installed clients describe it (`create`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "cats and dogs",
                    "spec": {
                        "data": {"dataset": "pets"},
                        "teacher": {"name": "qwen2.5-vl-7b"},
                        "student": {"size": "resnet18"},
                    },
                    "start": True,
                }
            ]
        }
    )
    name: PrintableName
    description: Prose | None = None
    spec: dict[str, object] | None = None
    """A RunSpec as it is written in YAML, without task_id and run.output_dir."""
    create: CreateFields | None = None
    """The fields of POST /model-distillation/tasks, but for taskName and description."""
    priority: Priority = 0
    """Higher goes first."""
    start: bool = False
    """Queue it at once."""

    @model_validator(mode="after")
    def _one_of_two(self) -> NewTask:
        if (self.spec is None) == (self.create is None):
            raise ValueError("give spec or create")
        return self


class Edit(RequestBody):
    """What may be changed; what is not given stays."""

    name: PrintableName = ""
    description: Prose | None = None
    remark: Prose | None = None
    priority: Priority = 0


class Clone(RequestBody):
    """A copy of a task, to be run anew."""

    name: PrintableName | None = None
    """Else the name of the one copied."""
    start: bool = False


class TaskSummary(ResponseBody):
    """A task, its place in the queue and its run. Accuracies are percentages."""

    task_id: str = Field(examples=["TASK_AB12CD34"])
    name: str
    description: str | None
    remark: str | None
    status: str | None = Field(examples=["RUNNING"])
    """PENDING, QUEUED, RUNNING, PAUSED, COMPLETED, FAILED or STOPPED."""
    kind: str | None
    mode: str | None
    teacher_model: str
    student_model: str
    dataset: str | None
    val_dataset: str | None
    priority: int
    queue_position: int | None
    """From 1, while it waits."""
    waiting_reason: str | None
    wanted: str | None
    """`stop` or `pause`, when a person asked for it and the run has not ended yet."""
    progress: int | None
    """0 to 100."""
    current_epoch: int | None
    total_epochs: int | None
    step: int | None
    total_steps: int | None
    doing: str | None
    """What the run is at."""
    eta_seconds: int | None
    """Until its end, by what its epochs took so far."""
    accuracy: float | None
    loss: float | None
    best_accuracy: float | None
    metrics: dict[str, object] | None
    """What the last step reported, by name."""
    error_message: str | None
    failure_class: str | None
    advice: str | None
    """What to do about the failure."""
    attempts: int
    """Executions so far."""
    resumes: int
    """Times it was started again by itself since a person started it."""
    devices: list[str]
    model_path: str | None
    checkpoint_path: str | None
    run_dir: str | None
    created_by: str | None
    """Who made it, where that is known."""
    sample: bool
    """It is sample data, to look at: nothing of it runs, whatever its status says."""
    created_at: UtcTime | None
    queued_at: UtcTime | None
    started_at: UtcTime | None
    ended_at: UtcTime | None
    updated_at: UtcTime | None
    heartbeat_at: UtcTime | None
    duration_seconds: int | None


class DataUsed(ResponseBody):
    """The version of a data set that one execution used."""

    attempt: int
    part: str = Field(examples=["train"])
    name: str
    number: int | None
    """null where none could be made: `message` says why."""
    digest: str | None
    message: str | None


class TaskDetail(TaskSummary):
    data: list[DataUsed]
    """What its executions used, the first one first."""
    spec: dict[str, object] | None
    """The RunSpec; null for a task that an installed system made and nobody started yet."""
    last_event_id: str = Field(examples=["4711-0"])
    """What is told here: the stream of its events goes on after it, and nothing is missed."""


class TaskList(ResponseBody):
    items: list[TaskSummary]
    total: int
    """At most a second old."""
    next_cursor: str | None
    """Give it as `cursor` for the next ones; null at the end, or with another order."""
    page: int | None
    page_size: int


class AttemptOut(ResponseBody):
    """One execution."""

    model_config = ConfigDict(from_attributes=True)
    attempt: int
    executor: str
    host: str
    devices: str | None
    started_at: UtcTime
    ended_at: UtcTime | None
    exit_code: int | None
    outcome: str | None
    failure_class: str | None
    message: str | None


class PreviewRequest(NewTask):
    """A task that is not to be made yet; `start` changes nothing but the request shown."""

    model_config = ConfigDict(json_schema_extra={})
    name: PrintableName | None = None  # type: ignore[assignment]


class FieldProblem(ResponseBody):
    field: str = Field(examples=["optim.epochs"])
    problem: str
    fix: str | None


class Request(ResponseBody):
    method: str
    path: str
    body: dict[str, object]


class MissingRequirementOut(ResponseBody):
    """Something that the run would not find."""

    what: str
    path: str | None
    fix: str


class MemoryEstimate(ResponseBody):
    megabytes: float | None
    device: str = Field(examples=["cpu"])
    """`cpu` or `cuda`."""
    basis: str
    """How the figure was found, or why there is none."""


class TimeEstimate(ResponseBody):
    seconds: float | None
    basis: str


class Preview(ResponseBody):
    """What would become of it."""

    valid: bool
    problems: list[FieldProblem]
    spec: dict[str, object] | None
    """The RunSpec, completed; null when it is not valid."""
    changed: list[str]
    """Fields that differ from what this student begins with."""
    cli: str | None
    yaml: str | None
    rest: Request | None
    missing: list[MissingRequirementOut]
    memory: MemoryEstimate
    time: TimeEstimate
    warnings: list[str]
