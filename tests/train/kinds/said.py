"""What a run has written and said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.train.engines.runs import run_here


def report(spec: dict) -> dict:
    """What a run has written at its end."""
    return json.loads((Path(spec["run"]["output_dir"]) / "report.json").read_text())


def model(spec: dict) -> Path:
    return Path(spec["run"]["output_dir"]) / "final_model"


def refusal(spec: dict, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence that a run ends with; never a traceback."""
    capsys.readouterr()
    code = run_here(spec, folder)
    out, err = capsys.readouterr()
    assert code in (2, 3, 4, 5), (code, out, err)
    assert "Traceback" not in out + err
    return out + err
