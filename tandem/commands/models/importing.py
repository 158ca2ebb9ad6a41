"""`tandem models import FILE --name N`: a foreign model among the trained ones."""

from __future__ import annotations

from pathlib import Path

from tandem.commands.terminal import print_json
from tandem.config.settings import load
from tandem.server.db import upgrade as schema
from tandem.server.db.database import Database
from tandem.server.models.imports import bind, bring_in
from tandem.server.settings import read
from tandem.spec.errors import UserInputError
from tandem.spec.i18n import t


def import_model(
    file: Path,
    name: str,
    *,
    classes: str = "",
    size: str = "",
    image_size: int | None = None,
    accuracy: float | None = None,
    as_json: bool = False,
) -> int:
    """Read it in a process of its own, try it, and bind it to a completed task."""
    if not file.is_file():
        raise UserInputError("There is no file {path}.", path=file)
    imported = bring_in(
        load().path("models_root"),
        file.absolute(),
        name,
        classes=_classes(classes),
        size=size,
        image_size=image_size,
    )
    database = Database(read().database_url, pool_size=1)
    try:
        schema.upgrade(database)
        task_id = bind(database, name, imported, accuracy)
    finally:
        database.close()
    if as_json:
        print_json(imported | {"task_id": task_id})
    else:
        print(
            t(
                "{name} is in {path}, and among the completed models as {task_id}.",
                name=name,
                path=imported["path"],
                task_id=task_id,
            )
        )
        for note in imported["notes"]:
            print(note)
    return 0


def _classes(given: str) -> list[str]:
    """Names with commas between, or a file with one a line."""
    if given and Path(given).is_file():
        lines = Path(given).read_text(encoding="utf-8-sig").splitlines()
        return [line.strip() for line in lines if line.strip()]
    return [one.strip() for one in given.split(",") if one.strip()]
