"""Every path that a client names is inside its root, or refused before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tandem.config.settings import Settings
from tandem.server.errors import ForbiddenError, InvalidError
from tandem.spec.i18n import t
from tandem.spec.run.base import SpecTree
from tandem.spec.run.legacy import get, put

HUB_ID = re.compile(r"(modelscope:|huggingface/)?[\w\-][\w.\-]*(/[\w\-][\w.\-]*)?")
"""And `huggingface/owner/name`, which a student's weights may be called."""


def inside(field: str, name: str, *roots: Path) -> Path:
    """The absolute path that `name` means under the first root, or in any of them if absolute.

    ForbiddenError when it leaves them: by `..`, absolute, through a link, or in an encoding.
    """
    for written in _spellings(name):
        if not _lies_in(written, roots):
            _refuse(field, name)
    return roots[0] / name


def _spellings(name: str) -> Iterable[str]:
    """As it is, and as someone who decodes it once more would read it."""
    yield name
    seen = name
    for _ in range(3):
        seen = unquote(seen).replace("\\", "/")
        yield seen


def _lies_in(name: str, roots: Iterable[Path]) -> bool:
    if "\0" in name or name.startswith("~") or ".." in Path(name).parts:
        return False
    for root, first in ((root, index == 0) for index, root in enumerate(roots)):
        if not first and not Path(name).is_absolute():
            continue
        try:
            real, real_root = (root / name).resolve(), root.resolve()
        except (OSError, RuntimeError, ValueError):  # links in a circle
            return False
        if real != real_root and real.is_relative_to(real_root):
            return True
    return False


def _refuse(field: str, name: str) -> None:
    raise ForbiddenError(
        "{field} names a path outside of the folders that may be used.",
        field=field,
        got=name[:200],
        fix="Name something inside the configured roots.",
    )


def confine(tree: SpecTree, names: dict[str, str], settings: Settings) -> None:
    """Check, and make absolute, every path in the tree of a run that a client describes."""
    _confine_data(tree, names, settings)
    # What a run of this service has made may teach, and may be begun with.
    roots = settings.path("models_root"), settings.path("output_root")
    _confine_model(tree, "teacher.path", names, settings.teachers, *roots)
    _confine_teacher_name(tree, names, settings)
    _confine_other_teachers(tree, settings, *roots)
    _confine_model(tree, "student.path", names, settings.students, *roots)
    cache = get(tree, "cache.root")
    if isinstance(cache, str):
        root = settings.path("cache_root")
        if Path(cache) != root:
            put(tree, "cache.root", str(inside(names.get("cache.root", ""), cache, root)))


def _confine_data(tree: SpecTree, names: dict[str, str], settings: Settings) -> None:
    root = settings.path("datasets_root")
    below = get(tree, "data.root")
    base = root
    if isinstance(below, str) and Path(below) != root:
        base = inside(names.get("data.root", "data.root"), below, root)
    put(tree, "data.root", str(base)) if isinstance(tree.get("data", {}), dict) else None
    for path in ("data.dataset", "data.val_dataset"):
        name = get(tree, path)
        if not isinstance(name, str):
            continue
        found = inside(names.get(path, path), name, base)
        put(tree, path, str(found.relative_to(base)) if found.is_relative_to(base) else name)


def _confine_model(
    tree: SpecTree, path: str, names: dict[str, str], configured: Iterable[str], *roots: Path
) -> None:
    name = get(tree, path)
    if not isinstance(name, str) or not name or _is_configured(name, configured):
        return
    found = inside(names.get(path, path), name, *roots)
    if found.exists() or not HUB_ID.fullmatch(name):
        put(tree, path, str(found))


def _is_configured(name: str, configured: object) -> bool:
    """What the administrator wrote into the configuration may be anywhere."""
    values = configured.values() if isinstance(configured, dict) else ()
    return any(value.text == name for value in values)


def _confine_teacher_name(tree: SpecTree, names: dict[str, str], settings: Settings) -> None:
    name = get(tree, "teacher.name")
    if isinstance(name, str) and name:
        found = inside(
            names.get("teacher.name", "teacher.name"), name, settings.path("models_root")
        )
        if Path(name).is_absolute() and get(tree, "teacher.path") is None:
            put(tree, "teacher.path", str(found))


def _confine_other_teachers(tree: SpecTree, settings: Settings, *roots: Path) -> None:
    others = get(tree, "teacher.others")
    if not isinstance(others, list):
        return
    for place, name in enumerate(others):
        # As the first one's path, each in a tree of its own: a list has no dotted paths.
        alone: SpecTree = {"teacher": {"path": name}}
        names = {"teacher.path": "teacher.others"}
        _confine_model(alone, "teacher.path", names, settings.teachers, *roots)
        others[place] = get(alone, "teacher.path")


def check_model_paths(path: str, url: str | None, settings: Settings) -> None:
    """Refuse a trained model's path or address that leads out of the roots, or runs a script."""
    roots = (settings.path("output_root"), settings.path("models_root"))
    inside("modelPath", path, *roots)
    if not url:
        return
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("invalid:")
    if parts.scheme not in ("", "http", "https", "file"):
        raise InvalidError(
            [{"field": "modelUrl", "problem": t("It must be an http, https or file address.")}]
        )
    if parts.scheme == "file":
        inside("modelUrl", parts.path or url, *roots)
