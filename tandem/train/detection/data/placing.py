"""Where pictures come to lie on a canvas: mosaic, turn, scale, shear, shift and flips, as matrices.

Nothing is drawn here. Each source's matrix (`geometry`) is all that its pixels, its boxes and the
teacher's tokens need, so that a picture is resampled once, however much is done to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tandem.spec.run import YoloSpec
from tandem.train.detection.data.geometry import mirrored, transformed, whole_canvas
from tandem.train.detection.types import CanvasSource, Matrix33

LEAST_PIXELS = 2.0
LEAST_SHARE = 0.1
"""A box that keeps less of its area is cut away: what is left of it shows no object."""
MOST_SLENDER = 100.0


@dataclass(frozen=True)
class Placing:
    """How sources are laid onto canvases of `side` pixels."""

    side: int
    knobs: YoloSpec
    flips: bool
    """Whether a mirror image means the same."""

    def alone(
        self, row: int, size: tuple[int, int], random: np.random.Generator
    ) -> list[CanvasSource]:
        """One picture (height, width) in the middle of its canvas, then moved as drawn."""
        height, width = _fitted(size, self.side)
        left, top = (self.side - width) / 2, (self.side - height) / 2
        sources = [_shifted(whole_canvas(row, height, width), left, top)]
        centre = _translation(-self.side / 2 + 0.5, -self.side / 2 + 0.5)
        return self._moved(sources, centre, random)

    def mosaic(
        self, rows: Sequence[int], sizes: Sequence[tuple[int, int]], random: np.random.Generator
    ) -> list[CanvasSource]:
        """Four pictures around a point, each cut at it and at the edges, then moved as drawn.

        The board is twice the canvas on a side, and what falls off the canvas is gone.
        """
        side, board = self.side, 2 * self.side
        x, y = (float(one) for one in np.round(random.uniform(side / 2, board - side / 2, 2)))
        quarters = ((0.0, 0.0, x, y), (x, 0.0, board, y), (0.0, y, x, board), (x, y, board, board))
        sources = []
        for number, quarter in enumerate(quarters):
            height, width = _fitted(sizes[number], side)
            # The corner that touches the point is the picture's opposite one.
            left = x - width if number % 2 == 0 else x
            top = y - height if number < 2 else y
            seen = _seen(quarter, left, top, height, width)
            whole = whole_canvas(rows[number], height, width)
            sources.append(replace(_shifted(whole, left, top), seen=seen))
        return self._moved(sources, _translation(-side + 0.5, -side + 0.5), random)

    def _moved(
        self, sources: list[CanvasSource], centre: Matrix33, random: np.random.Generator
    ) -> list[CanvasSource]:
        knobs = self.knobs
        angle = math.radians(random.uniform(-knobs.degrees, knobs.degrees))
        scale = random.uniform(1 - knobs.scale, 1 + knobs.scale)
        turn = np.eye(3)
        turn[:2, :2] = scale * np.array(
            [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
        )
        lean = np.eye(3)
        lean[0, 1], lean[1, 0] = (
            math.tan(math.radians(random.uniform(-knobs.shear, knobs.shear))) for _ in range(2)
        )
        away = random.uniform(0.5 - knobs.translate, 0.5 + knobs.translate, 2) * self.side - 0.5
        matrix = _translation(*away) @ lean @ turn @ centre
        for chance, upside in ((knobs.flip_sideways, False), (knobs.flip_upside_down, True)):
            # Drawn in any case: what comes after must not depend on the names of the classes.
            if random.uniform() < chance and (upside or self.flips):
                matrix = mirrored(self.side, upside) @ matrix
        return transformed(sources, matrix)


def placed_boxes(
    source: CanvasSource, boxes_n4: NDArray[np.float32], side: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A source's boxes (shares of the picture: left, top, right, bottom) on a canvas of `side`.

    Edge pixels of the canvas: left, top, right, bottom, 0 to `side`; and which of them still show
    enough of their object.
    """
    if not len(boxes_n4):
        return np.zeros((0, 4), np.float32), np.zeros(0, bool)
    u0, v0, u1, v1 = source.seen
    pasted = np.stack(
        (
            boxes_n4[:, 0].clip(u0, u1), boxes_n4[:, 1].clip(v0, v1),
            boxes_n4[:, 2].clip(u0, u1), boxes_n4[:, 3].clip(v0, v1),
        ), 1,
    )  # fmt: skip
    whole, shown = _around(source.matrix, boxes_n4), _around(source.matrix, pasted)
    cut = shown.clip(0, side)
    width, height = cut[:, 2] - cut[:, 0], cut[:, 3] - cut[:, 1]
    area = (whole[:, 2] - whole[:, 0]) * (whole[:, 3] - whole[:, 1])
    slender = np.maximum(width, height) / np.maximum(np.minimum(width, height), 1e-9)
    kept = (
        (np.minimum(width, height) > LEAST_PIXELS)
        & (width * height > LEAST_SHARE * area)
        & (slender < MOST_SLENDER)
    )
    return cut.astype(np.float32), kept


def _around(matrix: Matrix33, boxes_n4: NDArray[np.floating]) -> NDArray[np.float64]:
    """The upright boxes around the boxes' four corners, in edge pixels of the canvas."""
    left, top, right, bottom = boxes_n4.T.astype(np.float64)
    u_n4 = np.stack((left, right, right, left), 1)
    v_n4 = np.stack((top, top, bottom, bottom), 1)
    # The matrix gives OpenCV's pixels, whose centres are whole numbers: an edge is half a one on.
    x_n4 = matrix[0, 0] * u_n4 + matrix[0, 1] * v_n4 + matrix[0, 2] + 0.5
    y_n4 = matrix[1, 0] * u_n4 + matrix[1, 1] * v_n4 + matrix[1, 2] + 0.5
    return np.stack((x_n4.min(1), y_n4.min(1), x_n4.max(1), y_n4.max(1)), 1)


def _fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Height and width whose longer one is the side."""
    ratio = side / max(size)
    return max(round(size[0] * ratio), 1), max(round(size[1] * ratio), 1)


def _seen(
    quarter: tuple[float, float, float, float], left: float, top: float, height: int, width: int
) -> tuple[float, float, float, float]:
    """The part of a picture that lies in its quarter of the board, as (u, v) of two corners."""
    x0, y0, x1, y1 = quarter
    return (
        max(x0 - left, 0) / width,
        max(y0 - top, 0) / height,
        min(x1 - left, width) / width,
        min(y1 - top, height) / height,
    )


def _shifted(source: CanvasSource, x: float, y: float) -> CanvasSource:
    return transformed([source], _translation(x, y))[0]


def _translation(x: float, y: float) -> Matrix33:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)
