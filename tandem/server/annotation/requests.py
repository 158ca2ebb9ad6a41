"""From a request to a job: the model found, every path inside its root, or refused."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import RowMapping, select

from tandem.server.annotation.schemas import Submit
from tandem.server.context import Context
from tandem.server.db.tables import DatasetVersion, Task
from tandem.server.errors import ConflictError, InvalidError, Problem
from tandem.server.models.allowed_paths import model_of
from tandem.server.tasks import queries
from tandem.server.tasks.creation.allowed_paths import inside
from tandem.server.tasks.service import missing
from tandem.spec.annotation import AnnotationSpec
from tandem.spec.i18n import t
from tandem.spec.state import State

PREFIX = "distillation_"
"""Before a task's id, in the old console's selector of models."""


def annotation_of(
    context: Context, said: Submit, inference_id: str
) -> tuple[AnnotationSpec, RowMapping]:
    """The job, and the row of the task whose model it uses."""
    row = _trained(context, _required(said))
    dataset = None if said.dataset_id is None else _dataset(context, str(said.dataset_id))
    settings = context.settings
    run_dir = settings.output_root / inference_id
    if said.input_dir is not None:
        place = inside("inputDir", said.input_dir, settings.datasets_root, settings.output_root)
    elif dataset is not None:
        place = dataset
    else:
        raise _problem("inputDir", t("{field} is missing.", field="inputDir"))
    if not place.exists():
        raise _problem("inputDir", t("There is nothing at {path}.", path=place))
    output = run_dir / "labels"
    if said.output_dir is not None:
        output = inside("outputDir", said.output_dir, settings.output_root, settings.datasets_root)
    wanted = True if said.auto_import is None else said.auto_import
    spec = AnnotationSpec(
        task_id=inference_id,
        model=model_of(context, row),
        model_name=(row["task_name"] or row["task_id"])[:255],
        trained_by=row["task_id"],
        input=place,
        output=output,
        run_dir=run_dir,
        writer=said.format or "",
        threshold=said.threshold,
        batch_size=said.batch_size or 8,
        video_every=said.video_every or 1,
        dataset=dataset,
        auto_import=wanted and dataset is not None,
    )
    return spec, row


def _required(said: Submit) -> str:
    if not said.task_id:
        raise _problem("taskId", t("{field} is missing.", field="taskId"))
    return said.task_id.removeprefix(PREFIX)


def _trained(context: Context, task_id: str) -> RowMapping:
    with context.database.read() as session:
        row = queries.one(session, task_id)
    if row is None:
        raise missing(task_id)
    if row["status"] != State.COMPLETED:
        raise ConflictError(
            "It is {state}: only a completed task has a model.",
            state=row["status"],
            fix="Choose one of the completed models.",
        )
    return row


def _dataset(context: Context, asked: str) -> Path:
    """Its folder; ConflictError where a version is asked for that is no longer on the disk."""
    name, at, number = asked.rpartition("@")
    if not at or not number.isdigit():
        name, number = asked, ""
    path = inside("datasetId", name, context.settings.datasets_root)
    if not path.is_dir():
        raise _problem("datasetId", t("There is no data set {name}.", name=name))
    if number:
        newest = select(DatasetVersion.number).where(DatasetVersion.name == name)
        with context.database.read() as session:
            there = session.scalar(newest.order_by(DatasetVersion.number.desc()).limit(1))
        if there != int(number):
            raise ConflictError(
                "The data set {name} is not at version {number} but at {there}.",
                name=name,
                number=number,
                there=there or "-",
                fix="Leave the version out, or bring the data set back to it.",
            )
    return path


def _problem(field: str, problem: str) -> InvalidError:
    fault: Problem = {"field": field, "problem": problem}
    return InvalidError([fault])


def row_of(spec: AnnotationSpec, trained: RowMapping) -> dict[str, object]:
    """What the job's row in the tasks' table holds, hidden from who asks for tasks."""
    columns = {column.name for column in Task.__table__.columns}
    taken = {
        name: trained[name]
        for name in ("teacher_model", "student_model", "student_model_type", "task_type")
        if name in trained and name in columns
    }
    return taken | {
        "task_name": f"{spec.model_name}: {spec.input.name}"[:255],
        "model_path": str(spec.model)[:500],
        "dataset_id": None if spec.dataset is None else spec.dataset.name[:100],
        "batch_size": spec.batch_size,
        "total_epochs": 1,
        "status": State.PENDING,
    }
