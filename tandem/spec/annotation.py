"""One annotation job: a trained model, what it is shown, and where its labels go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tandem.spec.spec_file import read_spec_file

Confidence = Annotated[float, Field(ge=0, le=1)]
OneGpu = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=1)]
ITEMS = "items.jsonl"
"""In the job's folder: a line for each item that is done."""
RESULTS = "results.jsonl"
"""Beside it: what the model said of each, for the pages that show it."""
MODULE = "tandem.predict"
"""What runs a job: `python -m tandem.predict JOB.json`."""


class AnnotationSpec(BaseModel):
    """Written by the service or by `tandem annotate`, read by `python -m tandem.predict`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    format: Literal["tandem-annotation-1"] = "tandem-annotation-1"
    task_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The name of the annotation, which a service knows it by too."""
    model: Path
    """A final_model folder, or an .onnx file."""
    model_name: Annotated[str, Field(min_length=1, max_length=255)]
    """What its labels say they are from."""
    trained_by: str = ""
    """The task that trained it."""
    input: Path
    """A folder, a file, or a ZIP."""
    output: Path
    run_dir: Path
    """The job's own folder: its journal."""
    writer: Annotated[str, Field(max_length=50)] = ""
    """A data format, `csv` or `labelstudio`. Empty: labelme, or csv for clips and texts."""
    threshold: Confidence | dict[str, Confidence] | None = None
    """Below it nothing is told: one for all classes, or by class. None: the model's own."""
    batch_size: Annotated[int, Field(ge=1, le=1024)] = 8
    devices: Literal["auto", "cpu"] | OneGpu = "auto"
    pictures: bool = True
    """Put the pictures beside their labels, as links where that is possible."""
    video_every: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Each so many-th frame of a video is asked about."""
    dataset: Path | None = None
    """The data set whose classes the labels must have."""
    auto_import: bool = False
    """Also keep the labels beside the data set, as predictions."""


def parse(text: str | bytes | None) -> AnnotationSpec | None:
    """The job that this JSON is; None for a run's specification, or anything else."""
    try:
        return AnnotationSpec.model_validate_json(text or "")
    except ValidationError:
        return None


def read(path: Path) -> AnnotationSpec:
    """The job in a file; SpecError when there is none."""
    return read_spec_file(path, AnnotationSpec, top="-")
