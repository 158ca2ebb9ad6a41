"""One processor for each kind of thing that a model may have learnt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tandem.predict.kinds.base import Processor
from tandem.predict.kinds.classification import ClassificationProcessor
from tandem.predict.kinds.detection import DetectionProcessor
from tandem.predict.kinds.segmentation import SegmentationProcessor
from tandem.predict.kinds.sequence import SequenceProcessor
from tandem.predict.kinds.text import TextProcessor
from tandem.spec.errors import StudentError
from tandem.spec.model import ModelConfig


def processor_for(
    config: ModelConfig, folder: Path | None, threshold: float | Mapping[str, float] | None = None
) -> Processor:
    """The processor of a model of this kind; `folder` is where its further files lie."""
    match config.kind:
        case "classification":
            return ClassificationProcessor(config)
        case "detection":
            return DetectionProcessor(config, threshold)
        case "segmentation":
            return SegmentationProcessor(config)
        case "sequence":
            return SequenceProcessor(config)
        case "text":
            return TextProcessor(config, folder)
        case _:
            raise StudentError(
                "A model of the kind {kind} cannot be asked here.",
                kind=config.kind,
                allowed=["classification", "detection", "segmentation", "sequence", "text"],
            )
