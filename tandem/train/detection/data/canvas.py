"""Canvases as a detector learns from them: sources drawn where `placing` has laid them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tandem.spec.run import YoloSpec
from tandem.train.data.boxes import DetectionTable
from tandem.train.detection.boxes import GREY
from tandem.train.detection.types import CanvasSource

Pixels = NDArray[np.uint8]


class ImageStore:
    """Decoded pictures at the canvas's size; the oldest goes where there are more than `most`."""

    def __init__(self, table: DetectionTable, side: int, most: int) -> None:
        self.table, self.side, self.most = table, side, most
        self._kept: OrderedDict[int, Image.Image] = OrderedDict()

    def image(self, row: int) -> Image.Image:
        """The picture, its longer side as long as the canvas. DataError where it went bad."""
        found = self._kept.get(row)
        if found is None:
            found = self._kept[row] = self._decoded(row)
            if len(self._kept) > self.most:
                self._kept.popitem(last=False)
        return found

    def _decoded(self, row: int) -> Image.Image:
        image = Image.fromarray(self.table.rgb_HWC(row))
        item = self.table.items[row]
        if not item.width or not item.height:
            item.height, item.width = image.height, image.width
        ratio = self.side / max(image.size)
        if ratio == 1:
            return image
        size = (max(round(image.width * ratio), 1), max(round(image.height * ratio), 1))
        return image.resize(size, Image.Resampling.BILINEAR)


def painted(sources: Sequence[CanvasSource], store: ImageStore) -> Image.Image:
    """The sources on a grey canvas. No two of them overlap."""
    canvas = Image.new("RGB", (store.side, store.side), (GREY,) * 3)
    for source in sources:
        _paint(canvas, source, store.image(source.row))
    return canvas


def _paint(canvas: Image.Image, source: CanvasSource, image: Image.Image) -> None:
    """One source. Pillow counts from edges of pixels: u times the width is its x."""
    part, seen = _pasted(image, source.seen)
    if part is None:
        return
    matrix = source.matrix.copy()
    matrix[:2, 2] += 0.5  # from OpenCV's pixels, whose centres are whole numbers
    u, v = np.array(seen)[[0, 2, 2, 0]], np.array(seen)[[1, 1, 3, 3]]
    corners = matrix[:2] @ np.stack((u, v, np.ones(4)))
    left, top = np.floor(corners.min(1)).clip(0, canvas.width).astype(int).tolist()
    right, bottom = np.ceil(corners.max(1)).clip(0, canvas.width).astype(int).tolist()
    if right <= left or bottom <= top:
        return
    back = np.linalg.inv(matrix)[:2]
    # From the window's pixels to the part's: (u, v) less its corner, times its size.
    back[:, 2] += back[:, :2] @ (left, top)
    back[:, 2] -= seen[:2]
    back *= np.array([[part.width / (seen[2] - seen[0])], [part.height / (seen[3] - seen[1])]])
    # Opaque where the picture is: what is transparent leaves the canvas as it was.
    warped = part.convert("RGBA").transform(
        (right - left, bottom - top),
        Image.Transform.AFFINE,
        tuple(back.flatten().tolist()),
        Image.Resampling.BILINEAR,
    )
    canvas.paste(warped, (left, top), warped)


def _pasted(
    image: Image.Image, seen: tuple[float, float, float, float]
) -> tuple[Image.Image | None, tuple[float, float, float, float]]:
    """The part of a picture that is shown, in whole pixels, and which part that is."""
    if seen == (0.0, 0.0, 1.0, 1.0):
        return image, seen
    left, right = round(seen[0] * image.width), round(seen[2] * image.width)
    top, bottom = round(seen[1] * image.height), round(seen[3] * image.height)
    if right <= left or bottom <= top:
        return None, seen
    exact = (left / image.width, top / image.height, right / image.width, bottom / image.height)
    return image.crop((left, top, right, bottom)), exact


def coloured(canvas: Image.Image, knobs: YoloSpec, random: np.random.Generator) -> Image.Image:
    """Hue turned, saturation and brightness changed, each by a share drawn for this canvas."""
    turn, *gains = random.uniform(-1, 1, 3) * (knobs.hue, knobs.saturation, knobs.value)
    if not (knobs.hue or knobs.saturation or knobs.value):
        return canvas
    values = np.arange(256)
    hue = (values + round(turn * 256)) % 256
    table = [hue, *((values * (1 + gain)).clip(0, 255) for gain in gains)]
    changed = canvas.convert("HSV").point(np.concatenate(table).astype(int).tolist())
    return changed.convert("RGB")
