"""Running the real trainer, in this process or in one that can be killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from unittest.mock import patch

import torch

from tandem.train.__main__ import main
from tandem.train.kinds import metrics

SECONDS_A_RUN_MAY_TAKE = 240


def write(spec: dict, folder: Path, name: str = "given.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(spec))
    return path


def run_here(spec: dict, folder: Path) -> int:
    """The trainer's exit code, without the seconds of a new process."""
    with measured_once():
        return main([str(write(spec, folder))])


def measured_once() -> AbstractContextManager[object]:
    """How quick a student is, from one pass in place of 60 (tests/train/report measures all)."""
    seconds = metrics._median_seconds

    def once(work: Callable[[], object], device: torch.device, **_: object) -> float:
        return seconds(work, device, least=1, most=1)

    return patch.object(metrics, "_median_seconds", once)


def start(spec: dict, folder: Path, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "tandem.train", str(write(spec, folder))]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )


def events(spec: dict, kind: str | None = None) -> list[dict]:
    """What the run has said so far; a line that is being written is not there yet."""
    file = Path(spec["run"]["output_dir"]) / "events.jsonl"
    if not file.is_file():
        return []
    said = [
        json.loads(line)
        for line in file.read_text().splitlines(keepends=True)
        if line.endswith("\n")
    ]
    return [one for one in said if kind is None or one["type"] == kind]


def wait_until(process: subprocess.Popen, reached: Callable[[], bool]) -> None:
    """Until `reached`, or fail with what the process printed."""
    end = time.monotonic() + SECONDS_A_RUN_MAY_TAKE
    while not reached():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise AssertionError(f"ended with {process.poll()}: {process.communicate()[0]}")
        time.sleep(0.005)


def weights(spec: dict) -> bytes:
    return (Path(spec["run"]["output_dir"]) / "final_model" / "model.safetensors").read_bytes()
