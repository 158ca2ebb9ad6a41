"""Names that no file can have, at the command line: one sentence, exit 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.cli import main

LONG = "a" * 300


@pytest.mark.parametrize(
    "line",
    [
        ["data", "check", LONG],
        ["data", "check", f"x/{LONG}/y"],
        ["data", "check", "loop/x"],
        ["data", "check", "file/x"],
        ["data", "convert", LONG, "out", "--to", "yolo"],
        ["data", "convert", "file", "file/out", "--to", "yolo"],
        ["report", LONG],
        ["report", "loop"],
        ["train", "--dataset_id", LONG, "--training_mode", "direct"],
        ["train", "--config", LONG],
        ["train", "--dataset_id", "file", "--output_dir", f"x/{LONG}/y"],
        ["annotate", LONG, "file", "out"],
        ["annotate", "file", LONG, "out"],
    ],
    ids=lambda line: " ".join(one[:12] for one in line),
)
def test_one_sentence_and_exit_2(
    line: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").touch()
    monkeypatch.setattr("sys.argv", ["tandem", *line])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert told.err.strip()
