"""The configuration of this machine: environment, then YAML files, then defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tandem.config.application_files import PROFILES, read_application_files
from tandem.config.database import database_url
from tandem.config.hub import hub
from tandem.config.keys import KEYS, MODEL_TABLES, VARIABLES, SettingKey, Value, describe_origin
from tandem.config.output import output_notes, output_root
from tandem.config.settings_file import SettingsLayer, read_file, words
from tandem.spec.errors import SpecError
from tandem.spec.run.suggest import nearest

FILE = "tandem.yaml"
INTERNAL = frozenset({"TANDEM_OUTCOME_FILE", "TANDEM_MICRO_BATCH"})
"""Between Tandem's own processes; no setting."""


@dataclass(frozen=True)
class Settings:
    """What the entrances fill a RunSpec from."""

    values: Mapping[str, Value]
    teachers: Mapping[str, Value] = field(default_factory=dict)
    """Configured paths by the name people use."""
    students: Mapping[str, Value] = field(default_factory=dict)
    data_sources: Mapping[str, Value] = field(default_factory=dict)
    """`<name>.url`, `.query`, `.root`, `.kind`: see `tandem.config.data_sources`."""
    notes: tuple[str, ...] = ()
    """What a person should know of how the configuration was read."""

    def text(self, name: str) -> str | None:
        """One setting as it was written; None when it is not set."""
        return self.values[name].text

    def path(self, name: str) -> Path:
        """One of the roots, absolute."""
        return Path(self.values[name].text or "")

    @property
    def home(self) -> Path:
        return self.path("home")


def load(env: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Read them all; `folder` is where configuration files are looked for.

    The first that says something wins: environment, the file TANDEM_CONFIG names, in the working
    folder tandem.yaml and an installed system's application files, tandem.yaml in TANDEM_HOME, the
    default. SpecError on an unknown key.
    """
    env = os.environ if env is None else env
    folder = Path.cwd() if folder is None else folder
    named = env.get("TANDEM_CONFIG")
    files = [_absolute(named, folder)] if named else []
    files += [folder / FILE] if (folder / FILE).is_file() else []
    profiles = words(env.get(PROFILES))
    layers = [_environment(env, folder), *(read_file(one, env, profiles) for one in files)]
    application = read_application_files(folder, env, {one.resolve() for one in files})
    layers += application.layers
    home = _first(layers, "home") or Value("~/.tandem", "default")
    home_path = _absolute(home.text or "", folder)
    in_home = home_path / FILE
    if in_home.is_file() and in_home.resolve() != (folder / FILE).resolve():
        layers.append(read_file(in_home, env, profiles))
    values = {key.name: _value(key, layers, str(home_path), folder) for key in KEYS}
    values["home"] = Value(str(home_path), home.origin)
    values["output_root"] = output_root(values)
    values["hub"] = hub(values["hub"], env)
    values["database_url"] = database_url(values)
    tables = {table: _table(table, layers) for table in MODEL_TABLES}
    notes = (*application.notes, *output_notes(values))
    return Settings(values, **tables, notes=notes)


def _environment(env: Mapping[str, str], folder: Path) -> SettingsLayer:
    found: dict[str, Value] = {}
    for variable, text in env.items():
        if not variable.startswith("TANDEM_") or variable in INTERNAL:
            continue
        key = VARIABLES.get(variable)
        if key is None:
            raise _unknown(variable)
        if text:
            path = str(_absolute(text, folder)) if key.what == "path" else text
            found[key.name] = Value(path, f"environment {variable}")
    return SettingsLayer(found, {})


def _unknown(variable: str) -> SpecError:
    own = {one.removeprefix("TANDEM_"): one for one in VARIABLES}
    near = nearest(variable.removeprefix("TANDEM_"), own)
    return SpecError(
        "The environment variable {variable} is not known.",
        variable=variable,
        fix="Did you mean {near}? Mend or unset it." if near else "Mend or unset it.",
        near=own.get(near or ""),
    )


def _first(layers: list[SettingsLayer], name: str) -> Value | None:
    return next((layer.values[name] for layer in layers if name in layer.values), None)


def _value(key: SettingKey, layers: list[SettingsLayer], home: str, folder: Path) -> Value:
    found = _first(layers, key.name)
    if found is None:
        text = None if key.default is None else key.default.replace("{home}", home)
        if text is not None and key.what == "path":
            text = str(_absolute(text, folder))
        return Value(text, "default" if text is not None else "not set")
    if key.what == "number" and not (found.text or "").isdigit():
        raise SpecError(
            "The setting {name} must be a whole number.",
            name=key.name,
            got=f"{found.text} ({describe_origin(found.origin)})",
        )
    return found


def _table(table: str, layers: list[SettingsLayer]) -> dict[str, Value]:
    merged: dict[str, Value] = {}
    for layer in layers:
        for name, value in layer.tables.get(table, {}).items():
            merged.setdefault(name, value)
    return merged


def _absolute(text: str, folder: Path) -> Path:
    return (folder / Path(text).expanduser()).absolute()
