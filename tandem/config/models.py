"""From the name people use for a model to the folder or hub id that holds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tandem.config.keys import Value
from tandem.config.settings import Settings
from tandem.spec.errors import TeacherError
from tandem.spec.i18n import joined, t
from tandem.spec.plugins.sources import (
    FILE_SUFFIXES,
    HUGGINGFACE,
    MODELSCOPE,
    TORCHVISION,
    ULTRALYTICS,
    huggingface_id,
    is_hub_id,
    snapshots,
)
from tandem.spec.plugins.teachers import HUB_IDS, NEVER_RELEASED, SHORT, key, release_of
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
    hub id itself, and in the catalog. What the catalog or a hub id names may lie under the models
    root as a release's folder or as ModelScope and Hugging Face lay it down there; if not `here`,
    no folder of the working directory counts. Raises TeacherError on a name that none of them
    knows.
    """
    if path:
        return _by_path(path, settings, here)
    if not name:
        return None
    configured = _like(name, settings.teachers)
    if configured is not None and configured.text:
        return _by_path(configured.text, settings, here)
    local = _folder(name, settings, here)
    if local is not None:
        return ModelLocation(str(local))
    return _from_catalog(name, settings)


def find_student_weights(size: str, settings: Settings) -> str | None:
    """The configured weights of a student (`distillation.models.student.<name>`), if any.

    A file or folder under the models root where it is there; else as it is written.
    """
    value = _like(size, settings.students)
    if value is None or not value.text:
        return None
    text = value.text
    if text == TORCHVISION or text.startswith((".", "~", "/")):
        return text
    root = settings.path("models_root")
    for below in (text, text.rpartition("/")[2]):
        if (root / below).exists():
            return str(root / below)
    hub_id = huggingface_id(text) if text.startswith(HUGGINGFACE) else text
    if not hub_id or not is_hub_id(hub_id) or text.startswith(ULTRALYTICS):
        return text
    laid = _laid_down(hub_id.removeprefix(MODELSCOPE), settings)
    if laid is not None:
        return str(laid)
    named = text.startswith((HUGGINGFACE, MODELSCOPE)) or text.endswith(FILE_SUFFIXES)
    return text if named or settings.text("hub") != "modelscope" else MODELSCOPE + text


def known_names() -> list[str]:
    """Every name of a teacher that needs no configuration."""
    return [*HUB_IDS, *NEVER_RELEASED, *SHORT]


def _by_path(path: str, settings: Settings, here: bool) -> ModelLocation:
    """A folder as an absolute path; a name or hub id as the folder it lies in, or as a hub id.

    What is none of these stays as it is: a run says so when it looks there.
    """
    written = Path(path).expanduser()
    if path.startswith((".", "~", "/")) or (here and written.is_dir()):
        return ModelLocation(str(written.absolute()))
    under_root = settings.path("models_root") / path
    if under_root.is_dir():
        return ModelLocation(str(under_root))
    if is_hub_id(path):
        return _by_hub_id(path, settings)
    return _from_catalog(path, settings) if release_of(path) else ModelLocation(path)


def _from_catalog(name: str, settings: Settings) -> ModelLocation:
    release = release_of(name)
    if release is None and is_hub_id(name):
        return _by_hub_id(name, settings)
    if release is None:
        allowed = sorted({*settings.teachers, *HUB_IDS})
        near = nearest(name, [*allowed, *known_names()])
        raise TeacherError(
            "There is no teacher {name!r}; did you mean {near}?"
            if near
            else "There is no teacher {name!r}.",
            name=name,
            near=near,
            allowed=allowed,
            fix="Name one of these, or give the teacher's path: a folder or a hub id.",
        )
    hub_id = HUB_IDS[release]
    found = _by_hub_id(hub_id, settings)
    if key(name) not in {key(one) for one in NEVER_RELEASED}:
        return found
    note = t(
        "No 8B Qwen2.5-VL was ever released: {name} stands for {hub_id}. "
        "Configure distillation.models.teacher.{name} to name another.",
        name=name,
        hub_id=hub_id,
    )
    return ModelLocation(found.path, joined(one for one in (note, found.note) if one))


def _by_hub_id(hub_id: str, settings: Settings) -> ModelLocation:
    """The folder under the models root that holds it; else the hub that the settings name."""
    laid = _laid_down(hub_id.removeprefix(MODELSCOPE), settings)
    if laid is not None:
        note = t("{hub_id} is read from {folder}.", hub_id=hub_id, folder=laid)
        return ModelLocation(str(laid), note)
    if settings.text("hub") == "modelscope" and not hub_id.startswith(MODELSCOPE):
        return ModelLocation(MODELSCOPE + hub_id)
    return ModelLocation(hub_id)


def _laid_down(hub_id: str, settings: Settings) -> Path | None:
    """A hub's model under the models root, in whichever of the usual ways it was put there.

    Its last part as a folder in any spelling; `owner/name`, also as ModelScope writes it; or the
    snapshot of Hugging Face's cache.
    """
    root = settings.path("models_root")
    if not root.is_dir():
        return None
    owner, name = hub_id.split("/")
    owners = [one for base in (root, root / "models", root / "hub" / "models", root / "hub")
              for one in _folders(base) if one.name.lower() == owner.lower()]  # fmt: skip
    for base in (root, *owners):
        folder = _called(name, base)
        if folder is not None:
            return folder
    return next(iter([*snapshots(root, hub_id), *snapshots(root / "hub", hub_id)]), None)


def _called(name: str, base: Path) -> Path | None:
    """The first folder in `base` with this name, in any spelling."""
    return next((one for one in _folders(base) if key(one.name) == key(name)), None)


def _folders(base: Path) -> Iterator[Path]:
    """Those in a folder, by name; hidden ones are half-made downloads."""
    if base.is_dir():
        yield from (
            one for one in sorted(base.iterdir()) if one.is_dir() and not one.name.startswith(".")
        )


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
    folder = _called(name, root) if "/" not in name else None
    if folder is not None:
        return folder
    return written.absolute() if here and written.is_dir() else None
