"""What the teacher says of crops: read from one look at the whole image, or asked of each.

Four ways by three seeds, judged on a part that nothing was chosen on, on MNIST's digits and on
patches of ten photographs (which one is it from; another part of it is judged). Equal epochs, so
equal steps: `frozen` 4 and 16 crops, `dense`, and the teacher online on fresh crops, which is what
both stand in for. `views.source` auto is by these rows. Its data is of `make learning`.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.engine import changed
from benchmarks.learning import digits, sources
from benchmarks.learning.compare import Effort, Variant, mean_and_spread, train
from benchmarks.row import Row
from tandem.spec.run import RunSpec
from tandem.train.demo import digits_teacher
from tandem.train.demo.digits import Digits

WAYS: dict[str, dict[str, dict[str, Any]]] = {
    "4 frozen views": {"views": {"source": "frozen", "count": 4}},
    "16 frozen views": {"views": {"source": "frozen", "count": 16}},
    "dense": {"views": {"source": "dense"}},
    "online": {"cache": {"mode": "off"}},
}
PATCH, SIDE = 128, 32
LEARN, LABELLED, TEACH, VAL, TEST = 100, 5, 100, 15, 100
"""Patches of each photograph."""


def measure() -> list[Row]:
    effort = Effort()
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        mnist = digits.prepare(folder / "mnist", effort)
        patches = _patches(folder / "patches")
        return [
            row
            for what, data in (("MNIST", mnist), ("photographs", patches))
            for row in _rows(what, data, effort)
        ]


def _rows(what: str, data: digits.DigitData, effort: Effort) -> list[Row]:
    variants = [Variant(way, _spec_of(data, way)) for way in WAYS]
    train(variants, data.figures, effort)
    return [_row(what, one) for one in variants]


def _spec_of(data: digits.DigitData, way: str) -> Any:
    def make(seed: int) -> RunSpec:
        spec = data.spec(way.replace(" ", "-"), seed)
        cache = data.folder / f"cache-{way.replace(' ', '-')}"
        return changed(changed(spec, cache={"root": cache}), **WAYS[way])

    return make


def _row(what: str, variant: Variant) -> Row:
    asked = [one.report.teacher.forwards for one in variant.runs if one.report.teacher]
    seconds = statistics.fmean(one.report.seconds for one in variant.runs)
    return Row(
        f"views of {what}, {variant.what}: test accuracy of ResNet-18, taught",
        mean_and_spread(variant.values("accuracy")) + " %",
        note=f"nll {statistics.fmean(variant.values('nll')):.3f}; the first run asked the teacher "
        f"{asked[0]} times; {seconds:.0f} s a run, {len(variant.runs)} seeds",
    )


@dataclass(frozen=True)
class PatchData(digits.DigitData):
    """Patches of photographs, written as the digits are."""

    def spec(self, name: str, seed: int, epochs: int = digits.EPOCHS) -> RunSpec:
        """The same on the patches."""
        spec = super().spec(name, seed, epochs)
        return changed(spec, data={"dataset": str(self.folder / "data")})


def _patches(folder: Path) -> PatchData:
    """Left of each photograph to learn from, right of it to validate and to be judged on."""
    photographs = [np.asarray(one.convert("L")) for one in sources.photographs().values()][:10]
    random = np.random.default_rng(20261130)
    lessons: list[tuple[NDArray[np.uint8], int]] = []
    truth: list[str] = []
    test = folder / "test"
    test.mkdir(parents=True)
    for label, photograph in enumerate(photographs):
        middle = int(photograph.shape[1] * 0.6)
        left, right = photograph[:, :middle], photograph[:, middle:]
        for split, count in (("train", LABELLED), ("unlabeled", LEARN - LABELLED), ("val", VAL)):
            where = folder / "data" / split
            where = where if split == "unlabeled" else where / str(label)
            where.mkdir(parents=True, exist_ok=True)
            part = right if split == "val" else left
            for number in range(count):
                _save(_cut(part, random), where / f"{label}-{number:03d}.png")
        lessons += [(_cut(left, random), label) for _ in range(TEACH)]
        for number in range(TEST):
            _save(_cut(right, random), test / f"{label}-{number:03d}.png")
            truth.append(str(label))
    images_NHW = np.stack([image for image, _ in lessons])
    labels_N = np.array([label for _, label in lessons])
    taught = Digits(images_NHW, labels_N, np.zeros(len(labels_N), bool))
    teacher = folder / "teacher"
    digits_teacher.make_teacher(teacher, taught, digits_teacher.TeacherRecipe(epochs=20))
    return PatchData(folder, teacher, test, tuple(truth))


def _cut(photograph_HW: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    side = min(PATCH, *photograph_HW.shape)
    top, left = (int(random.integers(0, edge - side + 1)) for edge in photograph_HW.shape)
    patch = Image.fromarray(photograph_HW[top : top + side, left : left + side])
    return np.asarray(patch.resize((SIDE, SIDE), Image.Resampling.BOX))


def _save(image_HW: NDArray[np.uint8], file: Path) -> None:
    Image.fromarray(image_HW).save(file)


if __name__ == "__main__":
    for one in measure():
        print(one.claim, "|", one.measured, "|", one.note, flush=True)
