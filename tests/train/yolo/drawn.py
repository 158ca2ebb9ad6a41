"""Drawn shapes with exact boxes, in the YOLO layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("square", "disc")


def draw(random: np.random.Generator, size: int = 64) -> tuple[Image.Image, list[tuple]]:
    """One picture, and (label, left, top, right, bottom) of each shape; none hides another."""
    image = Image.new("RGB", (size, size), tuple(random.integers(0, 90, 3).tolist()))
    pen = ImageDraw.Draw(image)
    boxes: list[tuple] = []
    for _ in range(int(random.integers(1, 4))):
        side = int(random.integers(size // 5, size // 2.5))
        left, top = (int(one) for one in random.integers(0, size - side, 2))
        box = (left, top, left + side, top + side)
        if any(_touch(box, other[1:]) for other in boxes):
            continue
        label = int(random.integers(2))
        colour = tuple(random.integers(130, 256, 3).tolist())
        where = (left, top, left + side - 1, top + side - 1)
        (pen.rectangle if label == 0 else pen.ellipse)(where, fill=colour)
        boxes.append((label, *box))
    return image, boxes


def _touch(one: tuple, other: tuple) -> bool:
    return not (
        one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    )


def write_yolo(
    folder: Path,
    *,
    train: int = 32,
    val: int = 16,
    unlabelled: int = 0,
    size: int = 64,
    seed: int = 0,
) -> Path:
    """images/{train,val}, labels/{train,val} and data.yaml."""
    random = np.random.default_rng(seed)
    for split, count in (("train", train + unlabelled), ("val", val)):
        images, labels = folder / "images" / split, folder / "labels" / split
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for number in range(count):
            image, boxes = draw(random, size)
            image.save(images / f"{number:04d}.png")
            if split == "train" and number >= train:
                continue
            lines = [
                f"{label} {(x1 + x2) / 2 / size:.6f} {(y1 + y2) / 2 / size:.6f} "
                f"{(x2 - x1) / size:.6f} {(y2 - y1) / size:.6f}"
                for label, x1, y1, x2, y2 in boxes
            ]
            (labels / f"{number:04d}.txt").write_text("\n".join(lines) + "\n")
    names = "\n".join(f"  {number}: {name}" for number, name in enumerate(CLASSES))
    (folder / "data.yaml").write_text(
        f"path: .\ntrain: images/train\nval: images/val\nnames:\n{names}\n"
    )
    return folder
