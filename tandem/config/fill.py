"""What a person typed, completed from the configuration to a RunSpec that stands alone."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path

from tandem.config.models import find_student_weights, find_teacher
from tandem.config.settings import Settings
from tandem.config.without_effect import without_effect
from tandem.spec.errors import StudentError
from tandem.spec.i18n import t
from tandem.spec.os_errors import path_error
from tandem.spec.plugins.catalog import students
from tandem.spec.plugins.students import default_detector, defaults, is_type, resolve
from tandem.spec.run import RunSpec
from tandem.spec.run.base import SpecTree
from tandem.spec.run.check import run_spec
from tandem.spec.run.legacy import MODEL, complete, get, put

TEXT_FAMILIES = ("bert", "roberta", "albert", "electra", "deberta", "ernie")
TEXT_STUDENT = "bert"
TEXT_FILES = tuple(f"train.{suffix}" for suffix in ("jsonl", "csv", "tsv"))


def fill(tree: SpecTree, names: dict[str, str], settings: Settings) -> tuple[RunSpec, list[str]]:
    """The RunSpec, and the lines a person should read. SpecError and its like on bad input.

    `names`: what the person called each field that they set.
    """
    notes = complete_tree(tree, names, settings)
    spec = run_spec(tree, names)
    return spec, [*notes, *without_effect(tree, names, names)]


def complete_tree(
    tree: SpecTree, names: dict[str, str], settings: Settings, *, here: bool = True
) -> list[str]:
    """Fill in the tree what the configuration knows, without the check of each field.

    Unless `here`, no name means a folder of the working directory: a service's clients are
    elsewhere.
    """
    try:
        return _completed(tree, names, settings, here)
    except OSError as error:  # such as a name that no file system takes
        raise path_error(str(error.filename), error.strerror or str(error)) from error


def _completed(tree: SpecTree, names: dict[str, str], settings: Settings, here: bool) -> list[str]:
    complete(tree)
    notes = _teacher(tree, settings, here)
    _data(tree, settings)
    if _is_text(tree):
        put(tree, "kind", "text")
    notes += _student(tree, names, settings)
    _family_defaults(tree)
    if get(tree, "cache.root") is None:
        put(tree, "cache.root", str(settings.path("cache_root")))
    _place(tree, settings)
    return notes


def _teacher(tree: SpecTree, settings: Settings, here: bool) -> list[str]:
    name, path = get(tree, "teacher.name"), get(tree, "teacher.path")
    if get(tree, "mode") == "direct" or not isinstance(name or path, str):
        return []
    found = find_teacher(name, path, settings, here=here)
    if found is None:
        return []
    put(tree, "teacher.path", found.path)
    others = get(tree, "teacher.others")
    if isinstance(others, list):
        put(tree, "teacher.others", [_found(one, settings, here) for one in others])
    return [found.note] if found.note else []


def _found(name: object, settings: Settings, here: bool) -> object:
    """The path or hub id that a further teacher's name means; what is no name is left to check."""
    found = find_teacher(name, None, settings, here=here) if isinstance(name, str) else None
    return found.path if found else name


def _data(tree: SpecTree, settings: Settings) -> None:
    """Both datasets under one root, or both as paths."""
    given = get(tree, "data.root")
    if given is not None:
        if isinstance(given, str):  # else the check of the whole tree says so
            put(tree, "data.root", str(Path(given).expanduser().absolute()))
        return
    root = settings.path("datasets_root")
    named = {f: get(tree, f"data.{f}") for f in ("dataset", "val_dataset")}
    wanted = {field: str(name) for field, name in named.items() if name is not None}
    folders = {field: _own_folder(name, root) for field, name in wanted.items()}
    if not any(folders.values()):
        put(tree, "data.root", str(root))
        return
    for field, name in wanted.items():
        put(tree, f"data.{field}", str(folders[field] or root / name))


def _own_folder(name: str, root: Path) -> Path | None:
    """The folder a name means by itself; None when it is an id under the root."""
    written = Path(name).expanduser()
    if name.startswith((".", "~", "/")):
        return written.absolute()
    if not (root / name).is_dir() and written.is_dir():
        return written.absolute()
    return None


def _is_text(tree: SpecTree) -> bool:
    """Nothing but names may tell a text from a picture: by what was asked, teacher and data."""
    kind = get(tree, "kind")
    if kind is not None and kind != "classification":
        return bool(kind == "text")
    teacher, folder = get(tree, "teacher.path"), _data_folder(tree)
    family = _family(str(teacher)) if teacher else ""
    if family.startswith(TEXT_FAMILIES):
        return True
    return folder is not None and any((folder / name).is_file() for name in TEXT_FILES)


def _data_folder(tree: SpecTree) -> Path | None:
    dataset, root = get(tree, "data.dataset"), get(tree, "data.root")
    if dataset is None:
        return None
    return Path(str(root)) / str(dataset) if root else Path(str(dataset))


