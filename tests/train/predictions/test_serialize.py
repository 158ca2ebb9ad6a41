"""What is kept of a last evaluation: bounded, alike in one process and in two, and never fatal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tandem.train.engines.run_folder import RunFolder
from tandem.train.predictions.boxes import BoxPredictions, above_threshold
from tandem.train.predictions.masks import MaskReservoir
from tests.conftest import Specs
from tests.train.engines.runs import events, run_here

K = 3


def keep(keeper: MaskReservoir, ious: np.ndarray, rows: range) -> MaskReservoir:
    for row in rows:
        mask = np.full((4, 4), row % K, np.uint8)
        keeper.add(row, float(ious[row]), np.eye(K, dtype=np.int64) * row, mask, mask)
    return keeper


def test_two_processes_keep_the_masks_that_one_does():
    ious = np.random.default_rng(0).random(200).round(2)  # some are equal
    alone = keep(MaskReservoir(7, 3), ious, range(200))
    shares = [keep(MaskReservoir(7, 3), ious, range(rank, 200, 2)) for rank in (0, 1)]
    together = MaskReservoir(7, 3)
    for one in shares:
        together.join(one, ious)
    assert together.kept == alone.kept
    assert together.pairs == alone.pairs
    order = sorted(range(200), key=lambda row: (ious[row], row))
    best = sorted(range(200), key=lambda row: (-ious[row], row))
    assert alone.kept.keys() == {*order[:7], *best[:3]}


def test_few_images_all_keep_their_masks():
    assert len(keep(MaskReservoir(7, 3), np.linspace(0, 1, 5), range(5)).kept) == 5


class Split:
    classes = ("ball", "box")

    def __init__(self, *items: object) -> None:
        self.items = list(items)


def test_boxes_below_their_classs_threshold_are_no_answer():
    from tandem.data.content import Item, Shape

    looked_at = Item(b"a.png", 64, 48, shapes=[Shape(1, box=(10, 20, 30, 50))])
    unseen = Item(b"b.png")
    found = np.array([[1, 2, 11, 22, 0.9, 0], [0, 0, 5, 5, 0.4, 0], [9, 9, 20, 20, 0.4, 1]])
    split = Split(looked_at, unseen)
    kept = above_threshold([found, found[:0]], split.classes, {"ball": 0.5, "box": 0.3})
    told = BoxPredictions(split, kept, np.array([0.5]), [[[1, 0], [2, 1]], []])
    first, second = told.lines(9)
    assert first["truth"]["boxes"] == [
        {"label": "box", "box": [10, 20, 20, 30], "confidence": None, "outlines": None}
    ]
    said = [(one["label"], one["box"]) for one in first["answer"]["boxes"]]
    assert said == [("ball", [1, 2, 10, 20]), ("box", [9, 9, 11, 11])]
    assert (first["score"], first["right"], first["width"], first["height"]) == (0.5, False, 64, 48)
    assert (first["pairs"], second["pairs"]) == ([[1, 0], [2, 1]], [])
    assert (second["truth"], second["score"], second["right"]) == (None, None, None)


def test_a_full_disk_costs_the_answers_and_not_the_run(
    spec_of: Specs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from tandem.train.predictions import write

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "_write_masks", full)
    spec = spec_of(run__save_checkpoints=False, optim__epochs=1)
    spec["mode"] = "direct"
    del spec["teacher"]
    assert run_here(spec, tmp_path) == 0
    out = Path(spec["run"]["output_dir"])
    assert not list(out.glob("*predictions*"))
    assert any("disk is full" in one["message"].casefold() for one in events(spec, "notice"))
    monkeypatch.undo()
    assert RunFolder(out).finished


def test_a_name_outside_of_the_dataset_keeps_its_own_place(tmp_path: Path):
    from tandem.train.predictions.write import _name

    (tmp_path / "link").symlink_to(tmp_path)
    root = str(tmp_path.resolve())
    assert _name(f"{root}/a/b.png", root) == "a/b.png"
    assert _name(f"{root}/link/a.png", f"{root}/link") == "a.png"
    assert _name(f"{root}/link/b.png", root + "/x") == f"{root}/b.png"
    assert _name(f"{root}/c.png", f"{root}/a") == f"{root}/c.png"
    assert json.loads(json.dumps(_name(f"{root}/\udce9.png", root))) == "\udce9.png"
