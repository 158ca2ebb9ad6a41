"""What a data set holds, in the one form that every layout is read into and written from.

Boxes and points are pixels of the picture as it is shown (turned as its EXIF says), x to the right
and y down, from its top left corner; a box is (left, top, right, bottom).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNLABELLED = -1
IGNORED = 255
"""The value of a mask's pixel that nobody is asked about."""
BACKGROUND = "background"

Points = NDArray[np.float64]
"""(P, 2): x, y."""
Box = tuple[float, float, float, float]


@dataclass(slots=True)
class Rle:
    """COCO's run-length code of a whole picture's mask, column by column."""

    height: int
    width: int
    counts: bytes
    """Compressed, as pycocotools takes it."""

    def bounds(self) -> Box:
        """The box around what the run lengths mark, in pixels."""
        # Imported here: most layouts have no run lengths, and start sooner without it.
        from pycocotools import mask

        coded = {"size": [self.height, self.width], "counts": self.counts}
        left, top, width, height = mask.toBbox(coded).tolist()
        return left, top, left + width, top + height


@dataclass(slots=True)
class Shape:
    """One thing in a picture."""

    label: int
    """Its class, an index of `Content.classes`."""
    box: Box | None = None
    """None where only an outline is known: see `bounds`."""
    outlines: tuple[Points, ...] = ()
    """Its polygons; several where something lies before it."""
    rle: Rle | None = None
    crowd: bool = False
    """Many of a class in one shape (COCO's iscrowd): not learnt, and not counted as missed."""
    confidence: float | None = None
    """How sure a prediction is, 0 to 1; None: a person drew it."""
    attributes: dict[str, object] = field(default_factory=dict)
    """What one layout says and another may not hold (difficult, truncated, group_id)."""

    def key(self) -> object:
        """What two shapes that are the same have in common: all but their attributes."""
        outlines = tuple(points.tobytes() for points in self.outlines)
        rle = None if self.rle is None else self.rle.counts
        return self.label, self.box, outlines, rle, self.crowd, self.confidence

    def bounds(self) -> Box:
        """The box, or else the one around the outlines or the mask."""
        if self.box is not None:
            return self.box
        if self.outlines:
            points = np.concatenate(self.outlines)
            (left, top), (right, bottom) = points.min(0), points.max(0)
            return float(left), float(top), float(right), float(bottom)
        assert self.rle is not None, "a shape has a box, an outline or a mask"
        return self.rle.bounds()


@dataclass(slots=True)
class Item:
    """One picture, clip or text."""

    path: bytes
    """The file's path, or a clip's folder's, relative to `Content.root`: UTF-8, surrogateescape.

    A text's is its table's, with its row in `line`.
    """
    width: int = 0
    height: int = 0
    """Pixels as shown; 0: not known before the file is opened."""
    label: int = UNLABELLED
    """The class of the whole picture, clip or text."""
    shapes: list[Shape] | None = None
    """None: nobody has looked; empty: nothing is in it."""
    mask: bytes | None = None
    """A mask's file, relative to the root, one byte a pixel: the class, or IGNORED."""
    mask_values: tuple[int, ...] | None = None
    """The classes in the mask's file, once `verify` has opened it."""
    mask_pixels: NDArray[np.uint8] | None = None
    """A predicted mask, (height, width), where it has no file yet."""
    frames: tuple[bytes, ...] = ()
    """A clip's pictures in order; empty: `path` is a video file."""
    text: str | None = None
    text_b: str | None = None
    line: int = 0
    """Where in the file it stands, from 1; 0: it is the whole file."""
    confidence: float | None = None
    """How sure a predicted `label` is, 0 to 1."""
    attributes: dict[str, object] = field(default_factory=dict)
    faulty: bool = False
    """Its reader found a fault in its label: where nothing else is left of it, `verify` makes it
    unlabelled and a conversion that leaves out faults leaves it out, so that it never becomes
    background."""
    written_as: bytes | None = None
    """The path that a writer is to put it by, where that is not its own: another has the name."""

    @property
    def name(self) -> str:
        """The path, to be shown and joined."""
        return self.path.decode("utf-8", "surrogateescape")

    @property
    def place(self) -> str:
        """The path, with the line where it is one of many in a file."""
        return f"{self.name}:{self.line}" if self.line else self.name

    @property
    def shown(self) -> bytes:
        """The file that stands for it where one picture is looked at: a clip's middle frame."""
        return self.frames[len(self.frames) // 2] if self.frames else self.path


@dataclass(frozen=True)
class Content:
    """A data set, read."""

    root: Path
    format: str
    kind: str
    """classification, detection, segmentation, sequence, text, instruction, caption."""
    classes: tuple[str, ...]
    """For masks the index is the pixel's value."""
    train: list[Item]
    """Its unlabelled items too."""
    val: list[Item] | None = None
    """None where the layout has no validation split."""
    notes: tuple[str, ...] = ()
    """What the reader decided that a person should know."""
    test: list[Item] | None = None
    """Kept for the last judgement: neither learnt from nor validated on."""

    def splits(self) -> Iterator[tuple[str, list[Item]]]:
        """The splits that are there, by name: train, val, test."""
        yield "train", self.train
        if self.val is not None:
            yield "val", self.val
        if self.test is not None:
            yield "test", self.test

    def noted(self, notes: Iterable[str]) -> Content:
        """The same with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def path(self, item: Item) -> Path:
        """The item's file or folder."""
        return self.root / item.name

    def having(
        self, train: list[Item], val: list[Item] | None, test: list[Item] | None = None
    ) -> Content:
        """The same with other items."""
        return replace(self, train=train, val=val, test=test)
