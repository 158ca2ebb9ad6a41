"""What an executor does: launch a run, say whether it is there, ask it to stop, end it.

Every executor runs the same command, `python -m tandem.train SPEC` (`tandem.predict` for an
annotation job), in its own session, with the spec as a file and the run's token in the environment.
A handle outlives the server that made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from tandem.spec.errors import TandemError


class LaunchError(TandemError):
    """A run could not be started at all; `failure_class` says what sort of cause it has."""

    def __init__(self, what: str, *, failure_class: str = "code", **fields: object) -> None:
        super().__init__(what, **fields)  # type: ignore[arg-type]
        self.cause = failure_class


RUN_TOKEN = "tandem-run-"  # noqa: S105
"""How every run's token begins: one whose run is over is known for what it was."""


TRAINER = "tandem.train"


@dataclass(frozen=True)
class Launch:
    """One execution to be started."""

    task_id: str
    attempt: int
    spec_file: Path
    run_dir: Path
    token: str = field(repr=False)
    """Shown by the run in TANDEM_RUN_TOKEN; it tells a live process from a pid used again."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Further variables, such as CUDA_VISIBLE_DEVICES."""
    module: str = TRAINER
    """What is run: `python -m MODULE SPEC`."""


class Handle(BaseModel):
    """Finds a run's processes again, also from another server process. Stored in its row."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    executor: str
    id: str
    """A pid, or a cluster's job id."""
    born: str = ""
    """What tells this process from a later one with the same pid: start ticks and boot id."""
    host: str = ""
    exit_file: str = ""
    """Where the exit code is left, for a server that was not there."""


@dataclass(frozen=True)
class RunStatus:
    """`alive`, `ended` with the exit code if it is known (-9: killed by signal 9), or `gone`:
    nothing of it is there, and nothing says how it ended."""

    state: Literal["alive", "ended", "gone"]
    exit_code: int | None = None


class Executor(Protocol):
    """Launches and watches runs. No method blocks for long; none raises on a run that is gone."""

    name: str

    def launch(self, launch: Launch) -> Handle:
        """Start it. LaunchError when that cannot be done."""
        ...

    def status(self, handle: Handle, token_hash: str) -> RunStatus:
        """How it is. A process that is not the one launched counts as gone."""
        ...

    def find(self, spec_file: Path, token_hash: str) -> Handle | None:
        """What was launched from this file, for a server that died before it kept the handle.

        None is final: nothing was started, and a launch of it that comes late starts nothing.
        """
        ...

    def stop(self, handle: Handle, token_hash: str) -> None:
        """Ask it to save a checkpoint and end (SIGTERM to the trainer)."""
        ...

    def kill(self, handle: Handle, token_hash: str) -> None:
        """End all of its processes now (SIGKILL to the group)."""
        ...
