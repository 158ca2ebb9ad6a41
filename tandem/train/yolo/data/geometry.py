"""Where on the final canvas each source picture lies: what Ultralytics' augmentation did to it.

A place in a source is (u, v), 0 to 1 from its left and top edge. A place on a canvas is in OpenCV's
pixels, whose centres are whole numbers. `matrix` takes (u, v, 1) to the canvas; mosaic, warp and
flips each multiply theirs from the left.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

import numpy as np
from ultralytics.data.augment import BaseTransform, Compose, Mosaic, RandomFlip, RandomPerspective

from tandem.train.yolo.types import CanvasSource, DetectionSample, Matrix33


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


def whole_canvas(row: int, height: int, width: int) -> CanvasSource:
    """A picture that is its own canvas."""
    # OpenCV counts pixel centres: the image's edge, u = 0, lies half a pixel left of centre 0.
    matrix = np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1]], np.float64)
    return CanvasSource(row, matrix, (0.0, 0.0, 1.0, 1.0))


def transformed(sources: list[CanvasSource], matrix: Matrix33) -> list[CanvasSource]:
    """The same after the whole canvas was transformed."""
    return [replace(one, matrix=matrix @ one.matrix) for one in sources]


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
            mirror = _mirror(height if upside else width, upside)
            flipped["sources"] = transformed(flipped["sources"], mirror)
        return flipped


def _mirror(pixels: int, upside: bool) -> Matrix33:
    matrix = np.eye(3)
    axis = int(upside)
    # Centre 0 goes to the last centre, pixels - 1; not to `pixels`, which is an edge.
    matrix[axis, axis], matrix[axis, 2] = -1, pixels - 1
    return matrix


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
