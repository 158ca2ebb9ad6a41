"""A file becomes RGB pixels, or one sentence that says why it cannot.

Every picture of every kind of data passes here: the size is checked in the header, before a
single pixel is decoded.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from tandem.spec.errors import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"})
"""In lower case; any case is read."""

_PLUGINS = (
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
"""Imported, so that a first picture needs no search for them and threads do not race for it."""
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF")
"""A phone's MPO, a JPEG with more pictures after the first, opens as a JPEG."""

# The size of every header is checked in `_opened`, against the limit of the run. Pillow's own
# limit warns on stderr and cannot be raised for one call alone.
Image.MAX_IMAGE_PIXELS = None
# Said of metadata (EXIF, TIFF tags) that nobody reads here; damaged pixels raise.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_ORIENTATION = 0x0112
_TURNED = range(5, 9)
"""EXIF orientations that swap width and height (TIFF 6.0, tag 274)."""
_MAY_TURN = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")
_TELLING_CHUNKS = (b"eXIf", b"iTXt", b"tEXt", b"zTXt")
"""Chunks of a PNG that may hold EXIF or XMP."""
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise on bytes that are not what their header says."""

MASK_FORMATS = ("PNG", "BMP", "TIFF", "GIF")
"""What keeps a pixel's value as it is; no other decoder sees a file that says it is a mask."""
MOST_MASK_PIXELS = 120_000_000

Least = tuple[int, int]


def is_image(name: str) -> bool:
    """Whether a file's name says that it is one."""
    return any(name.lower().endswith(suffix) for suffix in SUFFIXES)


def load_rgb(path: Path, max_pixels: int) -> NDArray[np.uint8]:
    """(H, W, 3), turned as its EXIF says. DataError that names the file when it is not usable."""
    return np.array(open_rgb(path, max_pixels))


def open_rgb(path: Path, max_pixels: int, least: Least | None = None) -> Image.Image:
    """The same as a Pillow image of mode RGB.

    `least` (width, height): a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as long as it
    is not smaller than this; libjpeg then skips most of the work.
    """
    try:
        with path.open("rb") as file:
            return decode(file, str(path), max_pixels, least)
    except OSError as error:
        raise DataError(
            "The file {path} cannot be read: {reason}.",
            path=path,
            reason=error.strerror or error,
            fix="Check that it is there and that you may read it.",
        ) from error


def header_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an opened picture as `decode` will give them: turned as EXIF or XMP says.

    Pixels are decoded only where a PNG has what may turn it behind them.
    """
    width, height = image.size
    if width * height > MOST_MASK_PIXELS:
        return width, height  # nobody will decode it
    if image.format == "PNG" and _is_told_late(image):
        image.load()
    turned = any(key in image.info for key in _MAY_TURN) and _orientation(image) in _TURNED
    return (height, width) if turned else (width, height)


def _is_told_late(image: Image.Image) -> bool:
    """Whether a PNG has a chunk that may turn it after its pixels, where a header ends."""
    if "exif" in image.info or not isinstance(image, PngImagePlugin.PngImageFile):
        return False
    file = image.fp
    assert file is not None, "it has just been opened"
    here, seen = file.tell(), False
    file.seek(8)
    try:
        while len(head := file.read(8)) == 8:
            name = head[4:]
            if seen and name in _TELLING_CHUNKS:
                return True
            if name == b"IEND":
                break
            seen = seen or name == b"IDAT"
            file.seek(int.from_bytes(head[:4], "big") + 4, 1)
        return False
    finally:
        file.seek(here)


def decode(file: BinaryIO, name: str, max_pixels: int, least: Least | None = None) -> Image.Image:
    """RGB pixels from an open file; `name` is what an error calls it."""
    image = _opened(file, name, max_pixels)
    try:
        if least is not None and image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L"):
            turned = _orientation(image) in _TURNED
            image.draft(None, (least[1], least[0]) if turned else least)
        image.load()
        return to_rgb(image)
    except _BROKEN as error:
        raise DataError(
            "The picture {path} is truncated or damaged ({reason}).",
            path=name,
            reason=_one_line(error),
            fix="Replace the file or take it away.",
        ) from error


def _opened(file: BinaryIO, name: str, max_pixels: int) -> Image.Image:
    try:
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise DataError(
            "The file {path} is no picture, whatever its name says.",
            path=name,
            allowed=sorted(FORMATS),
            fix="Replace it or take it away.",
        ) from error
    except _BROKEN as error:
        raise DataError(
            "The picture {path} has a damaged header ({reason}).",
            path=name,
            reason=_one_line(error),
            fix="Replace the file or take it away.",
        ) from error
    width, height = image.size
    if width * height > max_pixels:
        raise DataError(
            "The picture {path} has {width} x {height} pixels, more than {limit} in all; "
            "it was not decoded.",
            path=name,
            width=width,
            height=height,
            limit=max_pixels,
            fix="Make it smaller, or raise data.max_image_pixels.",
        )
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """Mode RGB from any mode, turned as EXIF says; transparent parts become white."""
    if any(key in image.info for key in _MAY_TURN) and _orientation(image) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        return _from_deep(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        clear = image.convert("RGBA")
        ground = Image.new("RGBA", clear.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, clear).convert("RGB")
    return image.convert("RGB")


def _from_deep(image: Image.Image) -> Image.Image:
    """16 bits a pixel lose the low 8; other deep or floating pictures span their own range."""
    values_HW = np.asarray(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and 255 < values_HW.max() < 65536):
        grey_HW = values_HW.astype(np.int64) >> 8
    else:
        low, high = float(np.nanmin(values_HW)), float(np.nanmax(values_HW))
        if low >= 0 and high <= 255 and image.mode == "I":
            low, high = 0.0, 255.0
        span = (high - low) or 1.0
        grey_HW = np.nan_to_num((values_HW.astype(np.float64) - low) * (255 / span))
    return Image.fromarray(np.clip(grey_HW, 0, 255).astype(np.uint8)).convert("RGB")


def _orientation(image: Image.Image) -> int:
    """1 where it is not given, or given in a way that cannot be read."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except _BROKEN:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
