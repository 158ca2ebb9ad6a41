"""Where on a canvas each source picture lies.

A place in a source is (u, v), 0 to 1 from its left and top edge. A place on a canvas is in OpenCV's
pixels, whose centres are whole numbers. `matrix` takes (u, v, 1) to the canvas; whatever moves the
canvas multiplies its own from the left.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tandem.train.detection.types import CanvasSource, Matrix33


def whole_canvas(row: int, height: int, width: int) -> CanvasSource:
    """A picture that is its own canvas."""
    # OpenCV counts pixel centres: the image's edge, u = 0, lies half a pixel left of centre 0.
    matrix = np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1]], np.float64)
    return CanvasSource(row, matrix, (0.0, 0.0, 1.0, 1.0))


def transformed(sources: list[CanvasSource], matrix: Matrix33) -> list[CanvasSource]:
    """The same after the whole canvas was transformed."""
    return [replace(one, matrix=matrix @ one.matrix) for one in sources]


def mirrored(pixels: int, upside: bool) -> Matrix33:
    """A flip of a canvas of so many pixels: sideways, or upside down."""
    matrix = np.eye(3)
    axis = int(upside)
    # Centre 0 goes to the last centre, pixels - 1; not to `pixels`, which is an edge.
    matrix[axis, axis], matrix[axis, 2] = -1, pixels - 1
    return matrix
