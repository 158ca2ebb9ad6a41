"""What a run says of its teacher before the first step and at its end: a good one, one that is
untrained, one that learnt shuffled labels, and one that knows no more than the student's labels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.engine import Ran, changed, run
from benchmarks.learning import digits
from benchmarks.learning.compare import Effort, Line
from benchmarks.learning.specs import make_spec
from tandem.spec.event import Epoch, Notice
from tandem.spec.run import OptimSpec, StudentSpec, TeacherSpec
from tandem.train.demo import digits as demo_digits
from tandem.train.demo import digits_teacher
from tandem.train.demo.small_qwen import build

EPOCHS = 3


def measure(folder: Path, effort: Effort) -> list[Line]:
    bench = digits.prepare(folder, effort)
    known: dict[str, object] = {
        "image_size": digits_teacher.PIXELS,
        "precision": "fp32",
        "batch_size": 128,
    }
    shape = digits_teacher.SHAPE
    untrained = build(
        folder / "untrained",
        depth=shape.depth,
        hidden=shape.hidden,
        full_attention=shape.full_attention,
        text_hidden=shape.text_hidden,
    )
    teachers: dict[str, dict[str, object]] = {
        "good": known | {"path": str(bench.teacher)},
        "untrained": known | {"path": str(untrained)},
        "shuffled labels": known | {"path": str(_shuffled(folder, effort))},
        "in-family, the same labels": {"path": str(_of_family(folder, effort))},
    }
    return [_line(bench, name, fields, effort) for name, fields in teachers.items()]


def _line(bench: digits.DigitData, name: str, teacher: dict[str, object], effort: Effort) -> Line:
    spec = changed(
        bench.spec(name.replace(" ", "-"), 0),
        teacher=TeacherSpec.model_validate(teacher).model_dump(),
        optim={"epochs": effort.epochs(EPOCHS)},
        report={"baseline": True},
    )
    done = run(spec)
    model = Path(spec.run.output_dir) / "final_model"
    verdict = done.report.verdict
    after = " ".join(filter(None, (verdict.sentence, verdict.warning))) if verdict else "–"
    accuracy = bench.figures(model)["accuracy"]
    how = f"before: {' '.join(_before(done)) or '–'} after: {after}"
    return Line("teachers", f"taught by: {name}", "accuracy", (accuracy,), how=how)


def _before(done: Ran) -> list[str]:
    """What is said of the teacher before the first epoch ends."""
    said = []
    for event in done.events:
        if isinstance(event, Epoch):
            break
        if isinstance(event, Notice) and "teacher" in event.message.lower():
            said.append(event.message)
    return said


def _shuffled(folder: Path, effort: Effort) -> Path:
    teach = digits.parts()[3]
    lessons = demo_digits.Digits(
        np.stack([np.asarray(digits.enlarged(one)) for one in teach.images_NHW]),
        np.random.default_rng(0).permutation(teach.labels_N),
        np.zeros(len(teach), bool),
    )
    recipe = digits_teacher.TeacherRecipe(epochs=effort.epochs(6))
    return digits_teacher.make_teacher(folder / "shuffled", lessons, recipe)


def _of_family(folder: Path, effort: Effort) -> Path:
    """A ResNet-34 that learnt from the student's own 100 labels."""
    spec = make_spec(
        folder,
        "in-family",
        data=digits.data(folder, 0),
        size=digits.SIDE,
        student=StudentSpec(type="resnet", size="resnet34"),
        teacher=None,
        optim=OptimSpec(epochs=effort.epochs(40), batch_size=32, learning_rate=1e-3),
    )
    run(spec)
    return Path(spec.run.output_dir) / "final_model"
