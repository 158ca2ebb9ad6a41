"""Which class each colour of a mask is: `labelmap.txt`, or VOC's own colours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tandem.data.content import BACKGROUND, IGNORED
from tandem.data.faults import Faults
from tandem.data.reading.texts import lines_of, read_label_text

LABELMAP = "labelmap.txt"
VOID = (224, 224, 192)
"""VOC's rim around things, which nobody is asked about."""
VOC_CLASSES = (
    BACKGROUND, "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
Colour = tuple[int, int, int]


def voc_colour(number: int) -> Colour:
    """The colour of a class number, as VOC's development kit makes them.

    The three lowest bits of the number are the highest bits of red, green and blue, and so on.
    """
    red = green = blue = 0
    for place in range(7, -1, -1):
        red |= (number & 1) << place
        green |= (number >> 1 & 1) << place
        blue |= (number >> 2 & 1) << place
        number >>= 3
    return red, green, blue


def voc_palette() -> list[int]:
    """(768,) of the colours of all 256 values; 255 is VOID."""
    colours = [*(voc_colour(one) for one in range(IGNORED)), VOID]
    return [part for one in colours for part in one]


@dataclass(frozen=True)
class Labelmap:
    """The classes in the order of their numbers, and the colour of each."""

    classes: tuple[str, ...]
    colours: tuple[Colour, ...]
    order: tuple[int, ...]
    """By a class's line in the file, its number: where `background` is not the first line."""

    @classmethod
    def of_classes(cls, classes: tuple[str, ...]) -> Labelmap:
        """VOC's colours for these."""
        numbers = range(len(classes))
        return cls(classes, tuple(voc_colour(one) for one in numbers), tuple(numbers))

    def value_of(self) -> dict[int, int]:
        """The mask's value of each colour, as red << 16 | green << 8 | blue."""
        found = {_code(VOID): IGNORED}
        return found | {_code(one): number for number, one in enumerate(self.colours)}

    def values_of_grey(self) -> NDArray[np.uint8]:
        """(256,) by a pixel's byte in a mask without colours, which counts the file's lines.

        What is no line stays as it is, and is told as no class.
        """
        out = np.arange(256, dtype=np.uint8)
        out[: len(self.order)] = self.order[:256]
        return out


def read_labelmap(root: Path, faults: Faults) -> Labelmap:
    """`name:red,green,blue:parts:actions` on each line; VOC's classes where there is no file.

    DataError where it cannot be read.
    """
    file = root / LABELMAP
    if not file.is_file():
        return Labelmap.of_classes(VOC_CLASSES)
    found: dict[str, Colour] = {}
    for number, line in enumerate(lines_of(read_label_text(root, file, faults)), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colour = _parsed(line)
        if colour is None or not name:
            faults.add(LABELMAP, number, "the line is no name:red,green,blue")
        elif name in found:
            faults.add(LABELMAP, number, "the class {name} is named twice", name=name)
        elif colour in found.values():
            faults.add(LABELMAP, number, "two classes have the colour {colour}",
                       colour=", ".join(map(str, colour)))  # fmt: skip
        else:
            found[name] = colour
    names = sorted(found, key=lambda one: one != BACKGROUND)  # stable: the others stay in order
    order = tuple(names.index(one) for one in found)
    return Labelmap(tuple(names), tuple(found[one] for one in names), order)


def _parsed(line: str) -> tuple[str, Colour | None]:
    """A name may have colons in it: the colour is the last part that is three numbers."""
    parts = line.split(":")
    for place in range(len(parts) - 1, 0, -1):
        numbers = [one.strip() for one in parts[place].split(",")]
        if len(numbers) == 3 and all(one.isascii() and one.isdigit() for one in numbers):
            red, green, blue = (int(one[:4]) for one in numbers)
            if max(red, green, blue) > 255:
                return "", None
            return ":".join(parts[:place]).strip(), (red, green, blue)
    return "", None


def _code(colour: Colour) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]
