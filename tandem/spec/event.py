"""What a run says, one JSON object a line in `events.jsonl`, numbered from 1 without a gap."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from tandem.spec.plugins.losses import LossRole

FailureClass = Literal["user_input", "data", "out_of_memory", "disk", "code", "lost", "stopped"]


class RunEvent(BaseModel):
    """The part every event has: `seq` counts within a run folder, over all its attempts."""

    # A NaN is written as a string, which every JSON reader takes, and read back as a float.
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=True, ser_json_inf_nan="strings"
    )
    seq: int = Field(ge=1)
    at: datetime  # UTC
    task_id: str
    attempt: int = Field(ge=1, description="1 for the first execution, 2 for the first resume, …")


class Started(RunEvent):
    type: Literal["started"] = "started"
    total_epochs: int
    device: str
    processes: int
    pid: int
    resumed_from_epoch: int | None = None


class Notice(RunEvent):
    """A sentence for the person watching: what was decided, and why."""

    type: Literal["notice"] = "notice"
    message: str
    level: Literal["info", "warning"] = "info"


class Metric(RunEvent):
    """Values of one optimizer step: `loss`, each `loss/<term>`, `learning_rate`, `grad_norm`."""

    type: Literal["metric"] = "metric"
    epoch: int
    step: int
    total_steps: int
    values: dict[str, float]
    images_per_second: float | None = None


class Epoch(RunEvent):
    """Accuracies are 0 to 1 here; the wire turns them into percentages.

    `val_accuracy` is the kind's figure: `figure` says which (accuracy, miou, map50).
    """

    type: Literal["epoch"] = "epoch"
    epoch: int = Field(ge=1)
    total_epochs: int
    step: int | None = None
    """Optimizer steps so far; None in journals that were written before epochs had them."""
    total_steps: int | None = None
    train_loss: float
    terms: dict[str, float]
    roles: dict[str, LossRole] = Field(default_factory=dict)
    """The role of each term; empty in journals that were written before terms had one."""
    train_accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    figure: str = "accuracy"
    learning_rate: float
    seconds: float
    images_per_second: float
    gpu_usage_percent: float | None = None
    memory_megabytes: float | None = None


class Evaluation(RunEvent):
    """`who` was measured, on what; `metrics` are 0 to 1 unless their name says a unit."""

    type: Literal["evaluation"] = "evaluation"
    who: Literal["teacher", "student", "baseline", "export"]
    dataset: str
    samples: int
    metrics: dict[str, float]
    details: dict[str, object] = Field(default_factory=dict)
    epoch: int | None = None  # None: at the end, on the best weights; only that goes to a service


class Checkpoint(RunEvent):
    type: Literal["checkpoint"] = "checkpoint"
    path: str
    epoch: int
    step: int
    best: bool = False


class Artifact(RunEvent):
    type: Literal["artifact"] = "artifact"
    name: str
    path: str
    size_bytes: int


class Heartbeat(RunEvent):
    type: Literal["heartbeat"] = "heartbeat"
    doing: str
    done: int | None = None
    total: int | None = None


class Finished(RunEvent):
    type: Literal["finished"] = "finished"
    seconds: float
    metrics: dict[str, float]


class Failed(RunEvent):
    type: Literal["failed"] = "failed"
    failure_class: FailureClass
    message: str


class Stopped(RunEvent):
    type: Literal["stopped"] = "stopped"
    epoch: int
    step: int
    checkpoint: str | None


Event = Annotated[
    Started
    | Notice
    | Metric
    | Epoch
    | Evaluation
    | Checkpoint
    | Artifact
    | Heartbeat
    | Finished
    | Failed
    | Stopped,
    Field(discriminator="type"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
EVENT_TYPES = tuple(str(one.model_fields["type"].default) for one in get_args(get_args(Event)[0]))
"""The `type` of each, in the order of their classes."""


def parse(line: str | bytes) -> Event:
    """One line of `events.jsonl`; raises pydantic.ValidationError on anything else."""
    return EVENT.validate_json(line)
