"""Where on the final canvas each source picture lies: what Ultralytics' augmentation did to it.

A place in a source is (u, v), 0 to 1 from its left and top edge. A place on a canvas is in OpenCV's
pixels, whose centres are whole numbers. `matrix` takes (u, v, 1) to the canvas; mosaic, warp and
flips each multiply theirs from the left.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from ultralytics.data.augment import BaseTransform, Compose, Mosaic, RandomFlip, RandomPerspective

from tandem.train.yolo.types import CanvasSource, Matrix33

Labels = dict[str, Any]


def whole_canvas(row: int, height: int, width: int) -> CanvasSource:
    """A picture that is its own canvas."""
    matrix = np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1]], np.float64)
    return CanvasSource(row, matrix, (0.0, 0.0, 1.0, 1.0))


def transformed(sources: list[CanvasSource], matrix: Matrix33) -> list[CanvasSource]:
    """The same after the whole canvas was transformed."""
    return [replace(one, matrix=matrix @ one.matrix) for one in sources]


class RecordedMosaic(Mosaic):
    """Keeps the sources of its four pictures. The dataset says which three come to the first."""

    def get_indexes(self) -> list[int]:
        indexes: list[int] = self.dataset.partners(self.n - 1)
        return indexes

    def apply_instances(self, labels: Labels, params: dict[str, Any] | None = None) -> Labels:
        assert params is not None
        sources = [one for item in params["layout"] for one in _pasted(item)]
        labels = super().apply_instances(labels, params)
        labels["sources"] = sources
        return labels


def _pasted(item: dict[str, Any]) -> list[CanvasSource]:
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

    def apply_image(self, labels: Labels, params: dict[str, Any] | None = None) -> Labels:
        assert params is not None
        labels = super().apply_image(labels, params)
        labels["sources"] = transformed(labels["sources"], np.asarray(params["M"], np.float64))
        return labels


class RecordedFlip(RandomFlip):
    """Keeps which way it was flipped."""

    def apply_image(self, labels: Labels, params: dict[str, Any]) -> Labels:
        labels = super().apply_image(labels, params)
        if params["flip"]:
            height, width = labels["img"].shape[:2]
            upside = params["direction"] == "vertical"
            labels["sources"] = transformed(
                labels["sources"], _mirror(height if upside else width, upside)
            )
        return labels


def _mirror(pixels: int, upside: bool) -> Matrix33:
    matrix = np.eye(3)
    axis = int(upside)
    matrix[axis, axis], matrix[axis, 2] = -1, pixels - 1
    return matrix


_RECORDED: dict[type, Any] = {
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
    kind = _RECORDED.get(type(transform))
    if kind is None:
        return transform
    twin: BaseTransform = kind.__new__(kind)
    twin.__dict__.update(transform.__dict__)
    return twin
