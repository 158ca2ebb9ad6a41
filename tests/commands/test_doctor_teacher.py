"""`tandem doctor --teacher`: what a teacher comes to, or a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tandem.cli import app
from tandem.spec.errors import SpecError, TeacherError
from tests.train.teachers.folders import build_encoder


def doctor(*words: str) -> str:
    done = CliRunner().invoke(app, ["doctor", *words], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_a_teacher_is_loaded_and_counted(home: Path) -> None:
    folder = build_encoder("dinov2", home / "models" / "dinov2-base")
    found = json.loads(doctor("--teacher", "dinov2-base", "--json"))
    assert found["path"] == str(folder)
    assert (found["family"], found["width"]) == ("hf_vision", 32)
    assert found["parameters"] > 10_000
    assert f"{found['parameters']:,}" in doctor("--teacher", "DINOv2 base")


def test_what_does_not_load_is_a_sentence(home: Path) -> None:
    folder = build_encoder("vit", home / "models" / "mine")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4000])
    with pytest.raises(TeacherError, match="mine"):
        doctor("--teacher", "mine")
    with pytest.raises(TeacherError, match="There is no teacher 'nothing'"):
        doctor("--teacher", "nothing")
    with pytest.raises(SpecError, match="Allowed: auto, fp32"):
        doctor("--teacher", "mine", "--precision", "fp8")
