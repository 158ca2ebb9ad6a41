"""The crops, flips and colours that teacher and student both see.

What a view looks like follows from the picture's content, the view's number and the settings
alone. The first `count` numbers are those that a cache keeps: no run's seed is in them, so that a
second task on the same pictures finds the cache warm. Any other number is a fresh view.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tandem.data.images import Least, open_rgb
from tandem.spec.run import ViewSpec
from tandem.train.data.augment import randaugment
from tandem.train.data.augment.flips import flip_allowed
from tandem.train.data.augment.numbers import ViewNumbers
from tandem.train.data.augment.params import untouched
from tandem.train.data.augment.pixels import rendered
from tandem.train.types import ImageTable

VERSION = 1
"""Part of the cache's key: raise it when `render` would give other pixels."""

_MOST_STRETCH = np.log(4 / 3)
"""The logarithm of a crop's largest aspect ratio against the image's own (Szegedy et al. 2015)."""
_FIRST_FRESH, _FRESH_BITS = 2**20, 22
"""Above every number that a cache keeps; so many bits number the fresh views of one seed."""
_BLUR = (0.1 / 224, 2.0 / 224)
"""The least and the greatest deviation, as parts of a side (Chen et al. 2020, at 224 pixels)."""
_ERASED_AREA, _ERASED_STRETCH = (0.02, 1 / 3), np.log(1 / 0.3)
"""As Zhong et al. 2020, and timm."""
_FINER = 2
"""A JPEG is decoded at no less than so many times the size that is rendered."""


def fresh_view(seed: int, number: int) -> int:
    """The number of a view that no cache keeps: of each run's seed the `number`-th, from 0 on."""
    digest = hashlib.blake2b(f"view/{seed}".encode(), digest_size=5).digest()
    return _FIRST_FRESH + (int.from_bytes(digest) << _FRESH_BITS) + number


@dataclass(frozen=True)
class Distortions:
    """What is done to a view beside its crop, flip and colours: a strength and three chances."""

    randaugment: float
    grey: float
    blur: float
    erasing: float

    def any(self) -> bool:
        """Whether anything is."""
        return any((self.randaugment, self.grey, self.blur, self.erasing))


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
    distortions: Distortions
    fingerprint: str
    """Equal for equal settings, whatever the number of views: more views extend a cache."""

    @classmethod
    def draw(cls, table: ImageTable, spec: ViewSpec) -> Views:
        """The views of these images."""
        flips = flip_allowed(spec, table.classes)
        distortions = Distortions(spec.randaugment, spec.grey, spec.blur, spec.erasing)
        settings = f"{VERSION}/{spec.crop_scale_min}/{flips}/{spec.colour}"
        if distortions.any():  # without any, a cache of before is as good as ever
            settings += f"/{distortions}"
        fingerprint = hashlib.blake2b(settings.encode(), digest_size=16).hexdigest()
        return cls(
            keys_N=view_keys(table.hashes_N),
            count=spec.count,
            scale_min=spec.crop_scale_min,
            flips=flips,
            colour=spec.colour,
            distortions=distortions,
            fingerprint=fingerprint,
        )

    def rows(self, rows: NDArray[np.int64]) -> Views:
        """The views of these rows only."""
        return replace(self, keys_N=self.keys_N[rows])

    def params(self, index: ArrayLike, view: ArrayLike) -> NDArray[np.void]:
        """PARAMS of these rows in these views, in the shape that the two broadcast to."""
        index_B, view_B = np.broadcast_arrays(np.asarray(index), np.asarray(view))
        params_B = untouched(view_B.shape)
        drawn_B = view_B > 0
        if drawn_B.any():
            params_B[drawn_B] = self._drawn(self.keys_N[index_B[drawn_B]], view_B[drawn_B])
        return params_B

    def _drawn(self, keys_n: NDArray[np.uint64], view_n: NDArray[np.int64]) -> NDArray[np.void]:
        random = ViewNumbers(keys_n, view_n)
        params_n = untouched(keys_n.shape)
        _draw_crop(params_n, self.scale_min, random)
        coin_n = random.uniform(0, 1)
        params_n["flip"] = (coin_n < 0.5) & self.flips
        for name in ("brightness", "contrast", "saturation"):
            params_n[name] = random.uniform(1 - self.colour, 1 + self.colour)
        if self.distortions.any():
            self._distort(params_n, keys_n, view_n)
        return params_n

    def _distort(
        self, params_n: NDArray[np.void], keys_n: NDArray[np.uint64], view_n: NDArray[np.int64]
    ) -> None:
        asked = self.distortions
        if asked.randaugment:
            random = ViewNumbers(keys_n, view_n, "randaugment")
            randaugment.draw(params_n, asked.randaugment, random)
        grey_n = ViewNumbers(keys_n, view_n, "grey").uniform(0, 1) < asked.grey
        random = ViewNumbers(keys_n, view_n, "blur")
        blur_n = random.uniform(0, 1) < asked.blur
        params_n["grey"] = grey_n
        params_n["blur"] = np.where(blur_n, random.uniform(*_BLUR), 0)
        random = ViewNumbers(keys_n, view_n, "erasing")
        erased_n = random.uniform(0, 1) < asked.erasing
        params_n["erased"] = np.where(erased_n[:, None], _rectangles(random), 0)
        params_n["more"] |= grey_n | blur_n | erased_n

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


def _draw_crop(one: NDArray[np.void], scale_min: float, random: ViewNumbers) -> None:
    area_N = random.uniform(scale_min, 1)
    stretch_N = np.exp(random.uniform(-_MOST_STRETCH, _MOST_STRETCH))
    # Where a side would be longer than the picture, it is as long, and the area stays.
    stretch_N = np.clip(stretch_N, area_N, 1 / area_N)
    one["width"] = np.sqrt(area_N * stretch_N)
    one["height"] = np.sqrt(area_N / stretch_N)
    one["left"] = random.uniform(0, 1) * (1 - one["width"])
    one["top"] = random.uniform(0, 1) * (1 - one["height"])


def _rectangles(random: ViewNumbers) -> NDArray[np.float64]:
    """(n, 4): left, top, width and height of what is erased."""
    area_n = random.uniform(*_ERASED_AREA)
    stretch_n = np.exp(random.uniform(-_ERASED_STRETCH, _ERASED_STRETCH))
    wide_n = np.minimum(np.sqrt(area_n * stretch_n), 1)
    high_n = np.minimum(np.sqrt(area_n / stretch_n), 1)
    left_n, top_n = (random.uniform(0, 1) * (1 - side) for side in (wide_n, high_n))
    return np.stack([left_n, top_n, wide_n, high_n], 1)
