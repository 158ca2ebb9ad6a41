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
class Key:
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


KEYS: tuple[Key, ...] = (
    Key("home", "Holds all of Tandem's state.", "path", "~/.tandem"),
    Key("datasets_root", "Data sets lie here by their ids.", "path", "{home}/datasets",
        "distillation.datasets.root"),
    Key("models_root", "Teachers lie here by their names.", "path", "{home}/models",
        "distillation.models.root"),
    Key("output_root", "Runs without --output_dir go here.", "path", "{home}/runs",
        "distillation.output.root"),
    Key("cache_root", "What teachers said, kept between runs.", "path", "{home}/cache"),
    Key("api_base_url", "Where `tandem report --send` delivers when nothing else is said.",
        legacy="distillation.api.base-url"),
    Key("database_url", "The service's database.", "secret",
        "sqlite:///{home}/tandem.db", "spring.datasource.url"),
    Key("host", "Where the service listens.", default="127.0.0.1"),
    Key("port", "The service's port.", "number", "8080"),
    Key("server_url", "The service that commands speak to; else host and port."),
    Key("access_token", "Opens the service; needed where it listens beyond this machine.",
        "secret", file=False),
    Key("allowed_hosts", "Further names the service answers to, with commas between."),
    Key("allowed_origins", "Web pages elsewhere that may use the service, with commas between."),
    Key("cpu_slots", "Trainings on the CPU at once. 0: one for each eight cores.", "number", "0"),
    Key("max_resumes", "Times a lost run is started again by itself.", "number", "2"),
    Key("stop_grace_seconds", "How long a run that was asked to stop may take.", "number", "120"),
    Key("silence_seconds", "After so long without a sign, a run is taken for lost.", "number",
        "600"),
    Key("max_body_bytes", "The largest request the service reads.", "number", "2000000"),
    Key("max_upload_bytes", "The largest data set that may be uploaded.", "number",
        "107374182400"),
    Key("keep_checkpoints_every", "Old runs keep the last checkpoint and every n-th.", "number",
        "0"),
    Key("executor", "What launches the service's runs; local: processes of its machine.",
        default="local"),
    Key("web_root", "The built console; else the one of the package.", "path"),
    Key("lang", "zh or en; else the locale's.", file=False),
    Key("run_token", "The token a run shows to the service it reports to.", "secret", file=False),
    Key("config", "A further YAML file of settings.", "path", file=False),
    Key("database_username", "Joined into database_url.", env=False, file=False,
        legacy="spring.datasource.username"),
    Key("database_password", "Joined into database_url.", "secret", env=False, file=False,
        legacy="spring.datasource.password"),
    Key("python_path", "Accepted; Tandem runs in its own Python.", env=False, file=False,
        legacy="distillation.python.path"),
    Key("script_path", "Accepted; Tandem is its own script.", env=False, file=False,
        legacy="distillation.script.path"),
    Key("output_models", "Accepted; a model lies in its run's folder.", env=False, file=False,
        legacy="distillation.output.models"),
    Key("output_logs", "Accepted; a log lies in its run's folder.", env=False, file=False,
        legacy="distillation.output.logs"),
    Key("output_checkpoints", "Accepted; checkpoints lie in their run's folder.", env=False,
        file=False, legacy="distillation.output.checkpoints"),
)  # fmt: skip

MODEL_TABLES = {
    "teachers": "distillation.models.teacher",
    "students": "distillation.models.student",
}
"""Tables of name to path: their key in tandem.yaml, and installed systems' prefix."""

VARIABLES = {key.variable: key for key in KEYS if key.env}
NAMES = {key.name: key for key in KEYS if key.file}
LEGACY = {key.legacy: key for key in KEYS if key.legacy}


def place(origin: str) -> str:
    """Where a value came from, in the reader's language; a file and its key are as they are."""
    kind, _, variable = origin.partition(" ")
    if kind == "environment":
        return t("environment {variable}", variable=variable)
    return {"default": t("default"), "not set": t("not set")}.get(origin, origin)


def relaxed(key: str) -> str:
    """`api.base-url`, `api.base_url` and `api.baseUrl` are one key, as Spring reads them."""
    return re.sub(r"[-_]", "", key).lower()
