"""No link of a data set leads out of it, whichever file or folder it stands for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tandem.data.inspection.check import report
from tests.data import make

OUT = {"yolo": "labels/train/a.txt", "coco": "annotations/train.json", "voc": "Annotations/a.xml",
       "voc_segmentation": "SegmentationClass/a.png",
       "labelme": "train/a.json", "text": "train.csv", "instruction": "train.jsonl",
       "csv": "labels.csv", "labelstudio": "label_studio.json", "segmentation": "masks/train/a.png",
       "caption": "train/a.txt", "classification": "train/cat/0.png",
       "sequence": "train/cat/clip 0/1.png"}  # fmt: skip


@pytest.mark.parametrize("name", sorted(make.ALL))
@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
def test_no_link_leads_out(name: str, folder: bool, tmp_path: Path) -> None:
    path, outside = tmp_path / "data", tmp_path / "outside"
    made = make.ALL[name](path)
    linked = path / (OUT[name] if name in OUT else str(made))
    if folder:
        linked = linked.parent
    if linked == path:
        pytest.skip("the file lies in the root")
    outside.mkdir()
    linked.rename(outside / "moved")
    linked.symlink_to(outside / "moved")
    (path / "meta.json").write_text(f'{{"type": "{name}"}}')
    said = report(path)
    assert not said.ok
    assert any("leads out of the data set" in one.sentence() for one in said.faults), said.faults
    assert os.path.lexists(linked)
