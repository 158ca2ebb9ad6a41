"""What a person at the command line sees: the exit code, and what is said on standard error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tandem.commands.guard import guarded
from tandem.commands.runs.train import train
from tests.train.engines.runs import measured_once

SETTINGS = {"teacher.image_size": "56", "report.tensorboard": "false", "data.workers": "0"}


class Person:
    """Types `tandem train` in this process, in a home of their own."""

    def __init__(
        self, capfd: pytest.CaptureFixture[str], data: Path, teacher: Path, tmp_path: Path
    ) -> None:
        self.capfd = capfd
        self.output = tmp_path / "run"
        self.flags = {
            "task_id": "test",
            "teacher_path": str(teacher),
            "dataset_id": data.name,
            "datasets_root": str(data.parent),
            "student_model": "resnet18",
            "image_size": "32",
            "batch_size": "16",
            "epochs": "1",
            "gpu_devices": "cpu",
            "output_dir": str(self.output),
        }

    def types(self, settings: Mapping[str, str] | None = None, **flags: str) -> tuple[int, str]:
        """Exit code and standard error."""
        words = [
            word for key, value in (self.flags | flags).items() for word in (f"--{key}", value)
        ]
        for key, value in (SETTINGS | dict(settings or {})).items():
            words += ["--set", f"{key}={value}"]
        self.capfd.readouterr()
        with measured_once():
            code = guarded(lambda: train(words))
        return code, self.capfd.readouterr().err

    def is_refused(self, settings: Mapping[str, str] | None = None, **flags: str) -> str:
        """The one line that says why: exit 2, and nothing that could be taken for a result."""
        code, told = self.types(settings, **flags)
        assert code == 2, told
        lines = [line for line in told.splitlines() if line.strip()]
        assert len(lines) == 1, told
        assert "Traceback" not in told
        for name in ("final_model", "checkpoints", "report.json"):
            assert not (self.output / name).exists()
        return lines[0]
