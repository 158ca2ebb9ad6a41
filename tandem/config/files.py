"""YAML and JSON files that people write, read without YAML's surprises."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from tandem.spec.errors import SpecError
from tandem.spec.i18n import t


class _Loader(yaml.SafeLoader):
    """YAML 1.2's plain values: `on` and `off` are words, 1e-4 a number, 007 and dates text."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", [*"~nN", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", [*"tTfF"]),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", [*"-+0123456789"]),
    (
        "float",
        r"^[-+]?(?:(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+|\d+\.\d*|\.\d+|\.inf|\.nan)$",
        [*"-+.0123456789"],
    ),
    ("merge", r"^<<$", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[object, object]:
    """A mapping in which no key stands twice: YAML itself would let the last one win."""
    seen: set[object] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} appears twice", key_node.start_mark
            )
        seen.add(key)
    return dict(loader.construct_pairs(node, deep=True))


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def parse_value(text: str) -> object:
    """One value as it would stand in a YAML file: `3`, `1e-4`, `[0, 1]`, `off`, `a word`."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.YAMLError:
        return text


def read_tree(path: Path) -> dict[str, object]:
    """The mapping that a .yaml, .yml or .json file holds; SpecError names what is wrong where."""
    trees = read_documents(path)
    if len(trees) > 1:
        raise SpecError(
            "The file {path} holds {count} documents, with --- between them, not one.",
            path=path,
            count=len(trees),
            fix="Keep one in a file.",
        )
    return trees[0] if trees else {}


def read_documents(path: Path) -> list[dict[str, object]]:
    """The mappings of a file's documents, in their order; SpecError as `read_tree`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(
            "The file {path} cannot be read: {reason}.",
            path=path,
            reason=getattr(error, "strerror", None) or t("it is no UTF-8 text"),
            fix="Name a YAML or JSON file.",
        ) from error
    try:
        is_json = path.suffix.lower() == ".json"
        trees = [json.loads(text)] if is_json else list(yaml.load_all(text, Loader=_Loader))  # noqa: S506
    # RecursionError: lists in lists without end. TypeError: a key that is itself a list.
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        raise SpecError(
            "The file {path} is neither YAML nor JSON: {reason}.",
            path=path,
            reason=_where(error),
            fix="Mend the line named, or check the file with a YAML checker.",
        ) from error
    for tree in trees:
        if not isinstance(tree, dict | None):
            raise SpecError(
                "The file {path} must hold names and values.", path=path, got=type(tree)
            )
    return [tree for tree in trees if tree is not None]


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or getattr(error, "msg", None) or str(error)
    line = mark.line + 1 if mark is not None else getattr(error, "lineno", None)
    return t("{reason} (line {line})", reason=reason, line=line) if line else str(reason)
