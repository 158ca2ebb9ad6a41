"""Every setting: its environment variable, its key in tandem.yaml, and installed systems' key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from tandem.spec.i18n import t

What = Literal["path", "text", "number", "secret"]


@dataclass(frozen=True)
class Value:
    """A setting's value and where it came from."""

    text: str | None
    origin: str


@dataclass(frozen=True)
class SettingKey:
    """One setting. `name` is its key in tandem.yaml; TANDEM_<NAME> its environment variable."""

    name: str
    about: str
    what: What = "text"
    default: str | None = None
    """`{home}` is filled in."""
    legacy: str | None = None
    """The key in an installed system's YAML."""
    env: bool = True
    file: bool = True

    @property
    def variable(self) -> str:
        return f"TANDEM_{self.name.upper()}"


KEYS: tuple[SettingKey, ...] = (
    SettingKey("home", "Holds all of Tandem's state.", "path", "~/.tandem"),
    SettingKey(
        "datasets_root",
        "Data sets lie here by their ids.",
        "path",
        "{home}/datasets",
        "distillation.datasets.root",
    ),
    SettingKey(
        "models_root",
        "Teachers lie here by their names.",
        "path",
        "{home}/models",
        "distillation.models.root",
    ),
    SettingKey(
        "output_root",
        "Runs without --output_dir go here.",
        "path",
        "{home}/runs",
        "distillation.output.root",
    ),
    SettingKey("cache_root", "What teachers said, kept between runs.", "path", "{home}/cache"),
    SettingKey(
        "api_base_url",
        "Where `tandem report --send` delivers when nothing else is said.",
        legacy="distillation.api.base-url",
    ),
    SettingKey(
        "database_url",
        "The service's database.",
        "secret",
        "sqlite:///{home}/tandem.db",
        "spring.datasource.url",
    ),
    SettingKey("host", "Where the service listens.", default="127.0.0.1"),
    SettingKey("port", "The service's port.", "number", "8080", "server.port"),
    SettingKey(
        "hub",
        "Where models come from that are not here: huggingface, modelscope, or a mirror's address.",
        default="huggingface",
    ),
    SettingKey("server_url", "The service that commands speak to; else host and port."),
    SettingKey(
        "access_token",
        "Opens the service; needed where it listens beyond this machine.",
        "secret",
        file=False,
    ),
    SettingKey("allowed_hosts", "Further names the service answers to, with commas between."),
    SettingKey(
        "allowed_origins", "Web pages elsewhere that may use the service, with commas between."
    ),
    SettingKey(
        "cpu_slots", "Trainings on the CPU at once. 0: one for each eight cores.", "number", "0"
    ),
    SettingKey("max_resumes", "Times a lost run is started again by itself.", "number", "2"),
    SettingKey(
        "stop_grace_seconds", "How long a run that was asked to stop may take.", "number", "120"
    ),
    SettingKey(
        "silence_seconds", "After so long without a sign, a run is taken for lost.", "number", "600"
    ),
    SettingKey("max_body_bytes", "The largest request the service reads.", "number", "2000000"),
    SettingKey(
        "max_upload_bytes", "The largest data set that may be uploaded.", "number", "107374182400"
    ),
    SettingKey(
        "keep_checkpoints_every", "Old runs keep the last checkpoint and every n-th.", "number", "0"
    ),
    SettingKey(
        "executor",
        "What launches the service's runs; local: processes of its machine.",
        default="local",
    ),
    SettingKey("web_root", "The built console; else the one of the package.", "path"),
    SettingKey("lang", "zh or en; else the locale's.", file=False),
    SettingKey(
        "run_token", "The token a run shows to the service it reports to.", "secret", file=False
    ),
    SettingKey("config", "A further YAML file of settings.", "path", file=False),
    SettingKey(
        "database_username",
        "Joined into database_url.",
        env=False,
        file=False,
        legacy="spring.datasource.username",
    ),
    SettingKey(
        "database_password",
        "Joined into database_url.",
        "secret",
        env=False,
        file=False,
        legacy="spring.datasource.password",
    ),
    SettingKey(
        "python_path",
        "Accepted; Tandem runs in its own Python.",
        env=False,
        file=False,
        legacy="distillation.python.path",
    ),
    SettingKey(
        "script_path",
        "Accepted; Tandem is its own script.",
        env=False,
        file=False,
        legacy="distillation.script.path",
    ),
    SettingKey(
        "output_models",
        "The output root where distillation.output.root is not given; else it moves nothing.",
        "path",
        env=False,
        file=False,
        legacy="distillation.output.models",
    ),
    SettingKey(
        "output_logs",
        "Moves nothing: a log lies in its run's folder.",
        "path",
        env=False,
        file=False,
        legacy="distillation.output.logs",
    ),
    SettingKey(
        "output_checkpoints",
        "Moves nothing: checkpoints lie in their run's folder.",
        "path",
        env=False,
        file=False,
        legacy="distillation.output.checkpoints",
    ),
)

MODEL_TABLES = {
    "teachers": "distillation.models.teacher",
    "students": "distillation.models.student",
    "data_sources": "distillation.data.sources",
}
"""Tables of name to path, or to a source's keys: their key in tandem.yaml, and installed systems'
prefix."""

VARIABLES = {key.variable: key for key in KEYS if key.env}
NAMES = {key.name: key for key in KEYS if key.file}
LEGACY = {key.legacy: key for key in KEYS if key.legacy}


def describe_origin(origin: str) -> str:
    """Where a value came from, in the reader's language; a file and its key are as they are."""
    where, _, variable = origin.partition(" ")
    if where == "environment":
        return t("environment {variable}", variable=variable)
    return {"default": t("default"), "not set": t("not set")}.get(origin, origin)


def relaxed(key: str) -> str:
    """`api.base-url`, `api.base_url` and `api.baseUrl` are one key, as Spring reads them."""
    return re.sub(r"[-_]", "", key).lower()