def _family(teacher: str) -> str:
    """The checkpoint's model type, or else the words of its name."""
    try:
        config = json.loads((Path(teacher) / "config.json").read_text(encoding="utf-8"))
        return str(config.get("model_type", "")).lower()
    except (OSError, ValueError, AttributeError):
        return Path(teacher).name.lower()


def _student(tree: SpecTree, names: dict[str, str], settings: Settings) -> list[str]:
    model = get(tree, MODEL)
    student = tree.setdefault("student", {})
    if not isinstance(student, dict):
        return []
    student.pop("model", None)
    type_, size = str(student.get("type") or ""), str(student.get("size") or "")
    if get(tree, "kind") == "text" and not type_ and not size and _names_nothing(model):
        type_ = TEXT_STUDENT  # installed systems call a text's student what they like
        model = None
    if get(tree, "kind") == "detection" and not type_ and not size and model is None:
        type_ = default_detector()
    if not type_ and not size and model is None:
        return _first_weights(student, resolve("", "")[1], settings)
    model = None if model is None else str(model)
    chosen = _chosen(model, type_, size, names.get(MODEL, "--student_model"))
    student["type"], student["size"] = chosen
    _check_kind(chosen, get(tree, "kind"))
    return _first_weights(student, chosen[1], settings)


def _first_weights(student: SpecTree, size: str, settings: Settings) -> list[str]:
    """The weights that are configured for this student, unless the run says how it begins."""
    init = student.get("init")
    if student.get("path") or init not in (None, "pretrained"):
        return []
    configured = find_student_weights(size, settings)
    if configured is None:
        return []
    student |= {"init": "pretrained", "path": configured}
    if init is not None:
        return []
    return [
        t(
            "The student {size} starts from the configured weights {weights}; "
            "student.init=random starts it anew.",
            size=size,
            weights=configured,
        )
    ]


def _names_nothing(model: object) -> bool:
    """Whether a student's name is no student of ours."""
    if model is None:
        return True
    try:
        resolve("", str(model))
    except StudentError:
        return True
    return False


def _family_defaults(tree: SpecTree) -> None:
    """What suits the student, where nothing else is said; the catalog lists it."""
    family = get(tree, "student.type") or resolve("", "")[0]
    for path, value in defaults(str(family)).items():
        if get(tree, path) is None and isinstance(tree.get(path.split(".")[0], {}), dict):
            put(tree, path, value)


def _chosen(model: str | None, type_: str, size: str, name: str) -> tuple[str, str]:
    """The type and size that a student's name and its two flags come to together.

    What one leaves open another says: `resnet` beside `resnet50` is no contradiction. StudentError
    where two of them name different students; `name` is what the student's name is called.
    """
    if model is None:
        return resolve(type_, size)
    if not type_ and not size:
        return resolve("", model)
    if is_type(model) and not type_:
        type_ = model  # `vit` and `base`
    elif is_type(type_) and not size and not is_type(model) and not _names_nothing(model):
        size = model  # `resnet` and `resnet50`
    chosen = resolve(type_, size)
    if _names_nothing(model):
        return chosen  # a name of the user's own
    named = resolve("", model)
    if named[0] != chosen[0] or (named != chosen and not is_type(model)):
        raise StudentError(
            "{name} {model} and the student's type and size ({type}, {size}) disagree.",
            name=name,
            model=model,
            type=chosen[0],
            size=chosen[1],
            fix="Name one student.",
        )
    return chosen


def _check_kind(chosen: tuple[str, str], kind: object) -> None:
    known = students()
    entry = known.get(chosen[0])
    if entry is None:
        if entry_points(group="tandem.plugins"):
            return  # a plug-in may bring it; the trainer's registry judges
        raise StudentError(
            "This version of Tandem has no student {type} ({size}).",
            type=chosen[0],
            size=chosen[1],
            allowed=[size for one in known.values() for size in one["sizes"]],
            fix="Choose one of these; `tandem catalog` says more.",
        )
    if isinstance(kind, str) and kind not in entry["kinds"]:
        raise StudentError(
            "The student {type} does not learn {kind}.",
            type=chosen[0],
            kind=kind,
            allowed=sorted(entry["kinds"]),
            fix="Leave the kind of task out, or choose another student.",
        )


def _place(tree: SpecTree, settings: Settings) -> None:
    """A run without a name or a folder gets them from each other, or from what it does."""
    output, task = get(tree, "run.output_dir"), tree.get("task_id")
    if task is None:
        data = Path(str(get(tree, "data.dataset") or "")).name
        what = get(tree, "student.size") or resolve("", "")[1]
        task = Path(str(output)).expanduser().absolute().name if output else f"{data}-{what}"
        tree["task_id"] = task
    folder = Path(str(output)).expanduser() if output else settings.path("output_root") / str(task)
    put(tree, "run.output_dir", str(folder.absolute()))
