"""A foreign model becomes a completed task: clients then find it among the others."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.db.database import Database
from tandem.server.db.tables import DelFlag, Task
from tandem.server.errors import ConflictError, InvalidError
from tandem.server.host.clock import now
from tandem.spec.errors import StudentError
from tandem.spec.i18n import t
from tandem.spec.state import State

NAME = re.compile(r"[\w\-][\w.\- ]{0,99}")
SECONDS = 1800
SUFFIXES = (".pt", ".onnx", ".safetensors")


class ImportAnswer(TypedDict):
    """What the importing process says of a model: see `tandem.predict.importing`."""

    kind: str
    size: str
    classes: list[str]
    path: str
    notes: list[str]


def bring_in(
    models_root: Path,
    file: Path,
    name: str,
    *,
    classes: Sequence[str] = (),
    size: str = "",
    image_size: int | None = None,
) -> ImportAnswer:
    """The model as `<models root>/<name>`, by a process of its own that tries it once.

    Nothing that lies in the file is run here. StudentError in that process's words.
    """
    if not NAME.fullmatch(name):
        problem = t("A model cannot be called {name}.", name=name[:100])
        raise InvalidError([{"field": "name", "problem": problem}])
    _check_file(file)
    target = models_root / name
    if target.exists():
        raise ConflictError(
            "There is a model {name} already.", name=name, fix="Choose another name."
        )
    models_root.mkdir(parents=True, exist_ok=True)
    asked = {"file": str(file), "folder": str(target), "classes": list(classes), "size": size}
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as request:
        json.dump(asked | {"image_size": image_size}, request)
        request.flush()
        command = [sys.executable, "-m", "tandem.predict.importing", request.name]
        try:
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise StudentError("{path} could not be read in time.", path=file) from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise StudentError(
            "{name} was not imported: {reason}",
            name=file.name,
            reason=said[-1] if said else t("its reader ended with {code}", code=done.returncode),
        )
    told: ImportAnswer = json.loads(done.stdout.decode().splitlines()[-1])
    return told


def _check_file(file: Path) -> None:
    """What can be seen without the process, whose start takes seconds."""
    if not file.is_file():
        raise StudentError("There is no file {path}.", path=file)
    if file.suffix.lower() not in SUFFIXES:
        raise StudentError(
            "{path} is of no kind that can be imported.", path=file, allowed=SUFFIXES
        )


def bind(database: Database, name: str, told: ImportAnswer, accuracy: float | None) -> str:
    """A completed task that has this model; its id."""
    task_id = f"TASK_{secrets.token_hex(4).upper()}"
    at = now().replace(microsecond=0)
    kind, family = told["kind"], str(told["size"])

    def insert(session: Session) -> None:
        session.add(
            Task(
                task_id=task_id,
                task_name=name,
                teacher_model="-",
                student_model=family,
                student_model_size=family,
                task_type=kind,
                num_classes=len(told["classes"]),
                training_mode="imported",
                status=State.COMPLETED,
                progress=100,
                accuracy=accuracy,
                best_accuracy=accuracy,
                model_path=told["path"],
                total_epochs=0,
                create_time=at,
                end_time=at,
                del_flag=DelFlag.NORMAL,
                remark=" ".join([t("Imported; it was trained elsewhere."), *told["notes"]])[:500],
            )
        )

    database.run(insert)
    return task_id


def import_into(
    context: Context,
    file: Path,
    name: str,
    accuracy: float | None,
    *,
    classes: Sequence[str],
    size: str,
    image_size: int | None,
) -> str:
    """Both, for a route; the task's id."""
    root = context.settings.everything.path("models_root")
    told = bring_in(root, file, name, classes=classes, size=size, image_size=image_size)
    return bind(context.database, name, told, accuracy)
