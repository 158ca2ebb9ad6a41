"""`tandem annotate MODEL INPUT -o OUT`: a job of the service, in the foreground."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tandem.commands.models.locate import find_model
from tandem.commands.terminal import print_status
from tandem.config.settings import load
from tandem.spec.annotation import ITEMS, AnnotationSpec
from tandem.spec.errors import UserInputError
from tandem.spec.i18n import t

FOLDER = ".tandem-job"
"""The folder of a job's journal, in its output."""


def annotate(
    model: str,
    source: Path,
    output: Path,
    *,
    format: str = "",
    thresholds: Sequence[str] = (),
    batch_size: int = 8,
    dataset: Path | None = None,
    auto_import: bool = False,
    with_images: bool = True,
    video_every: int = 1,
    folder: str = FOLDER,
) -> int:
    """Run it, or go on with it; 75 when it was stopped."""
    path = find_any_model(model)
    if auto_import and dataset is None:
        dataset = source
    spec = AnnotationSpec(
        task_id=output.absolute().name[:64] or "job",
        model=path,
        model_name=model_name(path),
        input=source.absolute(),
        output=output.absolute(),
        run_dir=output.absolute() / folder,
        writer=format,
        threshold=parse_thresholds(thresholds),
        batch_size=batch_size,
        dataset=None if dataset is None else dataset.absolute(),
        auto_import=auto_import,
        pictures=with_images,
        video_every=video_every,
    )
    from tandem.predict.__main__ import execute
    from tandem.predict.annotation.items_file import problems
    from tandem.train.engines.stop import StopRequest

    stop = StopRequest()
    stop.listen()
    code = execute(spec, stop, _show_progress)
    if sys.stderr.isatty():
        print_status("")
    if code == 0:
        failed = list(problems(spec.run_dir / ITEMS))
        for sentence in failed:
            print_status(sentence)
        print_status(
            t("The labels are in {path}; {count} items failed.", path=output, count=len(failed))
        )
    return code


def find_any_model(name: str) -> Path:
    """A trained model by its path or its run, or an imported one by its name."""
    imported = load().path("models_root") / name
    if name and (imported / "config.json").is_file():
        return imported
    if name and (imported / "model.onnx").is_file():
        return imported / "model.onnx"
    return find_model(name)


def model_name(path: Path) -> str:
    """What its labels say they are from: the run's name, or the file's."""
    folder = path.parent if path.name in ("final_model", "model.onnx") else path
    return (folder.stem if path.is_file() else folder.name)[:255] or "model"


def parse_thresholds(given: Sequence[str]) -> float | dict[str, float] | None:
    """`0.5` for all classes, `cat=0.7` for one; SpecError for what is neither."""
    by_class: dict[str, float] = {}
    for_all = None
    for one in given:
        name, named, number = one.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise UserInputError(
                "{got!r} is no threshold.", got=one, allowed=["0.5", "cat=0.7"],
                fix="Give a number from 0 to 1, or a class and a number.",
            )  # fmt: skip
        if named:
            by_class[name] = value
        else:
            for_all = value
    if by_class and for_all is not None:
        raise UserInputError(
            "A threshold is given for all classes and for some.",
            fix="Give the one or the others.",
        )
    return by_class or for_all


def _show_progress(done: int, failed: int, total: int) -> None:
    line = t("{done} of {total}, {failed} failed", done=done, total=total, failed=failed)
    if sys.stderr.isatty():
        print(f"\r{line}", end="", file=sys.stderr, flush=True)
    else:
        print_status(line)
