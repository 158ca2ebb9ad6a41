"""`tandem data clean`: copies go, shown first; labels that contradict each other stay."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from tandem.data.faults import Faults
from tandem.data.registry import read
from tandem.data.writing.clean import clean
from tandem.spec.errors import DataError
from tests.data import make


def names(path: Path) -> dict[str, list[str]]:
    return {split: [one.name for one in items] for split, items in read(path, Faults()).splits()}


def test_copies_go_from_train_and_what_is_labelled_stays(tmp_path: Path) -> None:
    one = tmp_path / "one"
    make.classification(one)
    shutil.copy(one / "val/cat/3.png", one / "train/cat/again.png")
    shutil.copy(one / "train/dog/2.png", one / "unlabeled/again.png")
    shutil.copy(one / "train/dog/2.png", one / "train/cat/wrong.png")
    before = sorted(path.name for path in one.rglob("*"))
    said = clean(one)
    assert [(copy.name, copy.split, copy.kept) for copy in said.removed] == [
        ("train/cat/again.png", "train", "val/cat/3.png"),
        ("unlabeled/again.png", "train", "train/cat/wrong.png"),
    ]
    assert said.conflicts == [("train/cat/wrong.png", "train/dog/2.png")]
    assert said.written is None
    assert sorted(path.name for path in one.rglob("*")) == before
    clean(one, tmp_path / "two")
    assert sorted(path.name for path in one.rglob("*")) == before
    kept = [name for several in names(tmp_path / "two").values() for name in several]
    assert "train/cat/again.png" not in kept
    assert {"val/cat/3.png", "train/cat/wrong.png", "train/dog/2.png"} <= set(kept)


@pytest.mark.parametrize("name", make.BOXES)
def test_the_same_boxes_twice_are_one_in_every_layout(name: str, tmp_path: Path) -> None:
    make.ALL[name](tmp_path / "one")
    assert not clean(tmp_path / "one", tmp_path / "two").removed
    assert make.boxes_of(make.read(tmp_path / "two")[0]) == make.TRUTH


def test_near_copies_go_only_where_that_is_asked_for(tmp_path: Path) -> None:
    one = tmp_path / "one"
    make.classification(one)
    with Image.open(one / "train/cat/0.png") as image:
        image.resize((80, 60)).save(one / "train/cat/larger.png")
    assert not clean(one).removed
    assert [(copy.name, copy.near) for copy in clean(one, near=True).removed] == [
        ("train/cat/larger.png", True)]  # fmt: skip


def test_what_is_faulty_stops_it_or_is_left_out(tmp_path: Path) -> None:
    one = tmp_path / "one"
    make.classification(one)
    (one / "train/cat/0.png").write_bytes((one / "train/cat/0.png").read_bytes()[:-400])
    with pytest.raises(DataError, match="truncated"):
        clean(one)
    said = clean(one, tmp_path / "two", leave_out=True)
    assert len(said.left_out) == 1
    assert "train/cat/0.png" not in names(tmp_path / "two")["train"]
