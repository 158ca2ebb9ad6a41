"""Polygons around what a mask marks, its holes joined to the edge around them by a cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tandem.data.content import Points

_Corner = tuple[float, float]
_Steps: TypeAlias = "Iterator[_Corner | _Steps]"
_Edges = dict[tuple[int, int], list[tuple[int, int]]]


def traced(mask: NDArray[np.uint8]) -> tuple[Points, ...]:
    """Polygons around the parts of a mask of 0 and 1: painted again, they give the mask.

    The edge runs between the pixels (marching along unit steps), so nothing is smoothed away. A
    hole is joined to the edge above it by a cut of no width, run there and back.
    """
    is_marked = mask.astype(bool)
    rings = [_Ring(corners) for corners in _unit_rings(is_marked)]
    holes = [ring for ring in rings if ring.is_hole]
    if holes:
        # By the pixel below each level edge that has a marked pixel below: whose ring it is.
        tops = {start: ring for ring in rings for start in ring.tops()}
        for hole in holes:
            x, y = hole.highest()
            blank = np.flatnonzero(~is_marked[:y, x])
            above = int(blank[-1]) + 1 if len(blank) else 0
            tops[x, above].joined[x, above] = (y, hole)
    return tuple(np.array(ring.run(), np.float64) for ring in rings if not ring.is_hole)


@dataclass(eq=False)
class _Ring:
    """The edge around a part, clockwise on the screen, or the other way around a hole."""

    units: list[tuple[int, int]]
    """Every grid point that it passes."""
    joined: dict[tuple[int, int], tuple[int, _Ring]] = field(default_factory=dict)
    """By the pixel below the edge that a cut begins at: the y of its end, and the hole there."""
    is_hole: bool = field(init=False)

    def __post_init__(self) -> None:
        points = np.array(self.units, np.int64)
        x, y = points[:, 0], points[:, 1]
        self.is_hole = bool((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() < 0)

    def tops(self) -> Iterator[tuple[int, int]]:
        """Where its unit edges from left to right begin: a marked pixel is below each."""
        for (x, y), (after_x, _) in zip(self.units, self.units[1:] + self.units[:1], strict=True):
            if after_x > x:
                yield x, y

    def highest(self) -> tuple[int, int]:
        """The pixel below the first of its highest edges, for a hole."""
        y = min(one[1] for one in self.units)
        return min(one[0] for one in self.units if one[1] == y), y

    def run(self) -> list[_Corner]:
        """Its corners, with the holes that are joined to it, and theirs."""
        out: list[_Corner] = []
        # A hole may be joined to a hole, and so on: deeper than Python would call.
        waiting = [self._steps(0)]
        while waiting:
            step = next(waiting[-1], None)
            if step is None:
                waiting.pop()
            elif isinstance(step, tuple):
                out.append(step)
            else:
                waiting.append(step)
        return out

    def _steps(self, start: int) -> _Steps:
        """Corners from one on, and between them the steps around each hole."""
        units = self.units[start:] + self.units[:start]
        before = units[-1]
        for here, after in zip(units, units[1:] + units[:1], strict=True):
            if (here[0] - before[0], here[1] - before[1]) != (
                after[0] - here[0],
                after[1] - here[1],
            ):
                yield here
            if after[0] > here[0] and here in self.joined:
                y, hole = self.joined[here]
                yield hole._cut(here[0], here[1], y)
            before = here

    def _cut(self, x: int, above: int, y: int) -> _Steps:
        """From the edge above down to this hole, around it, and back."""
        # Through the middle of a pixel: there the way down meets edges, never their corners.
        upper, lower = (x + 0.5, float(above)), (x + 0.5, float(y))
        yield upper
        yield lower
        yield from self._steps(self.units.index((x, y)))
        yield lower
        yield upper


def _unit_rings(is_marked: NDArray[np.bool_]) -> Iterator[list[tuple[int, int]]]:
    padded = np.pad(is_marked, 1)
    edges: _Edges = {}
    inner = padded[1:-1, 1:-1]
    # Each side of a marked pixel that borders on none, run so that the mark lies to the right.
    for step, start, end in (
        ((padded[:-2, 1:-1]), (0, 0), (1, 0)),
        ((padded[1:-1, 2:]), (1, 0), (1, 1)),
        ((padded[2:, 1:-1]), (1, 1), (0, 1)),
        ((padded[1:-1, :-2]), (0, 1), (0, 0)),
    ):
        for y, x in np.argwhere(inner & ~step).tolist():
            edges.setdefault((x + start[0], y + start[1]), []).append((x + end[0], y + end[1]))
    while edges:
        first = next(iter(edges))
        ring, here = [first], _next_corner(edges, first)
        while here != first:
            ring.append(here)
            here = _next_corner(edges, here)
        yield ring


def _next_corner(edges: _Edges, here: tuple[int, int]) -> tuple[int, int]:
    following = edges[here].pop()
    if not edges[here]:
        del edges[here]
    return following


def clipped(points: Points, width: float, height: float) -> Points:
    """What of a polygon (P, 2) lies within 0 to width and 0 to height; (0, 2) where nothing does.

    Side by side (Sutherland and Hodgman 1974): parts that a side cuts off from one another stay
    joined along it, by an edge of no width. To move the points to the edge instead would bend the
    edges that lie inside.
    """
    for axis, limit, sign in ((0, 0.0, 1.0), (1, 0.0, 1.0), (0, width, -1.0), (1, height, -1.0)):
        if not len(points):
            break
        inside = sign * (points[:, axis] - limit)
        kept: list[NDArray[np.float64]] = []
        for before in range(-1, len(points) - 1):
            here = before + 1
            if (inside[before] >= 0) != (inside[here] >= 0):
                share = inside[before] / (inside[before] - inside[here])
                cut = points[before] + share * (points[here] - points[before])
                cut[axis] = limit
                kept.append(cut)
            if inside[here] >= 0:
                kept.append(points[here])
        points = np.array(kept, np.float64).reshape(-1, 2)
    return points
