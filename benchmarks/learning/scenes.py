"""Digits of MNIST laid on photographs: real pixels, and masks and boxes that are exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.learning import digits, sources
from benchmarks.learning.figures import Box

SHOWN = (0, 1, 7)
"""The digits that are used; as a class of a mask, the first is 1."""
CLASSES = ("background", *(f"digit {one}" for one in SHOWN))
INK = 100


@dataclass(frozen=True)
class Scene:
    """One picture, the class of each pixel, and the digits' boxes."""

    image: Image.Image
    mask_HW: NDArray[np.uint8]
    boxes: tuple[Box, ...]


class Painter:
    """Draws scenes from one part of the digits: those of `digits.parts()`, in its order."""

    def __init__(self, part: int, size: int, seed: int) -> None:
        given = digits.parts()[part]
        self.stamps = {one: given.images_NHW[given.labels_N == one] for one in SHOWN}
        self.grounds = [_small(image) for image in sources.photographs().values()]
        self.size, self.random = size, np.random.default_rng(seed)

    def scenes(self, count: int) -> list[Scene]:
        return [self._scene() for _ in range(count)]

    def _scene(self) -> Scene:
        """One to three digits, none over another, each in one light colour."""
        size = self.size
        image = self._ground()
        mask_HW = np.zeros((size, size), np.uint8)
        boxes: list[Box] = []
        for _ in range(int(self.random.integers(1, 4))):
            label = int(self.random.integers(len(SHOWN)))
            stamp = self._stamp(label)
            height, width = stamp.shape
            top, left = (int(self.random.integers(0, size - side)) for side in (height, width))
            edges = (left, top, left + width, top + height)
            if any(_touch(edges, box.edges) for box in boxes):
                continue
            share = (stamp / 255.0)[..., None]
            colour = self.random.integers(170, 256, 3)
            window = image[top : top + height, left : left + width]
            window[:] = window * (1 - share) + colour * share
            mask_HW[top : top + height, left : left + width][stamp > INK] = label + 1
            boxes.append(Box(CLASSES[label + 1], edges))
        return Scene(Image.fromarray(image.astype(np.uint8)), mask_HW, tuple(boxes))

    def _ground(self) -> NDArray[np.float64]:
        """A part of a photograph, darkened."""
        ground = self.grounds[int(self.random.integers(len(self.grounds)))]
        top, left = (int(self.random.integers(0, side - self.size)) for side in ground.shape[:2])
        part: NDArray[np.float64] = ground[top : top + self.size, left : left + self.size] * 0.6
        return part

    def _stamp(self, label: int) -> NDArray[np.uint8]:
        """One digit without its margin, a third to a half of the picture high."""
        several = self.stamps[SHOWN[label]]
        digit = several[int(self.random.integers(len(several)))]
        rows, columns = np.flatnonzero((digit > INK).any(1)), np.flatnonzero((digit > INK).any(0))
        digit = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        height = int(self.random.integers(self.size // 3, self.size // 2))
        width = max(4, round(digit.shape[1] * height / digit.shape[0]))
        width = min(width, self.size - 1)
        return np.asarray(Image.fromarray(digit).resize((width, height), Image.Resampling.BILINEAR))


def _small(image: Image.Image) -> NDArray[np.float64]:
    side = 160
    width = max(side, round(image.width * side / image.height))
    return np.asarray(image.resize((width, side), Image.Resampling.BICUBIC)).astype(np.float64)


def _touch(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
