"""`tandem evaluate MODEL DATASET`."""

from __future__ import annotations

from pathlib import Path

from tandem.commands.models.annotate import find_any_model
from tandem.commands.terminal import print_json, print_status, print_table
from tandem.config.settings import load
from tandem.spec.errors import UserInputError
from tandem.spec.i18n import t
from tandem.spec.report import ModelEvaluation, SplitName, means_note

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")


def evaluate(
    model: str, dataset: str, split: str = "", layout: str = "", as_json: bool = False
) -> None:
    """Measure it, and print the figures with how sure they are."""
    from tandem.predict.evaluation.evaluate import EvaluationQuery
    from tandem.predict.evaluation.evaluate import evaluate as measure
    from tandem.train.types import SilentProgress

    query = EvaluationQuery(
        find_any_model(model), _dataset(dataset), _split(split), layout=layout or None
    )
    made = measure(query, SilentProgress())
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        _print(made)


def _dataset(name: str) -> Path:
    written = Path(name).expanduser()
    under_root = load().path("datasets_root") / name
    for path in (written, under_root):
        if path.is_dir():
            return path.absolute()
    raise UserInputError(
        "There is no data set {name}: neither {written} nor {under_root} is there.",
        name=name,
        written=written.absolute(),
        under_root=under_root,
        fix="Name the folder of a data set.",
    )


def _split(name: str) -> SplitName | None:
    for one in SPLITS:
        if name == one:
            return one
    if name:
        raise UserInputError("There is no split {name}.", name=name, allowed=SPLITS)
    return None


def _print(made: ModelEvaluation) -> None:
    rows = []
    for name, value in made.measured.metrics.items():
        low, high = made.measured.intervals.get(name, (None, None))
        between = "" if low is None else f"{low:.4f} – {high:.4f}"
        rows.append([t(name), f"{value:.4f}", between])
    title = t(
        "{samples} samples of the {split} split of {dataset}",
        samples=made.samples,
        split=made.split,
        dataset=made.dataset,
    )
    print_table(title, ["figure", "value", "in 95 of 100 such sets"], rows)
    for note in (*made.notes, means_note(made.measured.details)):
        if note is not None:
            print_status(note)
