"""`tandem demo`: real pictures, a small teacher, a student taught by it and the same one without.

Everything goes through the engine as a user's own run does; only the data and the teacher are made
here. What is there from an earlier demonstration is used again.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from tandem.spec.run import RunSpec
from tandem.spec.words import t
from tandem.train import report
from tandem.train.__main__ import main as train
from tandem.train.demo import digits, teach
from tandem.train.demo.recipe import DATASET, make_spec
from tandem.train.demo.summary import print_summary
from tandem.train.run_folder import SPEC
from tandem.train.sinks.lines import duration
from tandem.train.sinks.stdout import stdout
from tandem.train.types import Watcher


def main(home: Path, seeds: int = 3, output: Path | None = None) -> int:
    """Run it all under `home` (TANDEM_HOME) and print the comparison; 0, or the trainer's code.

    The runs go to `output`, or `<home>/demo/runs`.
    """
    began = time.perf_counter()
    demo = home.absolute() / "demo"
    datasets, teacher = _prepare(demo)
    runs = [(output or demo / "runs").absolute() / f"demo-seed-{seed}" for seed in range(seeds)]
    for seed, folder in enumerate(runs):
        print(
            "\n" + t("Run {number} of {count}: taught, then without the teacher.",
                     number=seed + 1, count=seeds),
            flush=True,
        )  # fmt: skip
        spec = make_spec(
            folder, datasets=datasets, teacher=teacher, cache=home.absolute() / "cache", seed=seed
        )
        code = _train(spec, ours=output is None)
        if code != 0:
            return code
    reports = [report.read(folder) for folder in runs]
    print_summary(reports, runs, teacher)
    print(t("All of it took {duration}.", duration=duration(time.perf_counter() - began)))
    return 0


def _prepare(demo: Path) -> tuple[Path, Path]:
    """The datasets root and the teacher's folder, made where they are not there yet."""
    datasets, teacher = demo / "datasets", demo / "teacher"
    digits.write(datasets / DATASET)
    print(
        t("1,797 handwritten digits are in {path}: 100 with a label, 1,197 without, 500 to "
          "validate.", path=datasets / DATASET)
    )  # fmt: skip
    if not teacher.is_dir():
        print(t("Teaching a small Qwen2.5-VL its digits first; that is its pretraining."))
    watcher = _Terminal()
    teach.teach(teacher, digits.load(), watcher=watcher)
    watcher.close()
    print(
        t("The teacher in {path} stands in for a pretrained one: nothing is downloaded here. To "
          "use a real one on your own pictures: {command}", path=teacher, command=REAL_TEACHER),
        flush=True,
    )  # fmt: skip
    return datasets, teacher


REAL_TEACHER = (
    "tandem train --teacher_model qwen2.5-vl-7b --teacher_path /models/Qwen2.5-VL-7B-Instruct "
    "--student_model resnet/resnet18 --datasets_root /data --dataset_id mine --output_dir runs/mine"
)


def _train(spec: RunSpec, *, ours: bool) -> int:
    """The engine on this spec, in this process; resumes a run that was stopped."""
    folder = spec.run.output_dir
    file = folder.with_name(f".{folder.name}.json")
    text = spec.model_dump_json(indent=1)
    folder.parent.mkdir(parents=True, exist_ok=True)
    before = folder / SPEC
    if ours and before.is_file() and before.read_text(encoding="utf-8") != text:
        shutil.rmtree(folder)  # an older version's demonstration
    file.write_text(text, encoding="utf-8")
    try:
        return train([str(file)])
    finally:
        file.unlink(missing_ok=True)


class _Terminal(Watcher):
    """Shows progress where there is no run yet, as a run does."""

    def __init__(self) -> None:
        self.sink = stdout()

    def notice(self, message: str, warning: bool = False) -> None:  # noqa: ARG002
        print(message, flush=True)

    def progress(self, doing: str, done: int, total: int) -> None:
        self.sink.progress(doing, done, total)

    def close(self) -> None:
        self.sink.close()
