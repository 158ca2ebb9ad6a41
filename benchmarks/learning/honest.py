"""The report's accuracy and calibration error against the same computed from `predict`.

A data set with a test split; both splits are predicted again by the model that was saved, and the
figures computed by other code. They must agree to a millionth.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.engine import changed, run
from benchmarks.learning import digits, figures
from benchmarks.learning.compare import Effort, Line

CLOSE = 1e-6
FIGURES = ("accuracy", "ece", "nll")


def measure(folder: Path, effort: Effort) -> list[Line]:
    data = digits.prepare(folder, effort)
    here = digits.data(folder, 0)
    parts = {"val": digits.parts()[1], "test": digits.parts()[0]}
    for number, (image, label) in enumerate(
        zip(parts["test"].images_NHW, parts["test"].labels_N, strict=True)
    ):
        where = here / "test" / str(label)
        where.mkdir(parents=True, exist_ok=True)
        digits.enlarged(image).save(where / f"{number:04d}.png")
    spec = data.spec("honest", 0)
    done = run(changed(spec, optim={"epochs": effort.epochs(spec.optim.epochs)}))
    student = done.report.student
    assert student.test is not None, "the data set has a test split"
    reported = {"val": student.measured.metrics, "test": student.test.metrics}
    lines = []
    for split, metrics in reported.items():
        files = sorted((here / split).rglob("*.png"))
        labels = [file.parent.name for file in files]
        found = figures.classes(Path(spec.run.output_dir) / "final_model", files, labels)
        for name in FIGURES:
            apart = abs(metrics[name] - found[name])
            how = f"the report's {metrics[name]:.8f}, from predict {found[name]:.8f}"
            if apart > CLOSE:
                how += f": NOT equal to {CLOSE:g}"
            lines.append(Line("honest", f"taught, {split}", name, (found[name],), how=how))
    return lines
