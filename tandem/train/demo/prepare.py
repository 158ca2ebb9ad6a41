"""What the demonstration needs before its first run: real pictures, and a small teacher."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tandem.spec.i18n import t
from tandem.train.demo import digits, digits_teacher
from tandem.train.demo.recipe import make_spec
from tandem.train.sinks.stdout import stdout
from tandem.train.types import ProgressReporter


def prepare(dataset: Path, teacher: Path) -> None:
    """The digits and the teacher's folder, made where they are not there yet."""
    digits.write(dataset)
    print(
        t("1,797 handwritten digits are in {path}: 100 with a label, 1,197 without, 500 to "
          "validate.", path=dataset)
    )  # fmt: skip
    if not teacher.is_dir():
        print(t("Teaching a small Qwen2.5-VL its digits first; that is its pretraining."))
    watcher = _Terminal()
    digits_teacher.make_teacher(teacher, digits.load(), progress=watcher)
    watcher.close()
    print(
        t("The teacher in {path} stands in for a pretrained one: nothing is downloaded here. To "
          "use a real one on your own pictures: {command}", path=teacher, command=REAL_TEACHER),
        flush=True,
    )  # fmt: skip


REAL_TEACHER = (
    "tandem train --teacher_model qwen2.5-vl-7b --teacher_path /models/Qwen2.5-VL-7B-Instruct "
    "--student_model resnet/resnet18 --datasets_root /data --dataset_id mine --output_dir runs/mine"
)


def make_request(dataset: Path, teacher: Path, seed: int) -> dict[str, object]:
    """A run of the demonstration as it is sent to a service, which fills in where it goes."""
    nowhere = dataset / "nowhere"
    spec = make_spec(
        nowhere,
        datasets=dataset.parent,
        dataset=dataset.name,
        teacher=teacher,
        cache=nowhere,
        seed=seed,
    )
    return spec.model_dump(
        mode="json", exclude={"task_id": True, "run": {"output_dir"}, "cache": {"root"}}
    )


def recipe_of(request: dict[str, object]) -> str:
    """Tells a run of this version's demonstration from another's."""
    text = json.dumps(request, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class _Terminal(ProgressReporter):
    """Shows progress where there is no run yet, as a run does."""

    def __init__(self) -> None:
        self.sink = stdout()

    def notice(self, message: str, warning: bool = False) -> None:  # noqa: ARG002
        print(message, flush=True)

    def progress(self, doing: str, done: int, total: int) -> None:
        self.sink.progress(doing, done, total)

    def close(self) -> None:
        self.sink.close()
