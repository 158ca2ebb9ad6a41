"""The crops, flips and colours that teacher and student both see: drawn once, replayed ever after.

What a view looks like follows from the picture's content, the view's number and the settings
alone, never from a run's seed: a second task on the same pictures finds the cache warm.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tandem.data.images import Least, open_rgb
from tandem.spec.run import ViewSpec
from tandem.train.types import ImageTable

VERSION = 1
"""Part of the cache's key: raise it when `render` would give other pixels."""

PARAMS = np.dtype(
    [
        ("left", "f4"),  # of the crop, as parts of the picture's width and height
        ("top", "f4"),
        ("width", "f4"),
        ("height", "f4"),
        ("flip", "?"),
        ("brightness", "f4"),
        ("contrast", "f4"),
        ("saturation", "f4"),
    ]
)
_MOST_STRETCH = np.log(4 / 3)
"""The logarithm of a crop's largest aspect ratio against the image's own (Szegedy et al. 2015)."""
_FINER = 2
"""A JPEG is decoded at no less than so many times the size that is rendered."""

ImageLike = Image.Image | NDArray[np.uint8]


@dataclass(frozen=True)
class Views:
    """The views of every image of one table. View 0 is the whole image, untouched."""

    params_NV: NDArray[np.void]
    """(N, V) of PARAMS."""
    fingerprint: str
    """Equal for equal settings, whatever the number of views: more views extend a cache."""

    @property
    def count(self) -> int:
        return int(self.params_NV.shape[1])

    @classmethod
    def draw(cls, table: ImageTable, spec: ViewSpec) -> Views:
        """The parameters of all views of these images."""
        flips = flip_allowed(spec, table.classes)
        settings = f"{VERSION}/{spec.crop_scale_min}/{flips}/{spec.colour}"
        fingerprint = hashlib.blake2b(settings.encode(), digest_size=16).hexdigest()
        return cls(_draw(table.hashes_N, spec, flips), fingerprint)

    def rows(self, rows: NDArray[np.int64]) -> Views:
        """The views of these rows only."""
        return Views(self.params_NV[rows], self.fingerprint)

    def render(self, image_HWC: ImageLike, row: int, view: int, size: int) -> Tensor:
        """uint8 (3, size, size) of one view: the same crop of the picture at any size."""
        return torch.from_numpy(rendered(image_HWC, self.params_NV[row, view], size))

    def least(self, row: int, view: int, size: int) -> Least:
        """Width and height at which a picture must be decoded, at the least, for this view."""
        one = self.params_NV[row, view]
        wide, high = float(one["width"]), float(one["height"])
        return int(_FINER * size / wide) + 1, int(_FINER * size / high) + 1

    def show(
        self, table: ImageTable, row: int, views: Iterable[int], size: int, max_pixels: int
    ) -> list[NDArray[np.uint8]]:
        """Several views of one row's file, which is decoded once for all of them."""
        return self.show_file(Path(table.path(row)), row, views, size, max_pixels)

    def show_file(
        self, path: Path, row: int, views: Iterable[int], size: int, max_pixels: int
    ) -> list[NDArray[np.uint8]]:
        """Another file in the views of a row, as each frame is in those of its clip."""
        wanted = list(views)
        needs = [self.least(row, view, size) for view in wanted]
        least = (max(wide for wide, _ in needs), max(high for _, high in needs))
        image = np.asarray(open_rgb(path, max_pixels, least))
        return [rendered(image, self.params_NV[row, view], size) for view in wanted]


def whole(image: ImageLike, size: int) -> NDArray[np.uint8]:
    """(size, size, 3): all of a picture, as view 0 and every validation image are."""
    return _resized(np.asarray(image), size).transpose(1, 2, 0)


def rendered(image: ImageLike, params: np.void, size: int) -> NDArray[np.uint8]:
    """(3, size, size) of the view that `params` (one PARAMS) describe."""
    image_HWC = np.asarray(image)
    height, width = image_HWC.shape[:2]
    left, right = _edges(float(params["left"]), float(params["width"]), width)
    top, bottom = _edges(float(params["top"]), float(params["height"]), height)
    view_CHW = _resized(image_HWC[top:bottom, left:right], size)
    if params["flip"]:
        view_CHW = view_CHW[:, :, ::-1]
    brightness, contrast = float(params["brightness"]), float(params["contrast"])
    saturation = float(params["saturation"])
    if brightness == contrast == saturation == 1:
        return np.ascontiguousarray(view_CHW)
    return _coloured(view_CHW, brightness, contrast, saturation)


def rendered_mask(mask_HW: NDArray[np.uint8], params: np.void, size: int) -> NDArray[np.uint8]:
    """(size, size): the mask of the view that `rendered` gives of its picture; nearest pixels."""
    height, width = mask_HW.shape
    left, right = _edges(float(params["left"]), float(params["width"]), width)
    top, bottom = _edges(float(params["top"]), float(params["height"]), height)
    rows = top + ((np.arange(size) + 0.5) * (bottom - top) / size).astype(np.int64)
    columns = left + ((np.arange(size) + 0.5) * (right - left) / size).astype(np.int64)
    view_HW = mask_HW[rows[:, None], columns[None]]
    return np.ascontiguousarray(view_HW[:, ::-1] if params["flip"] else view_HW)


