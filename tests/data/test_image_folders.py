"""Class folders as the world lays them out: splits of any name, or none; never a layout's parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.data.content import Content
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.registry import find
from tandem.data.writing import convert
from tandem.spec.errors import DataError
from tests.data import make


def folders(root: Path, *names: str) -> Path:
    """A picture in each; no two alike."""
    for seed, name in enumerate(names):
        make.draw(root / name / f"{seed}.png", [], seed)
    return root


def counts(content: Content) -> dict[str, int]:
    return {split: len(items) for split, items in content.splits()}


@pytest.mark.parametrize(("name", "split"), [
    ("val", "val"), ("VALID", "val"), ("validation", "val"), ("dev", "val"), ("Test", "test"),
])  # fmt: skip
def test_a_split_of_any_name_is_read(name: str, split: str, tmp_path: Path) -> None:
    folders(tmp_path, "Train/cat", "Train/dog", f"{name}/cat", f"{name}/dog")
    content, faults = make.read(tmp_path)
    assert content.format == "classification"
    assert not faults
    assert counts(content) == {"train": 2, split: 2}
    assert content.classes == ("cat", "dog")


def test_two_folders_of_one_split_are_both_read_and_told(tmp_path: Path) -> None:
    folders(tmp_path, "train/cat", "train/dog", "val/cat", "valid/dog")
    content, _ = make.read(tmp_path)
    assert counts(content) == {"train": 2, "val": 2}
    assert "val is read from several folders: val, valid." in content.notes


def test_class_folders_at_the_top_are_train(tmp_path: Path) -> None:
    folders(tmp_path, "cat", "dog/young", "unlabeled", "predictions")
    content, _ = make.read(tmp_path)
    assert content.format == "classification"
    assert counts(content) == {"train": 3}
    assert [one.label for one in content.train] == [0, 1, -1]
    assert any("read as train" in one for one in content.notes)


@pytest.mark.parametrize("names", [("val/cat", "val/dog"), ("test/cat", "test/dog")])
def test_a_set_with_no_train_is_read_and_says_so(names: tuple[str, ...], tmp_path: Path) -> None:
    content, _ = make.read(folders(tmp_path, *names))
    assert counts(content) == {"train": 0, names[0].split("/")[0]: 2}
    assert content.classes == ("cat", "dog")
    assert any("no train split" in one for one in content.notes)


def test_what_lies_beside_the_splits_is_told(tmp_path: Path) -> None:
    folders(tmp_path, "train/cat", "train/dog", "bird")
    make.draw(tmp_path / "loose.png")
    content, _ = make.read(tmp_path)
    assert any("bird" in one for one in content.notes)
    assert any("1 pictures lie at the top" in one for one in content.notes)


@pytest.mark.parametrize("names", [
    ("images", "masks"), ("train/images", "train/masks", "val/images", "val/masks"),
    ("train/Images", "train/Labels"),
])  # fmt: skip
def test_parts_of_another_layout_are_never_classes(names: tuple[str, ...], tmp_path: Path) -> None:
    folders(tmp_path, *names)
    listing = FolderListing(tmp_path)
    assert not any(find(one).make().sniff(listing) for one in ("classification", "sequence"))
    make.write(tmp_path / "meta.json", '{"type": "classification"}')
    with pytest.raises(DataError, match="like a part of another layout"):
        make.read(tmp_path)


def test_a_class_that_train_lacks_is_a_fault_in_test_too(tmp_path: Path) -> None:
    folders(tmp_path, "train/cat", "train/dog", "test/cow")
    with pytest.raises(DataError, match="test has the class cow"):
        make.read(tmp_path)


def test_the_test_split_is_written(tmp_path: Path) -> None:
    folders(tmp_path / "one", "train/cat", "train/dog", "testing/cat")
    said = convert.convert(tmp_path / "one", tmp_path / "two", "classification")
    assert said.items == {"train": 2, "test": 1}
    assert (tmp_path / "two" / "test" / "cat" / "2.png").is_file()


@pytest.mark.parametrize("below", ["", "Train/"])
def test_clips_lie_in_class_folders_of_any_split(below: str, tmp_path: Path) -> None:
    for seed, name in enumerate(["cat/a", "cat/b", "dog/c"]):
        for frame in range(2):
            make.draw(tmp_path / f"{below}{name}" / f"{frame}.png", [], 10 * seed + frame)
    if below:
        make.draw(tmp_path / "validation" / "dog" / "d" / "0.png", [], 77)
        make.draw(tmp_path / "test" / "dog" / "e" / "0.png", [], 78)
    content, _ = make.read(tmp_path, "sequence")
    assert content.format == "sequence"
    assert counts(content) == ({"train": 3, "val": 1, "test": 1} if below else {"train": 3})
