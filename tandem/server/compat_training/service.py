"""Surface B in terms of tasks: a plain training is a task without a teacher."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, select

from tandem.config.settings import Settings
from tandem.server.artifacts import folder as folders
from tandem.server.compat_training.schemas import ModelOut, StartIn, StatusOut
from tandem.server.context import Context
from tandem.server.db.tables import DelFlag, Job, Task
from tandem.server.errors import ConflictError, InvalidError, LaterError
from tandem.server.tasks import service as tasks
from tandem.server.tasks.creation import create as creation
from tandem.server.tasks.creation.allowed_paths import inside
from tandem.spec.errors import StudentError
from tandem.spec.i18n import t
from tandem.spec.plugins.catalog import students
from tandem.spec.plugins.students import resolve
from tandem.spec.run import RunSpec
from tandem.spec.state import State

KINDS = {"image_classifier": "classification", "object_detector": "detection"}
GUIDE: Mapping[str, Mapping[str, int]] = {
    "image_classifier": {"epochs": 15, "batch_size": 16, "image_size": 224},
    "object_detector": {"epochs": 100, "batch_size": 16, "image_size": 640},
}
"""What the training guide recommends, where a request does not say."""
PATIENCE_EPOCHS = 10
"""What `early_stopping: true` means."""
ENDED = (State.COMPLETED, State.FAILED, State.STOPPED)
STATUS: Mapping[str, str] = {
    State.PENDING: "pending",
    State.QUEUED: "pending",
    State.PAUSED: "pending",
    State.RUNNING: "running",
    State.COMPLETED: "completed",
    State.FAILED: "failed",
    State.STOPPED: "cancelled",
}
MOST_LISTED = 1000
COLUMNS = (
    Task.task_id, Task.status, Task.progress, Task.current_epoch, Task.total_epochs, Task.loss,
    Task.accuracy, Task.best_accuracy, Task.learning_rate, Task.error_message, Task.start_time,
    Task.task_type,
    Task.end_time, Job.step, Job.total_steps, Job.metrics,
)  # fmt: skip


def start(context: Context, said: StartIn) -> str:
    """Create and queue it; the task's id. InvalidError, ForbiddenError, LaterError."""
    _check_type(said.model_type)
    settings = context.settings.everything
    tree, size = _tree(said, settings)
    folder = None
    if said.output_dir is not None:
        folder = inside("output_dir", said.output_dir, settings.path("output_root"))
        if folder.exists() and any(folder.iterdir()):
            raise ConflictError(
                "output_dir names a folder that holds something already.",
                fix="Name a new one, or leave it out.",
            )

    def make(task_id: str) -> creation.Made:
        made = creation.from_spec(tree, settings, task_id=task_id)
        made = replace(made, datasets={"dataset_path": made.datasets["data.dataset"]})
        return made if folder is None else _placed(made, folder)

    return tasks.create(
        context, make, name=f"{size} · {Path(said.dataset_path).name}"[:100], description=None,
        start=True,
    )  # fmt: skip


def _check_type(model_type: str) -> None:
    if model_type not in KINDS:
        raise LaterError(
            "Training of {type} comes in a later version.",
            type=model_type,
            allowed=KINDS,
            fix="Start an image_classifier or an object_detector.",
        )


def _tree(said: StartIn, settings: Settings) -> tuple[dict[str, object], str]:
    """The spec, and the size of its student."""
    try:
        kind, size = resolve("", said.base_model)
    except StudentError as error:
        raise InvalidError([{"field": "base_model", "problem": str(error)}]) from error
    known = students().get(kind)
    if known is None or KINDS[said.model_type] not in known["kinds"]:
        problem = t("{model} is no {type}.", model=said.base_model, type=said.model_type)
        raise InvalidError([{"field": "base_model", "problem": problem}])
    found = inside("dataset_path", _below(said.dataset_path), settings.path("datasets_root"))
    root = settings.path("datasets_root")
    dataset = found.relative_to(root) if found.is_relative_to(root) else found
    if said.dropout and "dropout" not in known["options"]["properties"]:
        problem = t("{model} has no dropout.", model=size)
        raise InvalidError([{"field": "dropout", "problem": problem}])
    guide = GUIDE[said.model_type]
    sections: dict[str, dict[str, object]] = {
        "data": {
            "dataset": str(dataset),
            "image_size": said.image_size or guide["image_size"],
            "workers": said.num_workers,
        },
        "student": {"type": kind, "size": size, "dropout": said.dropout},
        "optim": {
            "epochs": said.epochs or guide["epochs"],
            "batch_size": said.batch_size or guide["batch_size"],
            "learning_rate": said.learning_rate,
            "warmup_steps": said.warmup_steps,
            "max_grad_norm": said.max_grad_norm,
            "weight_decay": said.weight_decay,
            "early_stopping_epochs": _patience(said),
        },
        "run": {
            "seed": said.seed,
            "checkpoint_interval": None if said.save_steps is None else 1,
            "precision": _precision(said.mixed_precision),
        },
    }
    if said.augmentation is False:
        sections |= {"yolo": YOLO_PLAIN} if kind == "yolov8" else {"views": VIEWS_PLAIN}
    tree: dict[str, object] = {"mode": "direct", "kind": KINDS[said.model_type]}
    for section, fields in sections.items():
        tree[section] = {name: value for name, value in fields.items() if value is not None}
    return tree, size


