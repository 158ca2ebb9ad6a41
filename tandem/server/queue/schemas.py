"""The queue on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tandem.server.tasks.schemas import Priority
from tandem.spec.i18n import t


class QueuedTask(BaseModel):
    """One that waits."""

    position: int
    """From 1: the next one."""
    task_id: str
    task_name: str
    priority: int
    reason: str | None
    """Why it does not run yet."""
    queued_at: datetime | None
    devices: str | list[int]
    """What it asks for."""


class Running(BaseModel):
    """One that runs."""

    task_id: str
    task_name: str
    devices: list[str]
    """The slots it holds: `gpu:0`, `cpu`."""
    attempt: int


class Queue(BaseModel):
    """What waits, in its order, and what runs."""

    waiting: list[QueuedTask]
    running: list[Running]


class Move(BaseModel):
    """Another place, or another priority."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)
    to: Annotated[int, Field(ge=1)] | None = None
    """The place from 1, among all that wait; it takes the priority that this place needs."""
    priority: Priority | None = None
    """Higher goes first; its turn among its equals is kept."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Move:
        if (self.to is None) == (self.priority is None):
            raise ValueError(t("Give either to or priority."))
        return self
