"""What must work at once, in a fresh process: nothing of it may load torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "timm", "sklearn")


def fresh(*words: str, lang: str = "en") -> subprocess.CompletedProcess[str]:
    """`tandem …` that says at the end which heavy packages it has loaded."""
    script = (
        "import sys\nfrom tandem.cli import main\n"
        "try: main()\n"
        f"finally: print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "TANDEM_LANG": lang},
    )


@pytest.mark.parametrize(
    "words",
    [["--help"], ["config", "show"], ["catalog"], ["catalog", "--json"], ["train", "--help"],
     ["distill", "--help"], ["cache", "--help"], ["predict", "--help"]],
)  # fmt: skip
def test_runs_without_torch(words: list[str]) -> None:
    done = fresh(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert done.stderr.strip() == "[]"


def test_help_lists_every_command() -> None:
    said = fresh("--help").stdout
    for name in ("demo", "train", "distill", "predict", "report", "export", "catalog", "cache",
                 "config", "doctor"):  # fmt: skip
        assert f"\n  {name} " in said


def test_the_catalog_names_parameters_and_licences() -> None:
    said = fresh("catalog").stdout
    assert "resnet50" in said
    assert "25.6 M" in said
    assert "Apache-2.0" in said
    catalog = json.loads(fresh("catalog", "--json").stdout)
    assert "optim" in catalog["run_schema"]["properties"]


def test_an_error_is_one_line_and_a_code() -> None:
    done = fresh("train", "--dataset_id", "d", "--epoch", "1")
    assert done.returncode == 2
    *said, _ = done.stderr.splitlines()
    assert said == ["There is no flag --epoch; did you mean --epochs? --help lists them all."]


def test_the_spec_file_is_removed_and_private(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tandem.commands.runs import train
    from tandem.train import __main__ as trainer

    seen: list[tuple[int, str]] = []

    def main(argv: list[str]) -> int:
        file = Path(argv[0])
        seen.append((file.stat().st_mode & 0o777, json.loads(file.read_text())["task_id"]))
        return 75

    monkeypatch.setattr(trainer, "main", main)
    words = ["--dataset_id", "d", "--teacher_path", "/t", "--task_id", "job"]
    assert train.train(words) == 75
    assert seen == [(0o600, "job")]
    assert list((home / "tmp").iterdir()) == []
    assert not (home / "runs").exists()
