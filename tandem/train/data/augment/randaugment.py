"""RandAugment (Cubuk et al. 2020): two random operations a view, of one strength.

Those that move pixels become a matrix, so that a mask and a map of features can follow them. Those
on colours are timm's; its own class draws from global random states, which no view may depend on.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tandem.train.data.augment.params import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tandem.train.data.augment.numbers import ViewNumbers

MOST = 10.0
"""The greatest level; timm counts up to it too."""
COLOURS = (
    "AutoContrast",
    "Equalize",
    "Invert",
    "PosterizeIncreasing",
    "SolarizeIncreasing",
    "SolarizeAdd",
    "ColorIncreasing",
    "ContrastIncreasing",
    "BrightnessIncreasing",
    "SharpnessIncreasing",
)
_MOVES = ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY")
_CHANCE, _DEVIATION = 0.5, 0.5
"""How likely an operation is applied, and how its level varies: timm's `rand-m9-mstd0.5-inc1`."""
_DEGREES, _SHEAR, _SHIFT = 30.0, 0.3, 0.45
"""At the greatest level, as in timm; a shift is a part of the view's side."""


def draw(params_n: NDArray[np.void], magnitude: float, random: ViewNumbers) -> None:
    """Write operations, levels and the matrix of those that move pixels into these PARAMS."""
    count = len(COLOURS) + len(_MOVES)
    for slot in range(OPERATIONS):
        which_n = np.minimum(random.uniform(0, count).astype(np.int64), count - 1)
        applied_n = random.uniform(0, 1) < _CHANCE
        level_n = np.clip(magnitude + _DEVIATION * random.normal(), 0, MOST)
        level_n = np.where(random.uniform(0, 1) < 0.5, -level_n, level_n)
        colours_n = applied_n & (which_n < len(COLOURS))
        params_n["operations"][colours_n, slot] = which_n[colours_n] + 1
        params_n["levels"][colours_n, slot] = level_n[colours_n]
        for row in np.flatnonzero(applied_n & ~colours_n).tolist():
            move = _move(_MOVES[which_n[row] - len(COLOURS)], level_n[row] / MOST)
            params_n["warp"][row] = (_square(params_n["warp"][row]) @ _square(move))[:2]
    params_n["more"] |= (params_n["operations"] > 0).any(1)
    params_n["more"] |= (params_n["warp"] != np.eye(2, 3)).any((1, 2))


def applied(image: Image.Image, params: np.void) -> Image.Image:
    """The image after the operations on colours."""
    for number, level in zip(params["operations"].tolist(), params["levels"].tolist(), strict=True):
        if number:
            image = _operation(COLOURS[number - 1])(image, *_arguments(COLOURS[number - 1], level))
    return image


def _move(name: str, level: float) -> NDArray[np.float64]:
    """(2, 3): where a place of the result comes from; level is -1 to 1."""
    if name == "TranslateX":
        return np.array([[1, 0, level * _SHIFT], [0, 1, 0]])
    if name == "TranslateY":
        return np.array([[1, 0, 0], [0, 1, level * _SHIFT]])
    if name == "Rotate":
        angle = np.radians(level * _DEGREES)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    else:
        turn = np.eye(2)
        turn[(0, 1) if name == "ShearX" else (1, 0)] = level * _SHEAR
    # About the centre: a shear about a corner would shift the view as well.
    centre = np.array([0.5, 0.5])
    return np.concatenate([turn, (centre - turn @ centre)[:, None]], 1)


def _square(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.concatenate([matrix, [[0.0, 0.0, 1.0]]])


@cache
def _operation(name: str) -> Callable[..., Image.Image]:
    from timm.data.auto_augment import NAME_TO_OP  # seconds to import, and few runs ask for it

    operations: Mapping[str, Any] = NAME_TO_OP  # untyped there: a bare `function`
    operation: Callable[..., Image.Image] = operations[name]
    return operation


def _arguments(name: str, level: float) -> tuple[float, ...]:
    """What timm's operation takes; the sign, which timm draws, is the level's own."""
    from timm.data.auto_augment import LEVEL_TO_ARG

    if name in ("ColorIncreasing", "ContrastIncreasing", "BrightnessIncreasing") or (
        name == "SharpnessIncreasing"
    ):
        return (max(0.1, 1 + 0.9 * level / MOST),)
    arguments: Mapping[str, Callable[..., tuple[float, ...]] | None] = LEVEL_TO_ARG
    to_arguments = arguments[name]
    if to_arguments is None:
        return ()
    return to_arguments(abs(level), {})
