"""Which of 14 photographs a patch is cut from: 10 labels each, the other patches without.

Patches of 32 px lie in columns that no two splits share: the left half of a photograph is learnt
from, the right quarter is judged on. The teacher is a ResNet-18 of Tandem's own that learnt from
all labels of the left half.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.engine import changed, run
from benchmarks.learning import figures, sources
from benchmarks.learning.compare import Effort, Line, Variant, lines, train
from benchmarks.learning.specs import frozen_views, make_spec
from tandem.spec.run import OptimSpec, RunSpec, StudentSpec, TeacherSpec

SIDE, HEIGHT, PATCH = 32, 192, 32
LABELS, LEARN, VAL, TEST = 10, 50, 12, 40
SPLITS = {"train": (0.0, 0.5, LEARN), "val": (0.5, 0.7, VAL), "test": (0.7, 1.0, TEST)}
"""Where a split's columns begin and end in a photograph, and its patches of each."""
EPOCHS = 5


def measure(folder: Path, effort: Effort) -> list[Line]:
    photographs = sources.photographs()
    test, truth = _patches(photographs, folder / "judged", "test")
    write(photographs, folder / "all", LEARN, seed=0)
    for seed in effort.seeds:
        write(photographs, folder / f"few-{seed}", LABELS, seed)

    def spec(name: str, data: str, teacher: Path | None) -> RunSpec:
        return make_spec(
            folder,
            name,
            data=folder / data,
            size=SIDE,
            student=StudentSpec(type="resnet", size="resnet18"),
            teacher=TeacherSpec(path=str(teacher), precision="fp32") if teacher else None,
            optim=OptimSpec(epochs=EPOCHS, batch_size=32, learning_rate=1e-3),
        )

    lesson = changed(spec("teacher", "all", None), optim={"epochs": effort.epochs(EPOCHS)})
    run(lesson)
    teacher = Path(lesson.run.output_dir) / "final_model"

    def taught(name: str, seed: int) -> RunSpec:
        return spec(f"{name}-{seed}", f"few-{seed}", teacher)

    variants = [
        Variant("taught", lambda seed: taught("taught", seed), "as Tandem does by itself"),
        Variant(
            "taught, 1 frozen view",
            lambda seed: frozen_views(taught("taught", seed), f"single-{seed}", 1),
        ),
        Variant(
            "taught, 16 frozen views",
            lambda seed: frozen_views(taught("taught", seed), f"many-{seed}", 16),
        ),
    ]
    train(variants, lambda model: figures.classes(model, test, truth), effort)
    return lines("photographs", variants, ("accuracy", "macro_f1"))


def write(photographs: dict[str, Image.Image], folder: Path, labels: int, seed: int) -> None:
    """`train/<name>`, `unlabeled`, `val/<name>`: `labels` patches of each keep their name."""
    random = np.random.default_rng(seed)
    for name, image in photographs.items():
        kept = set(random.permutation(LEARN)[:labels].tolist())
        for number, patch in enumerate(_cut(image, "train")):
            where = folder / (f"train/{name}" if number in kept else "unlabeled")
            where.mkdir(parents=True, exist_ok=True)
            patch.save(where / f"{name}-{number:03d}.png")
    _patches(photographs, folder / "val", "val", by_class=True)


def _patches(
    photographs: dict[str, Image.Image], folder: Path, split: str, by_class: bool = False
) -> tuple[list[Path], list[str]]:
    files, names = [], []
    for name, image in photographs.items():
        where = folder / name if by_class else folder
        where.mkdir(parents=True, exist_ok=True)
        for number, patch in enumerate(_cut(image, split)):
            files.append(where / f"{name}-{number:03d}.png")
            patch.save(files[-1])
            names.append(name)
    return files, names


def _cut(image: Image.Image, split: str) -> list[Image.Image]:
    """The split's patches, always the same ones."""
    begin, end, count = SPLITS[split]
    width = max(round(image.width * HEIGHT / image.height), HEIGHT)
    image = image.resize((width, HEIGHT), Image.Resampling.BICUBIC)
    random = np.random.default_rng(sum(map(ord, split)))
    left, right = round(width * begin), max(round(width * end) - PATCH, round(width * begin) + 1)
    made = []
    for _ in range(count):
        x, y = int(random.integers(left, right)), int(random.integers(0, HEIGHT - PATCH))
        made.append(image.crop((x, y, x + PATCH, y + PATCH)))
    return made
