"""What an installed system's own way of setting up meets: an older Python, requirements.txt."""

from __future__ import annotations

import ast
import re
import runpy
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ("train_distillation.py", "train_qwen_vl_distillation.py")


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_older_python_is_told_what_is_needed(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 7))  # it gets as far as the sentence
    monkeypatch.setattr(sys, "version_info", (3, 9, 18, "final", 0))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / name), run_name="__main__")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "Tandem needs Python 3.11 or 3.12, and this is 3.9" in said
    assert len(said.splitlines()) == 1


def test_requirements_txt_installs_every_package_that_is_needed() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    [named] = [line for line in lines if line and not line.startswith("#")]
    lock = ROOT / named.removeprefix("-r ")
    locked = set(re.findall(r"^([a-z0-9_.-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[\[>=<;! ]", one)[0] for one in project["dependencies"]}
    assert wanted <= locked
