"""What a data set is made of: classes, sizes, boxes, and pictures that are nearly the same."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tandem.data.content import Content, Item
from tandem.data.faults import Faults
from tandem.data.images import is_image, open_rgb
from tandem.data.inspection.check import counts_of
from tandem.data.inspection.near_duplicates import NearDuplicates, find_near_duplicates
from tandem.data.progress import OnProgress
from tandem.data.reading.files import JsonObject
from tandem.data.registry import read
from tandem.data.verification.files import MAX_PIXELS
from tandem.spec.errors import DataError

HASHED_PIXELS = 64
"""A JPEG is decoded at no more than it takes to hash it."""
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass
class Stats:
    """Figures of one data set; a quantile list is (least, 25 %, median, 75 %, most)."""

    path: str
    format: str
    kind: str
    classes: list[str]
    items: dict[str, int] = field(default_factory=dict)
    per_class: dict[str, dict[str, int]] = field(default_factory=dict)
    widths: list[float] = field(default_factory=list)
    heights: list[float] = field(default_factory=list)
    shapes_per_item: list[float] = field(default_factory=list)
    shape_area_shares: list[float] = field(default_factory=list)
    """Each shape's share of its picture, 0 to 1."""
    frames_per_clip: list[float] = field(default_factory=list)
    text_characters: list[float] = field(default_factory=list)
    background: dict[str, int] = field(default_factory=dict)
    """Annotated items with nothing in them, of each split."""
    near: NearDuplicates = field(default_factory=NearDuplicates)
    unreadable: int = 0
    faults: int = 0
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> JsonObject:
        """For JSON."""
        return asdict(self)


@dataclass
class StatsValues:
    """The values behind the quantiles, for the drawing."""

    widths: list[int] = field(default_factory=list)
    heights: list[int] = field(default_factory=list)
    shapes: list[int] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    characters: list[int] = field(default_factory=list)


def stats(
    path: Path,
    kind: str | None = None,
    progress: OnProgress | None = None,
    *,
    layout: str | None = None,
) -> tuple[Stats, StatsValues]:
    """Read it, as `layout` if that is given, and open every picture.

    DataError where nothing can be read.
    """
    faults = Faults()
    content = read(path, faults, kind, layout)
    said = Stats(str(path), content.format, content.kind, list(content.classes))
    said.notes = list(content.notes)
    values = StatsValues()
    said.faults = faults.errors
    hashes = image_hashes(content, progress)
    for split, items in content.splits():
        said.items[split] = len(items)
        said.per_class[split] = counts_of(content, items)
        said.background[split] = sum(one.shapes == [] for one in items)
        for item in items:
            _measure(item, values)
    said.unreadable = sum(one is None for _, _, one in hashes)
    whole = [(split, name, one) for split, name, one in hashes if one is not None]
    said.near = find_near_duplicates(whole)
    said.widths, said.heights = _quantiles(values.widths), _quantiles(values.heights)
    said.shapes_per_item = _quantiles(values.shapes)
    said.shape_area_shares = _quantiles(values.areas)
    said.frames_per_clip = _quantiles(values.frames)
    said.text_characters = _quantiles(values.characters)
    return said, values


def _quantiles(values: Sequence[float]) -> list[float]:
    if not values:
        return []
    found: NDArray[np.float64] = np.quantile(np.asarray(values, np.float64), QUANTILES)
    return [round(float(one), 6) for one in found]


def _measure(item: Item, values: StatsValues) -> None:
    if item.width:
        values.widths.append(item.width)
        values.heights.append(item.height)
    if item.frames:
        values.frames.append(len(item.frames))
    if item.text is not None:
        values.characters.append(len(item.text) + len(item.text_b or ""))
    if item.shapes is None:
        return
    values.shapes.append(len(item.shapes))
    for shape in item.shapes:
        left, top, right, bottom = shape.bounds()
        share = (right - left) * (bottom - top) / (item.width * item.height or 1)
        values.areas.append(min(max(share, 0.0), 1.0))


def _images(content: Content) -> Iterator[tuple[str, str]]:
    """One of each item: a clip's middle frame stands for it; videos and texts have none."""
    for split, items in content.splits():
        for item in items:
            name = os.fsdecode(item.shown)
            if is_image(name):
                yield split, name


def image_hashes(
    content: Content, progress: OnProgress | None = None
) -> list[tuple[str, str, int | None]]:
    """Split, name and perceptual hash of each item's picture; None: it cannot be read."""
    images = list(_images(content))
    found: list[tuple[str, str, int | None]] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        paths = (content.root / name for _, name in images)
        for (split, name), one in zip(images, pool.map(_hash, paths), strict=True):
            found.append((split, name, one))
            if progress is not None and len(found) % 256 == 0:
                progress(len(found), len(images))
    return found


def _hash(path: Path) -> int | None:
    """64 bits that a resized or recoded picture shares; None: it cannot be read."""
    import imagehash

    try:
        image = open_rgb(path, MAX_PIXELS, (HASHED_PIXELS, HASHED_PIXELS))
    except DataError:
        return None
    bits = imagehash.phash(image).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
