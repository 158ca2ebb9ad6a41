"""Where a task's model lies on the disk: inside the runs or the models, or refused."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import RowMapping

from tandem.server.context import Context
from tandem.server.db.sample_rows import is_sample
from tandem.server.errors import ConflictError, ForbiddenError, RequestError
from tandem.server.host.paths import really_below

REPORT, CONFIG = "report.json", "config.json"


def model_of(context: Context, row: RowMapping) -> Path:
    """The model's folder or file; below the runs or the models, whatever the row says."""
    if is_sample(row):
        raise ConflictError(
            "{task_id} is sample data: nothing of it runs, and it has no model.",
            task_id=row["task_id"],
            fix="Choose a model that was trained or imported.",
        )
    settings = context.settings
    roots = (settings.output_root, settings.everything.path("models_root"))
    path = Path(row["model_path"] or settings.output_root / row["task_id"] / "final_model")
    if really_below(path, *roots) is not None:
        return _usable(path)
    raise ForbiddenError(
        "The model of {task_id} lies outside of the folders that may be used.",
        task_id=row["task_id"],
        fix="Bring it in by `tandem models import`.",
    )


def _usable(path: Path) -> Path:
    for one in (path, path / "final_model"):
        if (one / CONFIG).is_file() or (one.is_file() and one.suffix.lower() == ".onnx"):
            return one
    raise ConflictError(
        "{path} is no model that Tandem can use.",
        path=path,
        fix="Bring it in by `tandem models import`.",
    )


def found(context: Context, row: RowMapping) -> Path | None:
    """The same; None where its files are not there."""
    try:
        return model_of(context, row)
    except RequestError:
        return None


def home_of(model: Path) -> Path:
    """The folder that the model's own lies in, where its exports go: the run's, or the model's."""
    if model.is_file():
        return model.parent
    return model.parent if model.name == "final_model" else model
