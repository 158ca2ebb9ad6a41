"""Runs of the real engine, in this process, and what their events said."""

from __future__ import annotations

import contextlib
import io
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.spec.event import Epoch, Event, parse
from tandem.spec.report import RunReport
from tandem.spec.run import RunSpec
from tandem.train.__main__ import main
from tandem.train.demo import digits, digits_teacher
from tandem.train.pipeline import report


@dataclass(frozen=True)
class Ran:
    """A finished run."""

    report: RunReport
    events: list[Event]

    @property
    def epochs(self) -> list[Epoch]:
        return [event for event in self.events if isinstance(event, Epoch)]

    @property
    def accuracy(self) -> float:
        """Of the student on val, best epoch; of boxes mAP at IoU 0.5."""
        return self.report.student.measured.accuracy or 0.0

    @property
    def baseline_accuracy(self) -> float:
        assert self.report.baseline is not None
        return self.report.baseline.measured.accuracy or 0.0

    def said(self) -> str:
        """One line for the person who waits."""
        alone = f", alone {self.baseline_accuracy:.3f}" if self.report.baseline else ""
        return f"val accuracy {self.accuracy:.3f}{alone}, {self.report.seconds:.0f} s"

    def images_per_second(self, skip: int = 1) -> float:
        """Median over the epochs but the first `skip`."""
        return statistics.median(one.images_per_second for one in self.epochs[skip:])


def run(spec: RunSpec) -> Ran:
    """Train; RuntimeError with what was printed when the trainer's exit code is not 0."""
    folder = Path(spec.run.output_dir)
    folder.parent.mkdir(parents=True, exist_ok=True)
    file = folder.with_name(f"{folder.name}.json")
    file.write_text(spec.model_dump_json(), encoding="utf-8")
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main([str(file)])
    if code != 0:
        raise RuntimeError(f"the trainer ended with {code}:\n{said.getvalue()[-3000:]}")
    lines = (folder / "events.jsonl").read_bytes().splitlines()
    ran = Ran(report.read(folder), [parse(line) for line in lines])
    print(f"    {folder.name}: {ran.said()}", flush=True)
    return ran


def changed(spec: RunSpec, **sections: Mapping[str, Any]) -> RunSpec:
    """The spec with fields of its sections replaced, checked again."""
    tree = spec.model_dump()
    for name, fields in sections.items():
        tree[name] = {**(tree[name] or {}), **fields}
    return RunSpec.model_validate(tree)


@dataclass(frozen=True)
class Room:
    """A temporary folder with the demonstration's data and teacher in it."""

    folder: Path
    datasets: Path
    teacher: Path


@contextmanager
def room(recipe: digits_teacher.TeacherRecipe | None = None) -> Iterator[Room]:
    """Digits in `datasets/digits`, and the teacher after `lesson`; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        digits.write(folder / "datasets" / "digits")
        digits_teacher.make_teacher(
            folder / "teacher", digits.load(), recipe or digits_teacher.TeacherRecipe()
        )
        yield Room(folder, folder / "datasets", folder / "teacher")
