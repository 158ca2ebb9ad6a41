"""One run, written as a command, as YAML and as a request; each is read back to the same run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import yaml

from tandem.config.files import parse_value
from tandem.config.models import find_student_weights, find_teacher
from tandem.config.settings import Settings
from tandem.spec.errors import TandemError
from tandem.spec.plugins.students import defaults, resolve
from tandem.spec.run import RunSpec
from tandem.spec.run.base import SpecTree
from tandem.spec.run.check import paths
from tandem.spec.run.knobs import KNOBS
from tandem.spec.run.legacy import FLAGS, MORE_FLAGS, get, put
from tandem.spec.run.loss import feature_weight_for

SERVICES_OWN = ("task_id", "run.output_dir")
ALWAYS = ("mode", "kind", "teacher.name", "student.type", "student.size", "data.dataset")
"""Said even where they are the default: they name the run."""
_FLAGS = {flag.path: flag.name for flag in (*FLAGS, *MORE_FLAGS) if not flag.is_list}


def changed(spec: RunSpec, settings: Settings) -> list[str]:
    """The knobs that differ from what this student begins with."""
    tree = spec.model_dump(mode="json")
    begins = _defaults(spec)
    if find_student_weights(spec.student.size, settings):
        begins["student.init"] = "pretrained"
    return [
        path
        for path in KNOBS
        if path not in SERVICES_OWN
        and not _is_known(path, spec, settings)
        and get(tree, path) != begins.get(path)
        and not (path.startswith("teacher.") and tree["teacher"] is None)
    ]


def short(spec: RunSpec, settings: Settings) -> SpecTree:
    """What has to be said for this run, and no more."""
    full, needed = spec.model_dump(mode="json"), SpecTree()
    for path in dict.fromkeys((*ALWAYS, *changed(spec, settings))):
        value = get(full, path)
        if value is None or (path in ALWAYS and value == ""):
            continue
        put(needed, path, value)
    if spec.mode != "direct":
        needed.pop("mode", None)
    return needed


def command(tree: SpecTree) -> str:
    """`tandem train …`: a flag where there is one, `--set` for the rest."""
    words = ["tandem", "train"]
    for path, value in leaves(tree):
        if path in _FLAGS and isinstance(value, str | int | float) and value != "":
            text = str(value)
            name = f"--{_FLAGS[path]}"
            words += [f"{name}={text}"] if text.startswith("-") else [name, text]
        else:
            words += ["--set", f"{path}={json.dumps(value, ensure_ascii=False)}"]
    return shlex.join(words)


def as_yaml(tree: SpecTree) -> str:
    """A file that `tandem train SPEC.yaml` takes."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def leaves(tree: SpecTree, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Each field by its dotted path, in order."""
    fields = paths()
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and any(one.startswith(f"{path}.") for one in fields):
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


class _Dumper(yaml.SafeDumper):
    """Quotes each text that our reader would take for a number or the like."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if parse_value(text) == text else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _defaults(spec: RunSpec) -> SpecTree:
    """By dotted path: the RunSpec's own, and over them this student's."""
    bare = {
        "task_id": "x",
        "mode": "direct",
        "data": {"dataset": "x"},
        "teacher": {"name": "x"},
        "run": {"output_dir": "x"},
    }
    plain = RunSpec.model_validate(bare).model_dump(mode="json")
    plain["mode"] = "distillation"
    plain["teacher"]["name"] = None
    # It follows from what else is said: without that, a weight that was asked for looks left out.
    plain["loss"]["feature_weight"] = feature_weight_for(spec.loss.model_dump())
    found = {path: get(plain, path) for path in KNOBS}
    student = spec.student.type or resolve("", "")[0]
    return found | dict(defaults(student))


def _is_known(path: str, spec: RunSpec, settings: Settings) -> bool:
    """Whether the configuration says the same by itself."""
    match path:
        case "data.root":
            root = spec.data.root
            return root is None or root == settings.path("datasets_root")
        case "cache.root":
            return spec.cache.root == settings.path("cache_root")
        case "teacher.path":
            return spec.teacher is not None and _teacher_path(spec, settings) == spec.teacher.path
        case "student.path":
            return spec.student.path == find_student_weights(spec.student.size, settings)
    return False


def _teacher_path(spec: RunSpec, settings: Settings) -> str | None:
    name = spec.teacher.name if spec.teacher else None
    if not name or Path(name).is_absolute():
        return None
    try:
        found = find_teacher(name, None, settings, here=False)
    except TandemError:
        return None
    return found.path if found else None
