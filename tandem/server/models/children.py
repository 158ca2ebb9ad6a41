"""Processes that load a model for the service: what they are given, and how they end.

They get no GPU and no secret. Their state lies beside the model, so it is there after a restart.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from tandem.executors.local import without_secrets
from tandem.executors.processes import look

ENDED_BYTES = 4000
_PROCESS = ("pid", "born")


def environment(home: Path, language: str, *, gpu: bool = False) -> dict[str, str]:
    """The GPUs are leased to trainings by the dispatcher, which knows nothing of these."""
    told = {"TANDEM_HOME": str(home), "TANDEM_LANG": language, "PYTHONUNBUFFERED": "1"}
    kept = without_secrets(os.environ) | told
    return kept if gpu else kept | {"CUDA_VISIBLE_DEVICES": ""}


def wait(child: subprocess.Popen[bytes], seconds: float) -> None:
    """Until it ends, so that no zombie stays; one that takes longer is killed with its group."""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, 9)
        child.wait()


def has_ended(pid: int, born: str) -> bool:
    """Whether the process that was born then is gone, or another has its number."""
    seen = look(pid)
    return seen is None or seen.born != born


def last_words(file: Path, silence: str) -> str:
    """The last line of what it said on stderr, or `silence` where it said nothing."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - ENDED_BYTES))
            lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1][:1000] if lines else silence


def write_state(file: Path, state: Mapping[str, object]) -> None:
    """Whole or not at all."""
    hidden = file.with_name(f"{file.name}.{os.getpid()}")
    hidden.write_text(json.dumps(state, ensure_ascii=False, indent=1), encoding="utf-8")
    hidden.replace(file)


def as_shown(item: Mapping[str, object]) -> dict[str, object]:
    """A state for a page: without the process, its times as times."""
    kept = {name: one for name, one in item.items() if name not in _PROCESS}
    ended = item["ended_at"]
    return kept | {
        "started_at": datetime.fromisoformat(str(item["started_at"])),
        "ended_at": None if ended is None else datetime.fromisoformat(str(ended)),
    }