def _edges(start: float, extent: float, pixels: int) -> tuple[int, int]:
    first = min(round(start * pixels), pixels - 1)
    last = round((start + extent) * pixels)
    return first, min(max(last, first + 1), pixels)


def _resized(image_HWC: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(3, size, size), bicubic with antialias; PyTorch's is three times as quick as Pillow's."""
    if not image_HWC.flags.writeable:
        # Only read here, but torch warns of every array that it could not write to.
        image_HWC = image_HWC.copy()
    image_1CHW = torch.from_numpy(image_HWC).permute(2, 0, 1)[None]
    if image_HWC.shape[:2] == (size, size):
        return np.ascontiguousarray(image_1CHW[0].numpy())
    out_1CHW = F.interpolate(image_1CHW, size=(size, size), mode="bicubic", antialias=True)
    return out_1CHW[0].numpy()


def _coloured(
    view_CHW: NDArray[np.uint8], brightness: float, contrast: float, saturation: float
) -> NDArray[np.uint8]:
    """Contrast turns about mid-grey, not the picture's mean, so that it is equal at every size."""
    gain = brightness * contrast
    out_CHW = view_CHW.astype(np.float32, order="C")
    grey_HW = out_CHW[0] * np.float32(0.299)
    grey_HW += out_CHW[1] * np.float32(0.587)
    grey_HW += out_CHW[2] * np.float32(0.114)
    grey_HW *= np.float32(gain * (1 - saturation))
    grey_HW += np.float32(128 * (1 - contrast) + 0.5)
    out_CHW *= np.float32(gain * saturation)
    out_CHW += grey_HW
    np.clip(out_CHW, 0, 255, out=out_CHW)
    return out_CHW.astype(np.uint8)


def _draw(hashes_N: NDArray[np.uint8], spec: ViewSpec, flips: bool) -> NDArray[np.void]:
    params_NV = np.zeros((len(hashes_N), spec.count), PARAMS)
    for name in ("width", "height", "brightness", "contrast", "saturation"):
        params_NV[name] = 1
    keys_N = np.ascontiguousarray(hashes_N[:, :8]).view("<u8")[:, 0]
    for view in range(1, spec.count):
        random = _Random(keys_N, view)
        one = params_NV[:, view]
        _draw_crop(one, spec.crop_scale_min, random)
        coin_N = random.uniform(0, 1)
        one["flip"] = (coin_N < 0.5) & flips
        for name in ("brightness", "contrast", "saturation"):
            one[name] = random.uniform(1 - spec.colour, 1 + spec.colour)
    return params_NV


def _draw_crop(one: NDArray[np.void], scale_min: float, random: _Random) -> None:
    area_N = random.uniform(scale_min, 1)
    stretch_N = np.exp(random.uniform(-_MOST_STRETCH, _MOST_STRETCH))
    # Where a side would be longer than the picture, it is as long, and the area stays.
    stretch_N = np.clip(stretch_N, area_N, 1 / area_N)
    one["width"] = np.sqrt(area_N * stretch_N)
    one["height"] = np.sqrt(area_N / stretch_N)
    one["left"] = random.uniform(0, 1) * (1 - one["width"])
    one["top"] = random.uniform(0, 1) * (1 - one["height"])


class _Random:
    """Uniform numbers from each picture's own key (SplitMix64, Steele et al. 2014)."""

    def __init__(self, keys_N: NDArray[np.uint64], view: int) -> None:
        self.state_N = keys_N + np.uint64(view * 0xD1342543DE82EF95 % 2**64)

    def uniform(self, low: float, high: float) -> NDArray[np.float64]:
        self.state_N = self.state_N + np.uint64(0x9E3779B97F4A7C15)
        x = self.state_N
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
        unit_N = (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return low + (high - low) * unit_N


_NUMERALS = "zero|one|two|three|four|five|six|seven|eight|nine|ten"
_NUMBER = rf"\d+|{_NUMERALS}|[零〇一二三四五六七八九十]+"
_CHARACTER = re.compile(
    rf"(?:(?:digit|number|num|letter|char|character|upper|lower|数字|字母)[\W_]*)?"
    rf"(?:{_NUMBER}|[a-z]|[α-ω])",
    re.IGNORECASE,
)
_SIDES = frozenset(
    {"left", "right", "leftward", "rightward", "west", "east"}
    | {"clockwise", "counterclockwise", "anticlockwise"}
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def flip_allowed(spec: ViewSpec, classes: Iterable[str]) -> bool:
    """Whether a mirrored picture keeps its class.

    `auto`: not where a class is a digit, a number or a letter, or names a side.
    """
    if spec.flip != "auto":
        return spec.flip == "on"
    return not any(_has_a_side(name) for name in classes)


def _has_a_side(name: str) -> bool:
    if _CHARACTER.fullmatch(name.strip()) or "左" in name or "右" in name:
        return True
    return any(word.lower() in _SIDES for word in _WORD.findall(name))
