"""Where on the final canvas each source picture lies: what Ultralytics' augmentation did to it.

Places are those of `detection.data.geometry`; mosaic, warp and flips each multiply their matrix
from the left.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

import numpy as np
from ultralytics.data.augment import BaseTransform, Compose, Mosaic, RandomFlip, RandomPerspective

from tandem.train.detection.data.geometry import mirrored, transformed
from tandem.train.detection.types import CanvasSource, DetectionSample, Matrix33


class Patch(TypedDict):
    """One image of a mosaic as Ultralytics lays it out: which part of it goes where."""

    labels_patch: DetectionSample
    img_shape: tuple[int, int]
    x1b: int
    y1b: int
    x2b: int
    y2b: int
    """The part of the image that is pasted, in its own pixels."""
    padw: int
    padh: int
    """Where its left and top edge come to lie on the canvas; negative where they are cut off."""


class MosaicParams(TypedDict):
    """What a mosaic draws, as far as it is read here."""

    layout: list[Patch]


class PerspectiveParams(TypedDict):
    """What a random perspective draws, as far as it is read here."""

    M: Matrix33


class FlipParams(TypedDict):
    """What a random flip draws."""

    flip: bool
    direction: str


class RecordedMosaic(Mosaic):
    """Keeps the sources of its four pictures. The dataset says which three come to the first."""

    def get_indexes(self) -> list[int]:
        # Ultralytics draws from a buffer that remembers what this process happened to load, so a
        # resumed run would mix other images; the dataset answers from the place alone.
        indexes: list[int] = self.dataset.partners(self.n - 1)
        return indexes

    def apply_instances(
        self, labels: DetectionSample, params: MosaicParams | None = None
    ) -> DetectionSample:
        assert params is not None
        # Read before the parent's call, which joins the patches' labels and drops their sources.
        sources = [one for item in params["layout"] for one in _pasted(item)]
        joined: DetectionSample = super().apply_instances(labels, params)
        joined["sources"] = sources
        return joined


def _pasted(item: Patch) -> list[CanvasSource]:
    """The sources of one patch, which as yet is one whole image."""
    height, width = item["img_shape"]
    shift = np.array([[1, 0, item["padw"]], [0, 1, item["padh"]], [0, 0, 1]], np.float64)
    seen = (
        item["x1b"] / width,
        item["y1b"] / height,
        item["x2b"] / width,
        item["y2b"] / height,
    )
    return [replace(one, seen=seen) for one in transformed(item["labels_patch"]["sources"], shift)]


class RecordedPerspective(RandomPerspective):
    """Keeps the affine matrix."""

    def apply_image(
        self, labels: DetectionSample, params: PerspectiveParams | None = None
    ) -> DetectionSample:
        assert params is not None
        warped: DetectionSample = super().apply_image(labels, params)
        # float64: Ultralytics gives float32, and three products of it would be off by a cell.
        matrix = np.asarray(params["M"], np.float64)
        warped["sources"] = transformed(warped["sources"], matrix)
        return warped


class RecordedFlip(RandomFlip):
    """Keeps which way it was flipped."""

    def apply_image(self, labels: DetectionSample, params: FlipParams) -> DetectionSample:
        flipped: DetectionSample = super().apply_image(labels, params)
        if params["flip"]:
            height, width = flipped["img"].shape[:2]
            upside = params["direction"] == "vertical"
            mirror = mirrored(height if upside else width, upside)
            flipped["sources"] = transformed(flipped["sources"], mirror)
        return flipped


_RECORDED: dict[type, type[BaseTransform]] = {
    Mosaic: RecordedMosaic,
    RandomPerspective: RecordedPerspective,
    RandomFlip: RecordedFlip,
}


def recorded(transform: BaseTransform | Compose) -> BaseTransform | Compose:
    """The same transform, that also keeps the sources; a whole pipeline in place."""
    if isinstance(transform, Compose):
        transform.transforms = [recorded(one) for one in transform.transforms]
        return transform
    inner = getattr(transform, "pre_transform", None)
    if inner is not None:
        # MixUp and CutMix share the first pipeline; it is recorded with that.
        return transform
    twin_class = _RECORDED.get(type(transform))
    if twin_class is None:
        return transform
    # Made without __init__: its arguments change between versions of Ultralytics, what it has
    # become does not.
    twin: BaseTransform = object.__new__(twin_class)
    twin.__dict__.update(transform.__dict__)
    return twin
