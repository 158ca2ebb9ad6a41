"""From the name people use for a model to the folder or hub id that holds it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tandem.config.keys import Value
from tandem.config.settings import Settings
from tandem.spec.errors import TeacherError
from tandem.spec.i18n import t
from tandem.spec.plugins.teachers import HUB_IDS, NEVER_RELEASED, key
from tandem.spec.run.suggest import nearest


@dataclass(frozen=True)
class ModelLocation:
    """Where a model is, and the one line a person should read about it, if any."""

    path: str
    note: str | None = None


def find_teacher(
    name: str | None, path: str | None, settings: Settings, *, here: bool = True
) -> ModelLocation | None:
    """A given path wins; else the name, looked up. None when neither is given.

    A name is looked for in the configuration, as a folder under the models root, as a folder or
    hub id itself, and in the catalog; if not `here`, no folder of the working directory counts.
    Raises TeacherError on a name that none of them knows.
    """
    if path:
        return ModelLocation(_absolute(path, settings, here))
    if not name:
        return None
    configured = _like(name, settings.teachers)
    if configured is not None and configured.text:
        return ModelLocation(_absolute(configured.text, settings, here))
    local = _folder(name, settings, here)
    if local is not None:
        return ModelLocation(str(local))
    return _from_catalog(name, settings)


def find_student_weights(size: str, settings: Settings) -> str | None:
    """The configured weights of a student (`distillation.models.student.<name>`), if any."""
    value = _like(size, settings.students)
    return value.text if value is not None else None


def _from_catalog(name: str, settings: Settings) -> ModelLocation:
    by_key = {key(known): known for known in (*HUB_IDS, *NEVER_RELEASED)}
    known = by_key.get(key(name))
    if known is None and re.fullmatch(r"[\w.\-]+/[\w.\-]+", name):
        return ModelLocation(name)  # a hub id
    if known is None:
        allowed = sorted({*settings.teachers, *HUB_IDS})
        raise TeacherError(
            "There is no teacher {name!r}; did you mean {near}?",
            name=name,
            near=nearest(name, allowed),
            allowed=allowed,
            fix="Name one of these, or give the teacher's path: a folder or a hub id.",
        )
    release = NEVER_RELEASED.get(known, known)
    note = None
    if known in NEVER_RELEASED:
        note = t(
            "No 8B Qwen2.5-VL was ever released: {name} stands for {hub_id}. "
            "Configure distillation.models.teacher.{name} to name another.",
            name=name,
            hub_id=HUB_IDS[release],
        )
    return ModelLocation(HUB_IDS[release], note)


def _like(name: str, table: dict[str, Value] | object) -> Value | None:
    if not isinstance(table, dict):
        return None
    return next((value for known, value in table.items() if key(known) == key(name)), None)


def _folder(name: str, settings: Settings, here: bool) -> Path | None:
    """A folder of that name: as written, or under the models root in any spelling."""
    written = Path(name).expanduser()
    if name.startswith((".", "~", "/")):
        return written.absolute()
    root = settings.path("models_root")
    if (root / name).is_dir():
        return root / name
    if root.is_dir() and "/" not in name:
        for folder in sorted(root.iterdir()):
            if folder.is_dir() and key(folder.name) == key(name):
                return folder
    return written.absolute() if here and written.is_dir() else None


def _absolute(path: str, settings: Settings, here: bool) -> str:
    """A folder as an absolute path; a hub id, or a path that is nowhere, as it is."""
    written = Path(path).expanduser()
    if path.startswith((".", "~", "/")) or (here and written.is_dir()):
        return str(written.absolute())
    under_root = settings.path("models_root") / path
    return str(under_root) if under_root.is_dir() else path
