"""A folder that can be read in several ways: the reading is told, and chosen by --type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tandem.commands.data.check import main
from tandem.data.inspection.check import report
from tandem.data.registry import readings
from tandem.data.writing import convert, split
from tandem.spec.errors import DataError
from tandem.spec.run import DataSpec
from tandem.train.data import classification
from tandem.train.types import SilentProgress
from tests.data import make


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    make.sequence(tmp_path / "clips")
    return tmp_path / "clips"


def test_the_other_readings_are_told_and_end_once_one_is_chosen(clips: Path) -> None:
    said = report(clips)
    assert (said.format, said.could_be) == ("sequence", ["classification"])
    assert any("could also be classification" in one for one in said.notes)
    chosen = report(clips, layout="classification")
    assert (chosen.format, chosen.items) == ("classification", {"train": 6, "val": 6})
    assert not any("could also be" in one for one in chosen.notes)
    make.write(clips / "meta.json", '{"type": "classification"}')
    assert [one.name for one in readings(clips)] == ["classification", "sequence"]
    assert not any("could also be" in one for one in report(clips).notes)


def test_a_layout_that_one_reading_fits_says_nothing(tmp_path: Path) -> None:
    make.classification(tmp_path)
    said = report(tmp_path)
    assert (said.could_be, said.notes) == ([], [])


def test_outlines_read_as_boxes_are_told(tmp_path: Path) -> None:
    make.yolo_polygons(tmp_path)
    assert any("--kind segmentation" in one for one in report(tmp_path, "detection").notes) is False
    make.coco(tmp_path / "coco")
    assert any("--kind segmentation" in one for one in report(tmp_path / "coco").notes)


def test_every_command_reads_as_it_is_told(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = convert.convert(clips, tmp_path / "out", "classification", layout="classification")
    assert made.items == {"train": 6, "val": 6}
    assert split.split(clips, 0.2, 0, layout="classification").kind == "classification"
    monkeypatch.setattr("sys.argv", ["check", str(clips), "--type", "classification", "--json"])
    assert main() == 0
    assert json.loads(capsys.readouterr().out)["format"] == "classification"
    monkeypatch.setattr("sys.argv", ["check", str(clips), "--type", "clips"])
    with pytest.raises(DataError, match="no data format"):
        main()
    spec = DataSpec(dataset=str(clips), type="classification")
    splits = classification.read(spec, index_root=None, progress=SilentProgress())
    assert (len(splits.train), len(splits.val)) == (6, 6)


def test_labels_beside_images_are_no_class_folders(tmp_path: Path) -> None:
    make.ALL["labelme"](tmp_path)
    assert [one.name for one in readings(tmp_path)] == ["labelme"]
