"""What surface B sends and gets: snake_case, bare JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PlainSerializer

from tandem.server.wire.envelope import iso

ModelType = Literal["image_classifier", "object_detector", "text_to_image", "llm"]
_Status = Literal["pending", "running", "completed", "failed", "cancelled"]
Time = Annotated[datetime, PlainSerializer(iso, return_type=str)]
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Path = Annotated[str, Field(min_length=1, max_length=1000)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Bare(BaseModel):
    """An unknown name is refused: a hyper-parameter that nothing reads is a wrong experiment."""

    model_config = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, protected_namespaces=()
    )


class StartIn(Bare):
    model_type: ModelType
    base_model: _Name
    """As `GET /api/training/models` lists them."""
    dataset_path: _Path
    """A folder under the data sets' root, or its name."""
    output_dir: _Path | None = None
    """Below the output root; the service chooses one where it is left out."""
    epochs: Annotated[int, Field(ge=1, le=100_000)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=65_536)] | None = None
    learning_rate: _Positive | None = None
    save_steps: Annotated[int, Field(ge=1)] | None = None
    """Checkpoints are saved at the ends of epochs: after each one where this is given."""
    eval_steps: Annotated[int, Field(ge=1)] | None = None
    """Every epoch ends with an evaluation, whatever this says."""
    warmup_steps: Annotated[int, Field(ge=0)] | None = None
    max_grad_norm: _Weight | None = None
    weight_decay: _Weight | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    image_size: Annotated[int, Field(ge=16, le=2048)] | None = None
    """Pixels a side; 224 for a classifier and 640 for a detector where it is left out."""
    early_stopping: bool | Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Epochs without a better figure after which it ends; true: 10. Off where it is left out."""
    early_stopping_patience: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """The number of epochs, beside `early_stopping: true` or alone."""
    mixed_precision: bool | Literal["auto", "no", "fp32", "fp16", "bf16"] | None = None
    """true and auto: what the device does best; false and no: 32 bits."""
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Before the classifier; detectors have none."""
    num_workers: Annotated[
        Annotated[int, Field(ge=0, le=64)] | None,
        Field(validation_alias=AliasChoices("num_workers", "workers")),
    ] = None
    """Processes that read the data, also called `workers`; chosen from the cores otherwise."""
    augmentation: bool | None = None
    """false: each picture as it is. Crops, flips and colours (a detector: mosaics) otherwise."""


class StartedOut(Bare):
    task_id: str


class StatusOut(Bare):
    task_id: str
    status: _Status
    progress: int
    """0 to 100."""
    current_epoch: int
    total_epochs: int
    current_step: int
    total_steps: int
    loss: float | None
    learning_rate: float | None
    metrics: dict[str, object]
    error: str | None
    started_at: Time | None
    completed_at: Time | None


class TrainingDataset(Bare):
    id: str
    name: str
    type: str
    size: int
    """Bytes."""
    samples: int
    created_at: Time


class ModelOut(Bare):
    id: str
    name: str
    description: str
