"""Real handwritten digits as an image folder: the 1,797 pictures that scikit-learn carries.

Source: the test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998,
UCI). Each is 8 x 8 with 17 grey levels; it is written as a 32 x 32 grey PNG, enlarged bicubically.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PIXELS = 32
VAL_IMAGES = 500
CLASSES = tuple("0123456789")
_VAL_SEED = 20261121


@dataclass(frozen=True)
class Digits:
    """The pictures in scikit-learn's order, and which of them validate."""

    images_NHW: NDArray[np.uint8]
    """(1797, 32, 32)."""
    labels_N: NDArray[np.int64]
    is_val_N: NDArray[np.bool_]


def load() -> Digits:
    """All 1,797; the 500 of val are the same whatever is drawn from the rest."""
    from sklearn.datasets import load_digits

    source = load_digits()
    images = np.stack([_enlarge(image) for image in source.images])
    labels = source.target.astype(np.int64)
    val = _draw(labels, np.arange(len(labels)), VAL_IMAGES, _VAL_SEED)
    return Digits(images, labels, np.isin(np.arange(len(labels)), val))


def write(folder: Path, labels_per_class: int = 10, seed: int = 0) -> Path:
    """Write `train/<digit>`, `unlabeled` and `val/<digit>` under `folder`; skipped when there.

    `seed` draws which train pictures keep their label. The folder appears whole or not at all.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as hidden:
        made = Path(hidden) / folder.name
        _fill(made, labels_per_class, seed)
        try:
            made.rename(folder)
        except OSError:  # another one was quicker; its pictures are the same
            if not folder.is_dir():
                raise
            shutil.rmtree(made)
    return folder


def _fill(folder: Path, labels_per_class: int, seed: int) -> None:
    digits = load()
    train = np.flatnonzero(~digits.is_val_N)
    labelled = _draw(digits.labels_N, train, labels_per_class * len(CLASSES), seed)
    parts = ["train", "val"]
    for where in [f"{part}/{digit}" for part in parts for digit in CLASSES] + ["unlabeled"]:
        (folder / where).mkdir(parents=True)
    keeps_label = np.isin(np.arange(len(digits.labels_N)), labelled)
    for n, image in enumerate(digits.images_NHW):
        part = "val" if digits.is_val_N[n] else "train"
        known = digits.is_val_N[n] or keeps_label[n]
        where = f"{part}/{digits.labels_N[n]}" if known else "unlabeled"
        Image.fromarray(image).save(folder / where / f"{n:04d}.png")
    about = f"scikit-learn's handwritten digits, {len(labelled)} of {len(train)} labelled"
    meta = {"type": "classification", "description": about}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


def _enlarge(image_HW: NDArray[np.float64]) -> NDArray[np.uint8]:
    """One 8 x 8 picture of 0 to 16 as 32 x 32 of 0 to 255."""
    grey = Image.fromarray(np.round(image_HW * (255 / 16)).astype(np.uint8))
    return np.asarray(grey.resize((PIXELS, PIXELS), Image.Resampling.BICUBIC))


def _draw(
    labels_N: NDArray[np.int64], rows: NDArray[np.intp], count: int, seed: int
) -> NDArray[np.intp]:
    """`count` of `rows`, the same number of each class."""
    random = np.random.default_rng(seed)
    each = count // len(CLASSES)
    drawn = [
        random.permutation(rows[labels_N[rows] == label])[:each] for label in range(len(CLASSES))
    ]
    return np.sort(np.concatenate(drawn))
