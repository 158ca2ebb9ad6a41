"""What a view is, as numbers: the same at any size that it is rendered at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

OPERATIONS = 2
"""How many operations RandAugment draws for a view (Cubuk et al. 2020)."""
PARAMS = np.dtype(
    [
        ("left", "f4"),  # of the crop, as parts of the picture's width and height
        ("top", "f4"),
        ("width", "f4"),
        ("height", "f4"),
        ("flip", "?"),
        ("brightness", "f4"),
        ("contrast", "f4"),
        ("saturation", "f4"),
        ("more", "?"),  # whether any of what follows does something
        ("warp", "f4", (2, 3)),  # from the view to the flipped crop, each 0 to 1 from its top left
        ("operations", "u1", (OPERATIONS,)),  # RandAugment's on colours, from 1; 0: none
        ("levels", "f4", (OPERATIONS,)),  # -10 to 10
        ("grey", "?"),
        ("blur", "f4"),  # the deviation of the Gaussian, as a part of the view's side
        ("erased", "f4", (4,)),  # left, top, width, height as parts of the view
    ]
)
_IDENTITY = np.eye(2, 3, dtype=np.float32)


def untouched(shape: tuple[int, ...]) -> NDArray[np.void]:
    """PARAMS of so many whole pictures as they are."""
    params = np.zeros(shape, PARAMS)
    for name in ("width", "height", "brightness", "contrast", "saturation"):
        params[name] = 1
    params["warp"] = _IDENTITY
    return params


def view_matrix(params_B: NDArray[np.void]) -> NDArray[np.float32]:
    """(B, 2, 3): where a place of the view lies in the picture, both as x and y of 0 to 1.

    Crop, flip and RandAugment's rotation, shear and shift in one: (x, y, 1) is multiplied by it.
    """
    matrix_B23 = params_B["warp"].astype(np.float32)
    flip_B = params_B["flip"]
    matrix_B23[flip_B, 0] *= -1
    matrix_B23[flip_B, 0, 2] += 1
    matrix_B23[:, 0] *= params_B["width"][:, None]
    matrix_B23[:, 1] *= params_B["height"][:, None]
    matrix_B23[:, 0, 2] += params_B["left"]
    matrix_B23[:, 1, 2] += params_B["top"]
    return matrix_B23
