"""Where a data.yaml says that the pictures are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.data.inspection.check import report
from tests.data import make

LINE = "1 0.5 0.5 0.2 0.2\n"


def names(path: Path) -> dict[str, list[str]]:
    content, faults = make.read(path)
    assert not faults
    assert all(len(item.shapes or []) == 1 for _, items in content.splits() for item in items)
    return {split: [item.name for item in items] for split, items in content.splits()}


def place(root: Path, *images: str) -> None:
    for seed, image in enumerate(images):
        make.draw(root / image, [], seed)
        label = image.replace("images", "labels").rpartition(".")[0] + ".txt"
        make.write(root / label, LINE)


def test_several_folders_are_one_split(tmp_path: Path) -> None:
    place(tmp_path, "images/day/a.png", "images/night/a.png", "images/val/b.png")
    told = "train: [images/day, /far/images/night]\nval: images/val\nnames: [a, b]\n"
    make.write(tmp_path / "data.yaml", told)
    assert names(tmp_path) == {"train": ["images/day/a.png", "images/night/a.png"],
                               "val": ["images/val/b.png"]}  # fmt: skip
    make.write(tmp_path / "data.yaml", "train: [images/day, images/dusk]\nnames: [a, b]\n")
    assert not report(tmp_path).ok


def test_a_list_of_images_is_read_with_its_lines(tmp_path: Path) -> None:
    place(tmp_path, "images/all/a.png", "images/all/b.png", "images/all/c.png")
    make.write(tmp_path / "data.yaml", "path: /far/away\ntrain: train.txt\nval: val.txt\nnc: 2\n")
    make.write(tmp_path / "train.txt", "./images/all/a.png\n\n/far/away/images/all/c.png\n")
    make.write(tmp_path / "val.txt", "images/all/b.png\n")
    assert names(tmp_path) == {"train": ["images/all/a.png", "images/all/c.png"],
                               "val": ["images/all/b.png"]}  # fmt: skip
    make.write(tmp_path / "val.txt", "images/all/b.png\nimages/all/gone.png\n../../etc/x.png\n")
    said = report(tmp_path)
    assert [one.sentence() for one in said.faults if not one.warning] == [
        "val.txt:2: the picture images/all/gone.png is not there",
        "val.txt:3: the picture ../../etc/x.png is not there",
    ]


@pytest.mark.parametrize("above", ["images", "plain"])
def test_folders_above_the_dataset_have_no_say(above: str, tmp_path: Path) -> None:
    """`images` in the path to it is not the one that becomes `labels`."""
    root = tmp_path / above / "set"
    place(root, "train/a.png", "valid/images/b.png")
    make.write(root / "data.yaml", "train: train\nval: ../valid/images\nnames: [a, b]\n")
    assert names(root) == {"train": ["train/a.png"], "val": ["valid/images/b.png"]}


def test_one_folder_for_both_is_train_and_said(tmp_path: Path) -> None:
    place(tmp_path, "images/train/a.png")
    make.write(tmp_path / "data.yaml", "train: images/train\nval: images/train\nnames: [a, b]\n")
    said = report(tmp_path)
    assert said.ok
    assert said.items == {"train": 1}
    assert said.notes == ["data.yaml gives train and val the same pictures; val is left out."]
