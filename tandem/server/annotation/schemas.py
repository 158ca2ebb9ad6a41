"""Annotation jobs as clients see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tandem.server.wire.envelope import Camel, UtcTime
from tandem.server.wire.sample import Sample

_PathText = Annotated[str, Field(min_length=1, max_length=1000)]
_Confidence = Annotated[float, Field(ge=0, le=1)]


class Submit(Camel):
    """What to annotate; every field may also stand in the query."""

    task_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """The id of a completed task; `distillation_TASK_…` is taken too."""
    input_dir: _PathText | None = None
    """A folder or a ZIP inside the data sets' root. None: the data set `datasetId`."""
    output_dir: _PathText | None = None
    """Inside the runs' root. None: the job's own folder."""
    batch_size: Annotated[int, Field(ge=1, le=1024)] | None = None
    """8."""
    dataset_id: str | int | None = None
    """The data set the labels are for; `name@2` insists on its version."""
    auto_import: bool | None = None
    """Put the labels beside the data set as predictions: true."""
    format: Annotated[str, Field(max_length=50)] | None = None
    """labelme, or another layout that can hold them."""
    threshold: _Confidence | dict[str, _Confidence] | None = None
    """Below it nothing is told; one for all classes, or by class."""
    video_every: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Each so many-th frame of a video is shown: 1."""


class AnnotationOut(Camel):
    """One job."""

    model_config = ConfigDict(title="Inference")
    inference_id: str
    task_id: str
    model_type: str
    processed_images: int
    success_count: int
    failure_count: int
    output_dir: str
    status: str
    error_message: str | None
    start_time: UtcTime | None
    end_time: UtcTime | None
    duration: int | None
    """Seconds."""


class AnnotationShown(BaseModel):
    """The same with all that Tandem knows."""

    inference_id: str
    task_id: str
    model: str
    model_name: str
    """What its task was called when the job was made."""
    model_type: str
    input: str
    output: str
    format: str
    dataset: str | None
    auto_import: bool
    status: str
    processed: int
    succeeded: int
    failed: int
    total: int | None
    """Files found; None before they are listed."""
    error_message: str | None
    advice: str | None
    waiting_reason: str | None
    started_at: UtcTime | None
    ended_at: UtcTime | None


class AnnotationPage(BaseModel):
    """A page of them."""

    items: list[AnnotationShown]
    total: int
    page: int
    page_size: int


class AnnotationProgress(BaseModel):
    """How far a job is."""

    status: str
    processed: int
    succeeded: int
    failed: int
    total: int | None
    heartbeat_at: UtcTime | None


class Failure(BaseModel):
    """One item that could not be annotated, and why."""

    index: int
    name: str
    problem: str


class Failures(BaseModel):
    """A page of them, in the order of the items."""

    items: list[Failure]
    total: int
    page: int
    page_size: int


class Results(BaseModel):
    """A page of what a job said, in the order of the items; those that failed are not here."""

    items: list[Sample]
    total: int
    page: int
    page_size: int


def figures(metrics: Mapping[str, int], step: int | None) -> tuple[int, int, int]:
    """Processed, well, failed; from a job's last word."""
    failed = metrics.get("failed", 0)
    well = metrics.get("succeeded", 0)
    return max(step or 0, well + failed), well, failed
