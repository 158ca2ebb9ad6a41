"""Trained models on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tandem.server.tasks.schemas import DataUsed, RequestBody, ResponseBody
from tandem.server.wire.envelope import UtcTime
from tandem.server.wire.sample import LabelsOut
from tandem.spec.report import ModelEvaluation, SplitName

_MetricName = Literal["accuracy", "miou", "map50"]
_ExportStatus = Literal["RUNNING", "DONE", "FAILED"]
FormatName = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,30}$", examples=["onnx"])]


class ExportedFile(ResponseBody):
    """A file that other programs run."""

    format: str
    file: str
    size_bytes: int
    accuracy: float | None
    """In percent, on the validation set; null where the data was not there."""
    latency_milliseconds: float | None


class Model(ResponseBody):
    """A trained model. Accuracies are percentages."""

    task_id: str = Field(examples=["TASK_AB12CD34"])
    name: str
    kind: str | None
    student_model: str
    teacher_model: str | None
    teacher_task_id: str | None
    """The task that trained its teacher, where Tandem did."""
    dataset: str | None
    dataset_version: int | None
    accuracy: float | None
    figure: _MetricName
    """What `accuracy` is for this kind."""
    parameters: int | None
    size_bytes: int | None
    latency_milliseconds: float | None
    """What one input alone takes, as its run measured it."""
    classes_count: int | None
    created_at: UtcTime | None
    here: bool
    """Its files are there."""
    sample: bool
    """It is sample data, to look at: there is no model."""
    imported: bool
    exports: list[ExportedFile]


class ModelList(ResponseBody):
    items: list[Model]
    total: int
    page: int
    page_size: int


class Ancestor(ResponseBody):
    """A model that this one was made from."""

    name: str
    task_id: str | None
    accuracy: float | None


class TrainedBy(ResponseBody):
    task_id: str
    name: str
    mode: str | None


class Lineage(ResponseBody):
    """Where a model comes from."""

    teacher: Ancestor | None
    parent: Ancestor | None
    """Whose weights it began with."""
    data: list[DataUsed]
    task: TrainedBy


class ModelFile(ResponseBody):
    path: str
    size_bytes: int


class ModelDetail(Model):
    classes: list[str]
    image_size: int | None
    lineage: Lineage
    files: list[ModelFile]
    licence_note: str | None


class TriedText(RequestBody):
    """A text to ask a model of texts about."""

    text: Annotated[str, Field(min_length=1, max_length=20_000)]


class Tried(ResponseBody):
    """What the model said, and how long it took."""

    kind: str
    answer: LabelsOut
    width: int | None
    height: int | None
    mask_png_base64: str | None
    """A segmentation's mask in colour, the background transparent."""
    milliseconds: float
    """The model alone."""
    whole_milliseconds: float
    """From the request to its answer."""
    first: bool
    """The model had to be loaded."""
    device: str = Field(examples=["cpu"])


class FormatShown(ResponseBody):
    """What a model could be written as."""

    format: str
    about: str
    possible: bool
    why: str | None
    """Why not."""
    fix: str | None
    licence: str | None
    """The licence of what writes it, where that binds who uses it."""


class ExportShown(ResponseBody):
    """One export: under way, done or failed."""

    format: str
    status: _ExportStatus
    file: str | None
    size_bytes: int | None
    accuracy: float | None
    latency_milliseconds: float | None
    message: str | None
    """Why it failed."""
    started_at: UtcTime
    ended_at: UtcTime | None


class Exports(ResponseBody):
    formats: list[FormatShown]
    items: list[ExportShown]


class NewExport(RequestBody):
    format: FormatName


class NewEvaluation(RequestBody):
    """What a model is to be measured on."""

    dataset: Annotated[str, Field(min_length=1, max_length=255, examples=["pets"])]
    """The data set's name."""
    split: SplitName | None = None
    """Null: test where it is labelled, else val, else train."""
    type: Annotated[str, Field(max_length=50, pattern=r"^[a-z0-9_]*$")] = ""
    """The data set's layout; empty: found by looking."""


class EvaluationShown(ResponseBody):
    """One measurement of a model: under way, done or failed."""

    id: str
    dataset: str
    status: _ExportStatus
    result: ModelEvaluation | None
    """Its figures are ratios of 0 to 1, as in a report."""
    message: str | None
    """Why it failed."""
    started_at: UtcTime
    ended_at: UtcTime | None


class ModelEvaluations(ResponseBody):
    items: list[EvaluationShown]


class ImportModel(BaseModel):
    """A foreign model to bring in."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    path: Annotated[str, Field(min_length=1, max_length=1000)]
    """The path of a .pt, .onnx or .safetensors file, inside the models' root."""
    name: Annotated[str, Field(min_length=1, max_length=100)]
    classes: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=100_000)] = []
    """Where the file does not name them."""
    size: Annotated[str, Field(max_length=100)] = ""
    """The architecture of a safetensors file, such as resnet50."""
    image_size: Annotated[int, Field(ge=16, le=2048)] | None = None
    accuracy: Annotated[float, Field(ge=0, le=100)] | None = None
    """In percent, if it is known."""
