"""One way of asking a model for each kind of thing that it has learnt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tandem.predict.kinds.base import Processor
from tandem.predict.kinds.classification import Classification
from tandem.predict.kinds.detection import Detection
from tandem.predict.kinds.segmentation import Masks
from tandem.predict.kinds.sequence import Clips
from tandem.predict.kinds.text import Texts
from tandem.spec.errors import StudentError
from tandem.spec.model import ModelConfig


def way_of(
    config: ModelConfig, folder: Path | None, threshold: float | Mapping[str, float] | None = None
) -> Processor:
    """How a model of this kind is shown things; `folder` is where its further files lie."""
    match config.kind:
        case "classification":
            return Classification(config)
        case "detection":
            return Detection(config, threshold)
        case "segmentation":
            return Masks(config)
        case "sequence":
            return Clips(config)
        case "text":
            return Texts(config, folder)
        case _:
            raise StudentError(
                "A model of the kind {kind} cannot be asked here.",
                kind=config.kind,
                allowed=["classification", "detection", "segmentation", "sequence", "text"],
            )
