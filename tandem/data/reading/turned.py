"""Boxes that a tool keeps upright with an angle beside them."""

from __future__ import annotations

import math

import numpy as np

from tandem.data.content import Box, Points

LEAST_DEGREES = 1e-3
"""Less than this moves no corner of a picture by a hundredth of a pixel."""


def turned_box(box: Box, degrees: float) -> Points | None:
    """(4, 2) corners of a box turned about its centre, clockwise as one sees it, as CVAT does.

    None for an angle that leaves it upright as it is.
    """
    if abs(math.remainder(degrees, 360.0)) < LEAST_DEGREES:
        return None
    left, top, right, bottom = box
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    return turned(corners, centre, degrees).round(9)


def turned(points: Points, about: Points, degrees: float) -> Points:
    """(P, 2) points turned about (2,) another, clockwise as one sees it; quarters exactly."""
    quarter = degrees / 90
    if quarter == round(quarter):
        cosine, sine = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[round(quarter) % 4]
    else:
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    # y runs down: this matrix turns clockwise on the screen.
    found: Points = (points - about) @ np.array([[cosine, sine], [-sine, cosine]]) + about
    return found


def is_upright(points: Points) -> bool:
    """Whether four corners are those of an upright rectangle, in their order around it."""
    low, high = points.min(0), points.max(0)
    near = 1e-3 * max(1.0, float((high - low).max()))
    sides = np.minimum(np.abs(points - low), np.abs(points - high))
    return bool((sides <= near).all())


def is_outside(box: Box, width: int, height: int) -> bool:
    """Whether nothing of a box lies in a picture of that size."""
    left, top, right, bottom = box
    return right <= 0 or bottom <= 0 or left >= width or top >= height
