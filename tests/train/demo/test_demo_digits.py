"""The demonstration's data: real digits as an image folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tandem.train.demo import digits


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digits.write(tmp_path_factory.mktemp("data") / "digits")


def image_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.png"))


def test_a_tenth_is_labelled_and_each_digit_equally_often(folder: Path) -> None:
    for part, count in (("train", 10), ("val", 50)):
        found = Counter(path.parent.name for path in image_files(folder / part))
        assert found == dict.fromkeys(digits.CLASSES, count)
    assert len(image_files(folder / "unlabeled")) == 1197
    numbers = [path.stem for path in image_files(folder)]
    assert len(set(numbers)) == len(numbers) == 1797


def test_an_image_lies_in_the_folder_of_what_it_shows(folder: Path) -> None:
    source = load_digits()
    for path in image_files(folder / "train") + image_files(folder / "val"):
        assert int(path.parent.name) == source.target[int(path.stem)]
        image = Image.open(path)
        assert image.size == (32, 32)
        small = np.asarray(image.resize((8, 8), Image.Resampling.BOX)) / 255 * 16
        assert np.abs(small - source.images[int(path.stem)]).max() < 5


def test_another_seed_labels_others_and_validates_on_the_same(folder: Path, tmp_path: Path) -> None:
    again = digits.write(tmp_path / "again")
    other = digits.write(tmp_path / "other", seed=1)

    def names(root: Path, part: str) -> list[str]:
        return [path.name for path in image_files(root / part)]

    assert names(again, "train") == names(folder, "train") != names(other, "train")
    assert names(other, "val") == names(folder, "val")


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    mine = tmp_path / "digits" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("kept")
    digits.write(mine.parent)
    assert list(mine.parent.iterdir()) == [mine]


def test_a_write_that_breaks_off_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Image.Image.save
    count = iter(range(1000))

    def break_off(self: Image.Image, *args: object, **options: object) -> None:
        if next(count) == 100:
            raise OSError(28, "No space left on device")
        saved(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Image.Image, "save", break_off)
    with pytest.raises(OSError, match="No space"):
        digits.write(tmp_path / "digits")
    assert list(tmp_path.iterdir()) == []
