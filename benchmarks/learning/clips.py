"""Two digits of MNIST one after the other: does the number rise or fall? Clips of six frames.

24 labels and 176 clips without. The student's frame features are a ResNet-50 that Tandem taught
the digits of the teacher's part first, and stay as they are; what is learnt is the order. The
teacher is the demonstration's small Qwen tower that learnt the same digits; it sees each frame.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from benchmarks.engine import changed, run
from benchmarks.learning import digits, figures, sources
from benchmarks.learning.compare import Effort, Line, Variant, lines, train
from benchmarks.learning.specs import frozen_views, make_spec
from tandem.spec.run import OptimSpec, RunSpec, StudentSpec, TeacherSpec
from tandem.train.demo import digits_teacher

SIDE, FRAMES, LABELLED, LEARN, VAL, TEST = 32, 6, 24, 200, 40, 200
EPOCHS, FEATURE_EPOCHS = 6, 2
NAMES = ("falls", "rises")


def measure(folder: Path, effort: Effort) -> list[Line]:
    bench = digits.prepare(folder / "digits", effort)
    test, learn = digits.parts()[0], digits.parts()[2]
    judged, truth = _write(folder / "judged", test, TEST, seed=1)
    for seed in effort.seeds:
        write(folder / f"clips-{seed}", learn, seed)
    features = _features(folder, effort)

    def spec(name: str, seed: int) -> RunSpec:
        return make_spec(
            folder,
            f"{name}-{seed}",
            data=folder / f"clips-{seed}",
            size=SIDE,
            student=StudentSpec(
                type="lstm",
                size="lstm-small",
                frames=FRAMES,
                init="pretrained",
                path=str(features),
            ),
            teacher=TeacherSpec(
                path=str(bench.teacher),
                image_size=digits_teacher.PIXELS,
                precision="fp32",
                batch_size=128,
            ),
            optim=OptimSpec(epochs=EPOCHS, batch_size=16, learning_rate=1e-3),
        )

    variants = [
        Variant("taught", lambda seed: spec("taught", seed), "as Tandem does by itself"),
        Variant(
            "taught, 1 frozen view",
            lambda seed: frozen_views(spec("taught", seed), f"single-{seed}", 1),
        ),
    ]
    train(variants, lambda model: figures.classes(model, judged, truth), effort)
    return lines("clips", variants, ("accuracy",))


def _features(folder: Path, effort: Effort) -> Path:
    """A ResNet-50 that has learnt the digits of the teacher's part."""
    _, val, _, teach = digits.parts()
    data = folder / "frames"
    for split, some in (("train", teach), ("val", val)):
        for number, (image, label) in enumerate(zip(some.images_NHW, some.labels_N, strict=True)):
            where = data / split / str(label)
            where.mkdir(parents=True, exist_ok=True)
            digits.enlarged(image).save(where / f"{number:04d}.png")
    spec = make_spec(
        folder,
        "features",
        data=data,
        size=SIDE,
        student=StudentSpec(type="resnet", size="resnet50"),
        teacher=None,
        optim=OptimSpec(epochs=effort.epochs(FEATURE_EPOCHS), batch_size=64, learning_rate=1e-3),
    )
    run(changed(spec, data={"limit": 1.0 if effort.share == 1 else 0.2}))
    # As a ResNet-50's file names its weights: without our prefix, and without the head.
    weights = load_file(Path(spec.run.output_dir) / "final_model" / "model.safetensors")
    bare = {name.removeprefix("net."): value for name, value in weights.items()
            if name.startswith("net.") and not name.startswith("net.fc.")}  # fmt: skip
    save_file(bare, folder / "resnet50.safetensors")
    return folder / "resnet50.safetensors"


def write(folder: Path, some: sources.Images, seed: int) -> None:
    """`train/<class>/<clip>`, `unlabeled`, `val/<class>`: the first of train keep their label."""
    _write(folder / "train", some, LEARN, seed=100 + seed, labelled=LABELLED, by_class=True)
    _write(folder / "val", digits.parts()[1], VAL, seed=3, by_class=True)


def _write(
    folder: Path,
    some: sources.Images,
    count: int,
    seed: int,
    labelled: int | None = None,
    by_class: bool = False,
) -> tuple[list[Path], list[str]]:
    """Folders of frames: the first digit, then the second, each in a place of its own."""
    random = np.random.default_rng(seed)
    clips, names = [], []
    for number in range(count):
        one, other = _pair(some.labels_N, random, rises=number % 2 == 1)
        name = NAMES[int(some.labels_N[one] < some.labels_N[other])]
        where = folder
        if by_class:
            known = labelled is None or number < labelled
            where = folder / name if known else folder.parent / "unlabeled"
        clip = where / f"{number:04d}"
        clip.mkdir(parents=True)
        for frame in range(FRAMES):
            image = some.images_NHW[one if frame < FRAMES // 2 else other]
            moved = np.roll(
                np.asarray(digits.enlarged(image)),
                tuple(random.integers(-2, 3, 2).tolist()),
                axis=(0, 1),
            )
            Image.fromarray(moved).save(clip / f"{frame}.png")
        clips.append(clip)
        names.append(name)
    return clips, names


def _pair(labels_N: NDArray[np.int64], random: np.random.Generator, rises: bool) -> tuple[int, int]:
    """Rows of two digits of which the second is larger, or smaller."""
    while True:
        one, other = (int(row) for row in random.integers(0, len(labels_N), 2))
        if labels_N[one] != labels_N[other] and (labels_N[one] < labels_N[other]) == rises:
            return one, other
