"""What the service needs of the configuration, read once at its start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tandem.config.settings import Settings, load

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class ServerSettings:
    """One settings class for the whole service."""

    everything: Settings
    """Roots and models' names, from which a request is completed to a RunSpec."""
    host: str
    port: int
    database_url: str = field(repr=False)
    access_token: str | None = field(repr=False)
    allowed_hosts: tuple[str, ...]
    allowed_origins: tuple[str, ...]
    cpu_slots: int
    max_resumes: int
    stop_grace_seconds: float
    silence_seconds: float
    max_body_bytes: int
    max_upload_bytes: int
    keep_checkpoints_every: int
    executor: str
    web_root: Path | None
    """The built console; None: the one of the package."""

    @property
    def home(self) -> Path:
        return self.everything.home

    @property
    def output_root(self) -> Path:
        return self.everything.path("output_root")

    @property
    def datasets_root(self) -> Path:
        return self.everything.path("datasets_root")

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK


def read(
    env: Mapping[str, str] | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
) -> ServerSettings:
    """The configuration, with what the command line says on top. SpecError on a wrong one."""
    found = load(env)

    def number(name: str) -> int:
        return int(found.text(name) or 0)

    return ServerSettings(
        everything=found,
        host=host or found.text("host") or "127.0.0.1",
        port=number("port") if port is None else port,
        database_url=found.text("database_url") or "",
        access_token=found.text("access_token"),
        allowed_hosts=_names(found.text("allowed_hosts")),
        allowed_origins=_names(found.text("allowed_origins")),
        cpu_slots=number("cpu_slots") or max(1, (os.cpu_count() or 1) // 8),
        max_resumes=number("max_resumes"),
        stop_grace_seconds=number("stop_grace_seconds"),
        silence_seconds=number("silence_seconds"),
        max_body_bytes=number("max_body_bytes"),
        max_upload_bytes=number("max_upload_bytes"),
        keep_checkpoints_every=number("keep_checkpoints_every"),
        executor=found.text("executor") or "local",
        web_root=found.path("web_root") if found.text("web_root") else None,
    )


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip().rstrip("/") for part in (text or "").split(",") if part.strip())
