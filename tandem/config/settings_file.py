"""One YAML file of settings: Tandem's own keys, or those of an installed system."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tandem.config.files import read_documents
from tandem.config.keys import LEGACY, MODEL_TABLES, NAMES, SettingKey, Value, relaxed
from tandem.spec.errors import SpecError
from tandem.spec.run.suggest import nearest_path

_LEGACY = {relaxed(name): key for name, key in LEGACY.items()}
_PREFIXES = {relaxed(prefix): table for table, prefix in MODEL_TABLES.items()}


@dataclass(frozen=True)
class SettingsLayer:
    """The settings of one file, or of the environment."""

    values: dict[str, Value]
    tables: dict[str, dict[str, Value]]


def read_file(path: Path, env: Mapping[str, str], profiles: Sequence[str] = ()) -> SettingsLayer:
    """The settings in one file, nested or dotted; SpecError on a key that is not known.

    Of several documents those count that are for all profiles or for one of `profiles`, and the
    later wins, as Spring reads them. In a Java system's file, what is not near a key of ours is its
    own.
    """
    layer = SettingsLayer({}, {table: {} for table in MODEL_TABLES})
    documents = read_leaves(path)
    kept = [one for one in documents if _is_active(one, profiles)]
    leaves = {name: leaf for one in kept for name, leaf in one.items()}
    springs = path.stem.startswith("application") or any(
        name.partition(".")[0] == "spring" for name in leaves
    )
    for name, leaf in leaves.items():
        text = None if leaf is None else _expand(str(leaf), env)
        table, model = _model(name)
        if table:
            value = _beside(path, text) if _is_path(text) else text
            layer.tables[table][model] = Value(value, f"{path}: {name}")
            continue
        key = NAMES.get(name) or _LEGACY.get(relaxed(name))
        if key is None:
            _unknown(name, path, springs)
        elif text is not None and text != "":
            value = _beside(path, text) if key.what == "path" else text
            layer.values[key.name] = Value(value, f"{path}: {name}")
    return layer


def read_leaves(path: Path) -> list[dict[str, object]]:
    """What each document of a file says, by dotted names; SpecError as `read_tree`."""
    return [dict(_leaves(tree)) for tree in read_documents(path)]


def _is_active(leaves: Mapping[str, object], profiles: Sequence[str]) -> bool:
    """Whether a document is for every profile, or for one that is active."""
    named = leaves.get("spring.config.activate.on-profile", leaves.get("spring.profiles"))
    return named is None or not set(words(named)).isdisjoint(profiles)


def words(listed: object) -> list[str]:
    """The words of a YAML list, or of a text with commas between."""
    found = listed if isinstance(listed, list) else str(listed or "").split(",")
    return [word for one in found if (word := str(one).strip())]


def _leaves(tree: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    if not isinstance(tree, dict):
        yield prefix, tree
        return
    for name, below in tree.items():
        yield from _leaves(below, f"{prefix}.{name}" if prefix else str(name))


def _model(name: str) -> tuple[str | None, str]:
    """The table and the model's own name in `distillation.models.teacher.qwen2.5-vl-7b`."""
    for table in MODEL_TABLES:
        if name.startswith(f"{table}."):
            return table, name.removeprefix(f"{table}.")
    parts = name.split(".")
    table_of = _PREFIXES.get(relaxed(".".join(parts[:3])))
    return (table_of, ".".join(parts[3:])) if table_of and len(parts) > 3 else (None, "")


def _unknown(name: str, path: Path, is_springs: bool) -> None:
    """SpecError for a key that is none; a key of Spring's own passes, unless it is near ours."""
    near = _near(name)
    if not is_springs or near or name.partition(".")[0] == "distillation":
        raise SpecError(
            "{path} has the key {name}, which is not known.",
            path=path,
            name=name,
            fix="Did you mean {near}? `tandem config show` lists them all."
            if near
            else "`tandem config show` lists them all.",
            near=near,
        )


def _near(name: str) -> str | None:
    tables = {prefix: f"{prefix}.<name>" for prefix in MODEL_TABLES.values()}
    known = nearest_path(name, [*NAMES, *LEGACY, *MODEL_TABLES])
    if known is not None:
        return known
    # A model's own name may be anything: the table is what was misspelt.
    table = nearest_path(".".join(name.split(".")[:3]), tables)
    return tables[table] if table else None


def _expand(text: str, env: Mapping[str, str]) -> str:
    """Spring's `${NAME:default}`."""

    def fill(found: re.Match[str]) -> str:
        return env.get(found["name"], found["default"] or "")

    return re.sub(r"\$\{(?P<name>\w+)(?::(?P<default>[^}]*))?\}", fill, text)


def _is_path(text: str | None) -> bool:
    return text is not None and text.startswith((".", "~", "/"))


def _beside(path: Path, text: str | None) -> str:
    return str((path.parent / Path(text or "").expanduser()).absolute())


def masked_in_table(table: str, text: str | None) -> str | None:
    """A value of a table as it may be printed: an address of a data base without its password."""
    return text if table != "data_sources" or text is None else _without_password(text)


def masked(key: SettingKey, text: str | None) -> str:
    """A value as it may be printed: never a password."""
    if text is None:
        return ""
    if key.name == "database_url":
        return _without_password(text)
    return "********" if key.what == "secret" else text


def _without_password(address: str) -> str:
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:********@", address)
