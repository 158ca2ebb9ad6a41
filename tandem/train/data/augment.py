"""The crops, flips and colours that teacher and student both see.

What a view looks like follows from the picture's content, the view's number and the settings
alone. The first `count` numbers are those that a cache keeps: no run's seed is in them, so that a
second task on the same pictures finds the cache warm. Any other number is a fresh view.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from PIL import Image

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
_FIRST_FRESH, _FRESH_BITS = 2**20, 22
"""Above every number that a cache keeps; so many bits number the fresh views of one seed."""
_FINER = 2
"""A JPEG is decoded at no less than so many times the size that is rendered."""

ImageLike = Image.Image | NDArray[np.uint8]


def fresh_view(seed: int, number: int) -> int:
    """The number of a view that no cache keeps: of each run's seed the `number`-th, from 0 on."""
    digest = hashlib.blake2b(f"view/{seed}".encode(), digest_size=5).digest()
    return _FIRST_FRESH + (int.from_bytes(digest) << _FRESH_BITS) + number


@dataclass(frozen=True)
class Views:
    """The views of every image of one table. View 0 is the whole image, untouched."""

    keys_N: NDArray[np.uint64]
    """What each image's views are drawn from: a part of its content's hash."""
    count: int
    """How many are kept by a cache; one in so many of the fresh ones is the whole image too."""
    scale_min: float
    flips: bool
    colour: float
    fingerprint: str
    """Equal for equal settings, whatever the number of views: more views extend a cache."""

    @classmethod
    def draw(cls, table: ImageTable, spec: ViewSpec) -> Views:
        """The views of these images."""
        flips = flip_allowed(spec, table.classes)
        settings = f"{VERSION}/{spec.crop_scale_min}/{flips}/{spec.colour}"
        fingerprint = hashlib.blake2b(settings.encode(), digest_size=16).hexdigest()
        return cls(
            keys_N=view_keys(table.hashes_N),
            count=spec.count,
            scale_min=spec.crop_scale_min,
            flips=flips,
            colour=spec.colour,
            fingerprint=fingerprint,
        )

    def rows(self, rows: NDArray[np.int64]) -> Views:
        """The views of these rows only."""
        return replace(self, keys_N=self.keys_N[rows])

    def params(self, index: ArrayLike, view: ArrayLike) -> NDArray[np.void]:
        """PARAMS of these rows in these views, in the shape that the two broadcast to."""
        index_B, view_B = np.broadcast_arrays(np.asarray(index), np.asarray(view))
        params_B = np.zeros(view_B.shape, PARAMS)
        for name in ("width", "height", "brightness", "contrast", "saturation"):
            params_B[name] = 1
        drawn_B = view_B > 0
        if drawn_B.any():
            params_B[drawn_B] = self._drawn(self.keys_N[index_B[drawn_B]], view_B[drawn_B])
        return params_B

    def _drawn(self, keys_n: NDArray[np.uint64], view_n: NDArray[np.int64]) -> NDArray[np.void]:
        random = _Random(keys_n, view_n)
        params_n = np.zeros(len(keys_n), PARAMS)
        _draw_crop(params_n, self.scale_min, random)
        coin_n = random.uniform(0, 1)
        params_n["flip"] = (coin_n < 0.5) & self.flips
        for name in ("brightness", "contrast", "saturation"):
            params_n[name] = random.uniform(1 - self.colour, 1 + self.colour)
        return params_n

    def show_file(
        self, path: Path, params_V: NDArray[np.void], size: int, max_pixels: int
    ) -> list[NDArray[np.uint8]]:
        """(3, size, size) of several views of a file, which is decoded once for all of them."""
        needs = [least(one, size) for one in params_V]
        enough = (max(wide for wide, _ in needs), max(high for _, high in needs))
        image = np.asarray(open_rgb(path, max_pixels, enough))
        return [rendered(image, one, size) for one in params_V]


def view_keys(hashes_N: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """What the views of images with these hashes are drawn from."""
    return np.ascontiguousarray(hashes_N[:, :8]).view("<u8")[:, 0].astype(np.uint64)


def least(params: np.void, size: int) -> Least:
    """Width and height at which a picture must be decoded, at the least, for this view."""
    wide, high = float(params["width"]), float(params["height"])
    return int(_FINER * size / wide) + 1, int(_FINER * size / high) + 1


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

    def __init__(self, keys_N: NDArray[np.uint64], view_N: NDArray[np.int64]) -> None:
        self.state_N: NDArray[np.uint64] = keys_N + view_N.astype(np.uint64) * np.uint64(
            0xD1342543DE82EF95
        )

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