VIEWS_PLAIN: dict[str, object] = {"count": 1, "crop_scale_min": 1.0, "flip": "off", "colour": 0.0}
YOLO_PLAIN: dict[str, object] = dict.fromkeys(
    ("mosaic", "degrees", "translate", "scale", "shear", "flip_sideways", "flip_upside_down",
     "hue", "saturation", "value"), 0.0
)  # fmt: skip
"""Each picture as it is."""


def _patience(said: StartIn) -> int | None:
    """Epochs without a better figure; None: the run's own default."""
    stopping = said.early_stopping
    if said.early_stopping_patience is not None:
        if stopping is not None and not isinstance(stopping, bool):
            problem = t("early_stopping is a number of epochs already.")
            raise InvalidError([{"field": "early_stopping_patience", "problem": problem}])
        return 0 if stopping is False else said.early_stopping_patience
    if isinstance(stopping, bool):
        return PATIENCE_EPOCHS if stopping else 0
    return stopping


def _precision(said: bool | str | None) -> str | None:
    if isinstance(said, bool):
        return "auto" if said else "fp32"
    return "fp32" if said == "no" else said


def _below(path: str) -> str:
    """`/datasets/my_images`, as the guides write it, means `my_images` where it is no real path."""
    written = Path(path)
    if written.is_absolute() and not written.exists() and written.parent.name == "datasets":
        return written.name
    return path


def _placed(made: creation.Made, folder: Path) -> creation.Made:
    spec = RunSpec.model_validate_json(made.spec)
    run = spec.run.model_copy(update={"output_dir": folder})
    moved = spec.model_copy(update={"run": run})
    return replace(made, run_dir=str(folder), spec=moved.model_dump_json())


def status(context: Context, task_id: str) -> StatusOut:
    """One task; NotFoundError without it."""
    tasks.get(context, task_id)
    with context.database.read() as session:
        found = (
            select(*COLUMNS)
            .outerjoin(Job, Job.task_id == Task.task_id)
            .where(Task.task_id == task_id, Task.del_flag == DelFlag.NORMAL)
        )
        return _shown(session.execute(found).mappings().one())


def stop(context: Context, task_id: str) -> StatusOut:
    """Ask it to save and end."""
    tasks.stop(context, task_id)
    return status(context, task_id)


def listed(context: Context, *, ended: bool) -> Iterator[StatusOut]:
    """Plain trainings, newest first: all, or those that have ended."""
    found = (
        select(*COLUMNS)
        .outerjoin(Job, Job.task_id == Task.task_id)
        .where(Task.del_flag == DelFlag.NORMAL, Task.training_mode == "direct")
        .order_by(Task.id.desc())
        .limit(MOST_LISTED)
    )
    if ended:
        found = found.where(Task.status.in_(ENDED))
    with context.database.read() as session:
        rows = session.execute(found).mappings().all()
    return (_shown(row) for row in rows)


def _shown(row: RowMapping) -> StatusOut:
    said = row["metrics"]
    metrics = json.loads(said) if isinstance(said, str) and said else {}
    rate = metrics.get("learning_rate", row["learning_rate"])
    # The columns are the contract's; what a detector has there is its mAP50.
    called = "map50" if row["task_type"] == "detection" else "accuracy"
    columns = {called: "accuracy", f"best_{called}": "best_accuracy"}
    figures = {name: row[column] for name, column in columns.items() if row[column] is not None}
    return StatusOut(
        task_id=row["task_id"],
        status=STATUS.get(row["status"], "pending"),  # type: ignore[arg-type]
        progress=row["progress"] or 0,
        current_epoch=row["current_epoch"] or 0,
        total_epochs=row["total_epochs"] or 0,
        current_step=row["step"] or 0,
        total_steps=row["total_steps"] or 0,
        loss=row["loss"],
        learning_rate=rate,
        metrics=figures | metrics,
        error=row["error_message"],
        started_at=row["start_time"],
        completed_at=row["end_time"],
    )


def models(model_type: str | None) -> list[ModelOut]:
    """What can be trained, with its licence."""
    wanted = KINDS if model_type is None else {model_type: KINDS.get(model_type)}
    if model_type is not None:
        _check_type(model_type)
    return [
        ModelOut(id=size, name=size, description=_description(entry, size))
        for kind in wanted.values()
        for entry in students().values()
        if kind in entry["kinds"] and entry["name"] != "lstm"
        for size in entry["sizes"]
    ]


def _description(entry: Mapping[str, Any], size: str) -> str:
    return t(
        "{about} {millions} million parameters. Licence: {licence}.",
        about=t(entry["about"]),
        millions=entry["sizes"][size],
        licence=entry["licence"],
    )


def model_folder(context: Context, task_id: str) -> tuple[Path, str]:
    """`final_model/` of a finished task, and a name for its ZIP."""
    row = tasks.get(context, task_id)
    folder, _ = folders.of_task(context, task_id)
    model = folder / "final_model"
    if row["status"] != State.COMPLETED or not model.is_dir():
        raise ConflictError(
            "It is {state}: there is no trained model to download yet.", state=row["status"]
        )
    folders.refuse_links_out(model)
    return model, f"{task_id}.zip"
