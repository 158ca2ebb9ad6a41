"""Pictures as people have them, to the pixels that the student was trained and measured on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tandem.data.images import SUFFIXES, is_image, open_rgb, to_rgb
from tandem.spec.errors import DataError
from tandem.train.data.augment import whole

ImageInput = str | Path | NDArray[np.uint8] | Image.Image
Input = ImageInput | tuple[str, str] | Sequence[ImageInput]
"""What a model is asked about: a picture, a text or a pair of them, or the frames of a clip."""
MAX_PIXELS = 120_000_000
"""Width times height of the largest image that is decoded: more is a bomb, or would not fit."""
# As in validation: a JPEG is decoded at no less than twice the size that is shown.
FINER = 2


def pixels(source: object, size: int) -> NDArray[np.uint8]:
    """(3, size, size): the whole picture, resized as validation does. DataError naming it."""
    return whole(open_image(source, size)[0], size).transpose(2, 0, 1)


def open_image(
    source: object, size: int, *, in_proportion: bool = False
) -> tuple[Image.Image, tuple[int, int]]:
    """A picture of mode RGB, and its own height and width as it is shown.

    A JPEG may be decoded at a part of its size: each side at no less than twice `size`, or
    `in_proportion` only the longer one. DataError that names the file.
    """
    match source:
        case str() | Path():
            return _open_file(Path(source), FINER * size + 1, in_proportion)
        case Image.Image():
            image = _decoded(source)
        case np.ndarray():
            image = to_rgb(Image.fromarray(_as_uint8(source)))
        case _:
            raise DataError(
                "A picture cannot be a {type}.",
                type=type(source).__name__,
                fix="Give a path, a PIL image, or an array of uint8.",
            )
    return image, (image.height, image.width)


def _open_file(path: Path, least: int, in_proportion: bool) -> tuple[Image.Image, tuple[int, int]]:
    stored = _stored_size(path)
    if stored is None or not in_proportion:
        wanted = (least, least)
    else:
        scale = least / max(stored)
        # Which of the two is the width is only known once it is turned: the smaller for both.
        wanted = (max(1, round(min(stored) * scale)),) * 2
    image = open_rgb(path, MAX_PIXELS, wanted)
    if stored is None or max(stored) == max(image.size):
        return image, (image.height, image.width)
    is_turned = (stored[0] > stored[1]) != (image.width > image.height)
    width, height = stored[::-1] if is_turned and stored[0] != stored[1] else stored
    return image, (height, width)


def _stored_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a JPEG before it is turned; None of others, which are decoded whole."""
    if path.suffix.lower() not in (".jpg", ".jpeg"):
        return None
    try:
        with Image.open(path, formats=("JPEG",)) as image:
            return image.size
    except (OSError, SyntaxError, ValueError):  # said by whoever decodes it
        return None


def _decoded(image: Image.Image) -> Image.Image:
    try:
        return to_rgb(image)
    except (OSError, SyntaxError, ValueError) as error:  # Pillow decodes only now
        raise DataError(
            "The picture {path} is truncated or damaged ({reason}).",
            path=getattr(image, "filename", "") or repr(image),
            reason=" ".join(str(error).split()),
            fix="Replace the file or take it away.",
        ) from error


def _as_uint8(array_HWC: NDArray[np.generic]) -> NDArray[np.uint8]:
    if array_HWC.ndim == 3 and array_HWC.shape[2] == 1:
        array_HWC = array_HWC[..., 0]
    known = array_HWC.ndim == 2 or (array_HWC.ndim == 3 and array_HWC.shape[2] in (3, 4))
    if array_HWC.dtype != np.uint8 or not known or not array_HWC.size:
        raise DataError(
            "A picture cannot be an array of {dtype} with the shape {shape}.",
            dtype=array_HWC.dtype,
            shape=array_HWC.shape,
            fix="Give uint8 of 0 to 255: (height, width, 3) in RGB, or (height, width) in grey.",
        )
    return np.asarray(array_HWC, np.uint8)


def as_list(inputs: Input | Iterable[Input]) -> list[Input]:
    """One picture alone is a list of one."""
    if isinstance(inputs, np.ndarray) and inputs.ndim > 3:
        return list(inputs)  # a stack of pictures
    if isinstance(inputs, str | Path | Image.Image | np.ndarray):
        return [inputs]
    return list(inputs)


def iter_images(path: Path) -> Iterator[Path]:
    """Every picture in a folder and its folders, in the order of the names; or the file itself."""
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise DataError("There is nothing at {path}.", path=path, fix="Name a picture or a folder.")
    none = True
    for file in sorted(path.rglob("*")):
        if is_image(file.name) and file.is_file():
            none = False
            yield file
    if none:
        raise DataError("There is no picture in {path}.", path=path, allowed=sorted(SUFFIXES))
