"""Masks of digits on photographs: 8 masks and 88 pictures without, a teacher that saw 160."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.engine import changed, run
from benchmarks.learning import figures
from benchmarks.learning.compare import Effort, Line, Variant, lines, train
from benchmarks.learning.scenes import CLASSES, Painter, Scene
from benchmarks.learning.specs import frozen_views, make_spec
from tandem.spec.run import LossSpec, OptimSpec, RunSpec, StudentSpec, TeacherSpec

SIDE, MANY, FEW, LEARN, VAL, TEST = 48, 160, 8, 96, 24, 120
EPOCHS = 8
OPTIM = OptimSpec(epochs=EPOCHS, batch_size=8, learning_rate=1e-3)
LOSS = LossSpec(hard_label_weight=1.0, soft_label_weight=4.0, temperature=1.0, feature_weight=0.2)


def measure(folder: Path, effort: Effort) -> list[Line]:
    test, val = Painter(0, SIDE, 1).scenes(TEST), Painter(1, SIDE, 2).scenes(VAL)
    judged = folder / "judged"
    judged.mkdir(parents=True)
    files = [judged / f"{number:03d}.png" for number in range(TEST)]
    for file, scene in zip(files, test, strict=True):
        scene.image.save(file)
    write(folder / "many", Painter(3, SIDE, 3).scenes(MANY), val, MANY)
    for seed in effort.seeds:
        write(folder / f"few-{seed}", Painter(2, SIDE, 10 + seed).scenes(LEARN), val, FEW)

    def spec(name: str, data: str, teacher: Path | None) -> RunSpec:
        return make_spec(
            folder,
            name,
            data=folder / data,
            size=SIDE,
            student=StudentSpec(type="unet", size="unet-small"),
            teacher=TeacherSpec(path=str(teacher), image_size=SIDE) if teacher else None,
            optim=OPTIM,
            loss=LOSS,
        )

    lesson = changed(spec("teacher", "many", None), optim={"epochs": effort.epochs(EPOCHS)})
    run(lesson)
    teacher = Path(lesson.run.output_dir) / "final_model"

    def taught(name: str, seed: int) -> RunSpec:
        return spec(f"{name}-{seed}", f"few-{seed}", teacher)

    variants = [
        Variant("taught", lambda seed: taught("taught", seed), "a UNet-small that saw 160 masks"),
        Variant(
            "taught, 1 frozen view",
            lambda seed: frozen_views(taught("taught", seed), f"single-{seed}", 1),
        ),
        Variant(
            "taught, 16 frozen views",
            lambda seed: frozen_views(taught("taught", seed), f"many-{seed}", 16),
        ),
    ]
    truth_NHW = np.stack([scene.mask_HW for scene in test])
    train(variants, lambda model: figures.masks(model, files, truth_NHW, len(CLASSES)), effort)
    return lines("masks", variants, ("miou",))


def write(folder: Path, learn: list[Scene], val: list[Scene], masks: int) -> None:
    """`images`, `masks`, `classes.txt`; the first `masks` of train have one."""
    for split, scenes, known in (("train", learn, masks), ("val", val, len(val))):
        for below in ("images", "masks"):
            (folder / below / split).mkdir(parents=True)
        for number, scene in enumerate(scenes):
            scene.image.save(folder / "images" / split / f"{number:04d}.png")
            if number < known:
                mask = Image.fromarray(scene.mask_HW)
                mask.save(folder / "masks" / split / f"{number:04d}.png")
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
