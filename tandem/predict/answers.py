"""What a model says of a picture, clip or text, by its kind; and the same as a data set's item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.data.content import BACKGROUND, Item, Shape
from tandem.data.masks import class_shapes
from tandem.predict.prediction import Prediction


@dataclass(frozen=True)
class DetectedBox:
    """One thing in a picture."""

    label: str
    confidence: float
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels of the picture as it is shown."""


@dataclass(frozen=True)
class Detections:
    """All that was found in a picture, the surest first."""

    found: tuple[DetectedBox, ...]
    height: int
    width: int

    @property
    def confidence(self) -> float:
        """The surest one's; 0 where nothing was found."""
        return self.found[0].confidence if self.found else 0.0

    @property
    def label(self) -> str:
        """How many of each class, in words."""
        counts: dict[str, int] = {}
        for one in self.found:
            counts[one.label] = counts.get(one.label, 0) + 1
        return ", ".join(f"{count} {name}" for name, count in counts.items()) or "-"


@dataclass(frozen=True)
class SegmentationMask:
    """A class for each pixel of the picture, at its own size."""

    mask_HW: NDArray[np.uint8]
    classes: tuple[str, ...]
    confidences: dict[str, float]
    """For each class that is there, the mean over its pixels."""

    @property
    def shares(self) -> dict[str, float]:
        """The share of the picture that each class covers, the largest first."""
        counts = np.bincount(self.mask_HW.ravel(), minlength=len(self.classes))
        found = {self.classes[one]: int(counts[one]) for one in np.nonzero(counts)[0]}
        ordered = sorted(found.items(), key=lambda one: -one[1])
        return {name: count / self.mask_HW.size for name, count in ordered}

    @property
    def label(self) -> str:
        """The classes with their shares, in words."""
        return ", ".join(f"{share:.0%} {name}" for name, share in self.shares.items())

    @property
    def confidence(self) -> float:
        """The mean over all pixels."""
        return float(sum(s * self.confidences[name] for name, s in self.shares.items()))


Answer = Prediction | Detections | SegmentationMask


def to_item(answer: Answer, path: bytes, size: tuple[int, int], classes: Mapping[str, int]) -> Item:
    """A data set's item. `size` is (height, width); `classes` gives each name its place."""
    height, width = size
    match answer:
        case Prediction():
            label = classes[answer.label]
            return Item(path, width, height, label, confidence=answer.confidence)
        case Detections():
            shapes = [
                Shape(classes[one.label], one.box, confidence=one.confidence)
                for one in answer.found
            ]
            return Item(path, answer.width, answer.height, shapes=shapes)
        case SegmentationMask():
            return _masked(answer, path, classes)


def _masked(answer: SegmentationMask, path: bytes, classes: Mapping[str, int]) -> Item:
    """The pixels, and a shape for each class that is no background."""
    height, width = answer.mask_HW.shape
    table = np.array([classes[name] for name in answer.classes], np.uint8)
    mask_HW = table[answer.mask_HW]
    background = classes.get(BACKGROUND, 0)
    shapes = class_shapes(mask_HW, background)
    names = {index: name for name, index in classes.items()}
    for shape in shapes:
        shape.confidence = answer.confidences.get(names[shape.label])
    return Item(path, width, height, mask_pixels=mask_HW, shapes=shapes)
