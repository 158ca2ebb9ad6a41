"""`tandem data …` as a person meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tandem.commands.guard import guarded
from tandem.commands.i18n import run_program
from tests.data import make


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_LANG", "en")


def tandem(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    from tandem.cli import app

    monkeypatch.setattr(sys, "argv", ["tandem", "data", *map(str, words)])
    return guarded(lambda: run_program(app, "tandem"))


def test_check_lists_every_fault_and_ends_in_a_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make.yolo(tmp_path)
    assert tandem(monkeypatch, "check", tmp_path) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0 faults, 0 warnings."
    make.write(tmp_path / "labels/train/a.txt", "0 2 2 1 1\n5 0.5 0.5 0.1 0.1\n")
    make.write(tmp_path / "labels/val/gone.txt", "")
    assert tandem(monkeypatch, "check", tmp_path) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "labels/train/a.txt:1: 2 lies outside 0 to 1"
    assert lines[1].startswith("labels/train/a.txt:2: there is no class 5")
    assert lines[2].startswith("warning: labels/val/gone.txt: ")
    assert lines[3] == (
        "warning: train: there is no example of cat, dog: nothing can be learnt of it"
    )
    assert lines[-1] == "2 faults, 2 warnings."
    assert any(line.split() == ["dog", "0", "1"] for line in lines)
    assert tandem(monkeypatch, "check", tmp_path, "--json") == 2
    said = json.loads(capsys.readouterr().out)
    assert said["errors"] == 2
    assert said["faults"][0] == {"file": "labels/train/a.txt", "line": 1, "warning": False,
                                 "what": "2 lies outside 0 to 1", "sentence": lines[0]}  # fmt: skip


def test_check_of_nothing_and_of_an_unknown_kind_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tandem(monkeypatch, "check", tmp_path / "gone") == 2
    assert "is not there" in capsys.readouterr().err
    make.yolo(tmp_path)
    assert tandem(monkeypatch, "check", tmp_path, "--kind", "detect") == 2
    assert "There is no kind 'detect' of data. Allowed: caption," in capsys.readouterr().err


def test_a_kind_that_the_layout_is_not_for_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make.voc(tmp_path / "one")
    assert tandem(monkeypatch, "check", tmp_path / "one", "--kind", "segmentation") == 2
    assert "is for detection, not for segmentation" in capsys.readouterr().out
    words = ("convert", tmp_path / "one", tmp_path / "two", "--to", "coco")
    assert tandem(monkeypatch, *words, "--kind", "segmentation") == 2
    assert "is for detection, not for segmentation" in capsys.readouterr().err


def test_the_light_start_loads_no_torch(tmp_path: Path) -> None:
    make.coco(tmp_path)
    script = (
        "import sys\nfrom tandem.commands.data.check import main\nsys.argv = ['x', *sys.argv[1:]]\n"
        "code = main()\nprint([m for m in ('torch', 'transformers', 'typer') if m in sys.modules],"
        " file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path), "--json"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["format"] == "coco"
    assert done.stderr.strip() == "[]"


def test_convert_says_what_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make.coco(tmp_path / "one")
    assert tandem(monkeypatch, "convert", tmp_path / "one", tmp_path / "two", "--to", "voc") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["It is read as detection; 4 of 4 shapes have outlines, which --kind "
                     "segmentation reads.",
                     "lost in 2 items: outlines become boxes",
                     f"{tmp_path / 'two'}: voc, detection; train 2, val 1."]  # fmt: skip
    assert make.boxes_of(make.read(tmp_path / "two")[0]) == make.TRUTH
    assert tandem(monkeypatch, "convert", tmp_path / "one", tmp_path / "two", "--to", "voc") == 2
    assert "is not empty" in capsys.readouterr().err


def test_convert_in_chinese(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TANDEM_LANG", "zh")
    make.coco(tmp_path / "one")
    assert tandem(monkeypatch, "convert", tmp_path / "one", tmp_path / "two", "--to", "voc") == 0
    assert "轮廓变成" in capsys.readouterr().out
    make.write(tmp_path / "one/annotations/train.json", "[]")
    assert tandem(monkeypatch, "check", tmp_path / "one") == 2
    said = capsys.readouterr().out
    assert "不是 COCO 文件" in said


def test_split_shows_first_and_writes_when_told_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(20):
        make.draw(
            tmp_path / f"one/train/{'ab'[number % 2]}/s{number // 4}_{number}.png", [], number
        )
    one, two = tmp_path / "one", tmp_path / "two"
    assert tandem(monkeypatch, "split", one, "--val", "0.2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["Nothing was written; -o names a folder to write to.",
                     "classification, classification; train 16, val 4."]  # fmt: skip
    words = (
        "split",
        one,
        "--val",
        "0.2",
        "--by",
        "group",
        "--group-pattern",
        r"(s\d+)_",
        "-o",
        two,
    )
    assert tandem(monkeypatch, *words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["items"] == {"train": 16, "val": 4}
    assert len({file.name[:2] for file in (two / "val").rglob("*.png")}) == 1
    assert tandem(monkeypatch, "split", one, "--by", "group") == 2
    assert "belong together" in capsys.readouterr().err
    assert tandem(monkeypatch, "split", one, "--by", "luck") == 2
    assert "no way 'luck' to split" in capsys.readouterr().err


def test_stats_prints_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make.yolo(tmp_path / "one")
    file = tmp_path / "figures.png"
    assert tandem(monkeypatch, "stats", tmp_path / "one", "--picture", file) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.endswith("one: yolo, detection, 2 classes.") for line in lines)
    assert any(line.startswith("Shapes in a picture") for line in lines)
    assert file.stat().st_size > 1000
    assert tandem(monkeypatch, "stats", tmp_path / "one", "--json") == 0
    assert json.loads(capsys.readouterr().out)["background"] == {"train": 1, "val": 0}
