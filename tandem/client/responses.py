"""What the service answers, as far as a client reads it; further fields are passed over."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from tandem.spec.state import State

ENDED = frozenset({State.COMPLETED, State.FAILED, State.STOPPED, State.PAUSED})
"""A task in one of these does nothing more by itself."""


class ResponseModel(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Task(ResponseModel):
    task_id: str
    name: str
    description: str | None = None
    status: str
    priority: int = 0
    queue_position: int | None = None
    waiting_reason: str | None = None
    progress: int | None = None
    current_epoch: int | None = None
    total_epochs: int | None = None
    doing: str | None = None
    eta_seconds: int | None = None
    accuracy: float | None = None
    """Percent, as the best one."""
    best_accuracy: float | None = None
    loss: float | None = None
    error_message: str | None = None
    advice: str | None = None
    attempts: int = 0
    """Executions so far."""
    teacher_model: str = ""
    student_model: str = ""
    dataset: str | None = None
    model_path: str | None = None
    run_dir: str | None = None

    @property
    def ended(self) -> bool:
        return self.status in ENDED


class Page(ResponseModel):
    items: list[Task]
    total: int
    next_cursor: str | None = None


class LogPart(ResponseModel):
    text: str
    next_offset: int
    """In bytes: what comes after this part."""
    total_bytes: int


class CollectedItem(ResponseModel):
    """One thing that old runs could do without."""

    task_id: str
    path: str
    size_bytes: int
    why: str


class Collected(ResponseModel):
    items: list[CollectedItem]
    total_bytes: int


class Upload(ResponseModel):
    """A ZIP on its way to become a data set."""

    id: str
    name: str
    status: str
    size_bytes: int
    offset: int = 0
    """Bytes that are there."""
    dataset: str | None = None
    """What it became, or what holds the same content already."""
