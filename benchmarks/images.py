"""Picture folders made on the spot: synthetic, but of the size and weight of photographs."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image

_PHOTO = (500, 375)


def write_photos(folder: Path, train: int, val: int = 16, classes: int = 4, seed: int = 0) -> Path:
    """JPEG files of 500 x 375 and about 60 kB: soft colours, an edge or two, a little noise."""
    random = np.random.default_rng(seed)
    for split, count in (("train", train), ("val", val)):
        for number in range(count):
            where = folder / split / f"kind{number % classes}"
            where.mkdir(parents=True, exist_ok=True)
            _photo(random, number % classes).save(where / f"{number:05d}.jpg", quality=88)
    return folder


def _photo(random: np.random.Generator, kind: int) -> Image.Image:
    soft = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    image = np.asarray(soft.resize(_PHOTO, Image.Resampling.BICUBIC)).astype(np.int16)
    left, top = random.integers(20, 200, 2)
    image[top : top + 120, left : left + 40 * (kind + 1)] //= 2
    image += random.integers(-12, 13, image.shape, dtype=np.int16)
    return Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))


def write_tiny(folder: Path, train: int, val: int = 200, classes: int = 10, seed: int = 0) -> Path:
    """BMP files of 16 x 16, no two alike: a hundred thousand are written in seconds."""
    random = np.random.default_rng(seed)
    side = 16
    header = struct.pack("<2sIHHI", b"BM", 54 + 3 * side * side, 0, 0, 54)
    header += struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 3 * side * side, 0, 0, 0, 0)
    for split, count in (("train", train), ("val", val)):
        for kind in range(classes):
            (folder / split / str(kind)).mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (count, 3 * side * side), dtype=np.uint8)
        for number, one in enumerate(pixels):
            file = folder / split / str(number % classes) / f"{number:06d}.bmp"
            file.write_bytes(header + one.tobytes())
    return folder
