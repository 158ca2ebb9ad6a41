"""What `tandem evaluate` says of a model on a labelled data set."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tandem.spec.report import ReportedMetrics, ReportPart

SplitName = Literal["train", "val", "test"]


class ModelEvaluation(ReportPart):
    """One model on one split; its figures are a report's."""

    format: Literal["tandem-evaluation-1"] = "tandem-evaluation-1"
    kind: str
    model: str
    dataset: str
    split: SplitName
    samples: int
    """Those that were measured."""
    left_out: int = 0
    """Labelled samples of classes that the model does not know."""
    classes: list[str]
    """The model's."""
    measured: ReportedMetrics
    notes: list[str] = Field(default_factory=list)
    seconds: float
