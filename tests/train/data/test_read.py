from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tandem.spec.errors import DataError
from tandem.spec.run import DataSpec
from tandem.train.data import classification, inspect_files
from tandem.train.types import UNLABELLED, SilentProgress, Splits
from tests.conftest import SHAPES, draw_shape, make_shapes
from tests.train.data.test_images import bomb


class Listener(SilentProgress):
    def __init__(self) -> None:
        self.notices: list[str] = []
        self.warnings: list[str] = []

    def notice(self, message: str, warning: bool = False) -> None:
        (self.warnings if warning else self.notices).append(message)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_shapes(tmp_path / "shapes", train=6, val=2)


def read(folder: Path, listener: Listener | None = None, **changes: object) -> Splits:
    spec = DataSpec.model_validate({"dataset": str(folder), **changes})
    index = folder.parent / "index"
    return classification.read(spec, index_root=index, progress=listener or SilentProgress())


def refused(folder: Path, match: str, **changes: object) -> DataError:
    with pytest.raises(DataError, match=match) as caught:
        read(folder, **changes)
    assert caught.value.exit_code == 2
    assert caught.value.fix is not None
    return caught.value


def make_image(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_shape("circle", np.random.default_rng([seed, 99])).save(path)


def test_train_val_and_unlabelled(tmp_path: Path) -> None:
    splits = read(make_shapes(tmp_path / "shapes", train=3, val=2, unlabelled=4))
    assert splits.train.classes == splits.val.classes == SHAPES
    assert splits.train.labels_N.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [UNLABELLED] * 4
    assert splits.val.labels_N.tolist() == [0, 0, 1, 1, 2, 2]
    assert splits.train.path(0) == tmp_path / "shapes/train/circle/0.png"
    assert splits.train.path(12).parent.name == "unlabeled"
    assert splits.train.hashes_N.shape == (13, 16)
    assert splits.notes == ()


def test_chinese_names_spaces_suffixes_and_nested_folders(tmp_path: Path) -> None:
    root = tmp_path / "图片 集"
    for split in ("train", "val"):
        make_image(root / split / "小 猫" / "子文件夹" / "一 张.PNG", 1 + (split == "val"))
        make_image(root / split / "dog" / "b.Jpg", 3 + (split == "val"))
    make_image(root / "train" / ".hidden" / "a.png")
    make_image(root / "train" / "dog" / ".thumb.png")
    make_image(root / "train" / "__MACOSX" / "dog" / "a.png")
    (root / "train" / "dog" / "Thumbs.db").write_bytes(b"x")
    splits = read(root)
    assert splits.train.classes == ("dog", "小 猫")
    assert [splits.train.path(row).name for row in range(2)] == ["b.Jpg", "一 张.PNG"]
    assert splits.train.path(1).exists()
    assert "1 files" in splits.notes[0]


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    folder = make_shapes(tmp_path / "shapes", train=2, val=1)
    circles = folder / "train/circle"
    (circles / "0.png").rename(circles / os.fsdecode(b"\xff.png"))
    splits = read(folder)
    assert any(os.fsencode(splits.train.path(row)).endswith(b"\xff.png") for row in range(2))
    assert all(splits.train.path(row).exists() for row in range(len(splits.train)))


def test_without_val_a_part_of_each_class_is_held_out(tmp_path: Path) -> None:
    folder = make_shapes(tmp_path / "shapes", train=20, val=0, unlabelled=3)
    shutil.rmtree(folder / "val")
    splits = read(folder)
    assert np.bincount(splits.val.labels_N).tolist() == [3, 3, 3]
    assert len(splits.train) == 51 + 3
    assert "9 pictures (15% of each class)" in splits.notes[0]
    mine = {splits.train.path(row) for row in range(len(splits.train))}
    assert mine.isdisjoint(splits.val.path(row) for row in range(9))
    assert (read(folder).val.paths_N == splits.val.paths_N).all()
    # Chosen by content: under other names it is the same pictures.
    held = {one.tobytes() for one in splits.val.hashes_N}
    for name in SHAPES:
        shutil.move(folder / "train" / name, folder / "train" / f"z{name}")
    assert {one.tobytes() for one in read(folder).val.hashes_N} == held


def test_a_class_with_one_image_keeps_it_to_learn_from(tmp_path: Path) -> None:
    folder = make_shapes(tmp_path / "shapes", train=4, val=0)
    for number in range(1, 4):
        (folder / f"train/circle/{number}.png").unlink()
    splits = read(folder)
    assert np.bincount(splits.train.labels_N).tolist() == [1, 3, 3]
    assert sorted(splits.val.labels_N) == [1, 2]


def test_another_dataset_validates(folder: Path, tmp_path: Path) -> None:
    other = make_shapes(tmp_path / "other", train=4, val=3, seed=5)
    splits = read(folder, val_dataset=str(other))
    assert len(splits.val) == 9
    assert splits.val.path(0).is_relative_to(other)
    shutil.rmtree(other / "val")
    assert len(read(folder, val_dataset=str(other)).val) == 12
    (other / "train/circle").rename(other / "train/oval")
    refused(folder, r"it lacks: circle; it has besides: oval", val_dataset=str(other))


@pytest.mark.parametrize("split", ["train", "val", "valid", "test", None])
def test_a_validation_set_may_hold_any_split_or_bare_class_folders(
    split: str | None, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    for seed, name in enumerate(SHAPES):
        make_image(other / split / name / "0.png" if split else other / name / "0.png", seed)
    splits = read(folder, val_dataset=str(other))
    assert splits.val.labels_N.tolist() == [0, 1, 2]


def test_the_root_and_the_id(folder: Path, tmp_path: Path) -> None:
    spec = DataSpec(root=folder.parent, dataset="shapes")
    assert len(classification.read(spec, index_root=None, progress=SilentProgress()).train) == 18
    refused(Path("shape"), r"no data set shape in .* Allowed: .*shapes", root=folder.parent)
    outside = tmp_path / "root"
    outside.mkdir()
    refused(Path("../shapes"), "lies outside the datasets root", root=outside)
    refused(folder, "lies outside the datasets root", root=outside)
    (outside / "linked").symlink_to(folder)
    refused(Path("linked"), "lies outside the datasets root", root=outside)


def test_what_is_not_there_or_empty(tmp_path: Path) -> None:
    refused(tmp_path / "gone", r"no data set at .*gone")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", r"The data set .*empty is empty\. Put pictures into")
    for shape in SHAPES:
        (tmp_path / "hollow" / "train" / shape).mkdir(parents=True)
    refused(tmp_path / "hollow", "is empty: no class folder of train holds a picture")
    make_image(tmp_path / "flat" / "a.png")
    refused(tmp_path / "flat", r"laid out like no data set .*train/<class>/")
    make_image(tmp_path / "loose" / "train" / "a.png")
    refused(tmp_path / "loose", "holds pictures, but no folder for each class")
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file", "is a file; a folder is wanted")


def test_classes_that_cannot_be_meant(folder: Path) -> None:
    make_image(folder / "val" / "star" / "a.png")
    error = refused(folder, r"val has the class star, which train lacks")
    assert error.allowed == list(SHAPES)
    shutil.rmtree(folder / "val" / "star")
    (folder / "train" / "star").mkdir()
    refused(folder, "the class folder star holds no picture")
    (folder / "train" / "star").rmdir()
    for shape in ("cross", "square"):
        shutil.rmtree(folder / "train" / shape)
    shutil.rmtree(folder / "val")
    refused(folder, "has only one class, circle; two are the least")


def test_num_classes_that_disagrees(folder: Path) -> None:
    refused(
        folder, r"num_classes is 10, but .* has 3 classes: circle, cross, square", num_classes=10
    )
    assert read(folder, num_classes=3)


def test_nothing_labelled_takes_its_classes_from_val(tmp_path: Path) -> None:
    folder = make_shapes(tmp_path / "shapes", train=0, val=2, unlabelled=5)
    shutil.rmtree(folder / "train")
    splits = read(folder)
    assert splits.train.labels_N.tolist() == [UNLABELLED] * 5
    assert splits.train.classes == SHAPES


def test_one_bad_file_is_named(folder: Path) -> None:
    bad = folder / "train/circle/1.png"
    bad.write_bytes(bad.read_bytes()[:200])
    refused(folder, r"train/circle/1\.png is truncated or damaged")
    bad.write_text("no picture")
    refused(folder, r"train/circle/1\.png is no picture")
    bomb(bad)
    refused(folder, r"1\.png has 30000 x 30000 pixels, more than 120000000")


def test_of_many_bad_files_some_are_named_and_the_rest_counted(folder: Path) -> None:
    for number in range(5):
        (folder / f"train/circle/{number}.png").write_text("no picture")
    error = refused(folder, r"5 pictures cannot be used")
    said = str(error)
    assert said.count("is no picture") == 3
    assert "And 2 more." in said
    assert "\n" not in said


def test_a_second_reading_opens_only_what_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    real = inspect_files.opened

    def counted(path: Path, max_pixels: int) -> tuple[bytes, int]:
        opened.append(path)
        return real(path, max_pixels)

    monkeypatch.setattr(inspect_files, "opened", counted)
    first = read(folder)
    assert len(opened) == 24
    opened.clear()
    assert (read(folder).train.hashes_N == first.train.hashes_N).all()
    assert opened == []
    make_image(folder / "train/cross/2.png", 7)
    changed = read(folder)
    assert opened == [folder / "train/cross/2.png"]
    assert (changed.train.hashes_N != first.train.hashes_N).any(1).sum() == 1
    opened.clear()
    index = inspect_files.index_file(folder, folder.parent / "index")
    index.write_bytes(index.read_bytes()[:100])
    read(folder)
    assert len(opened) == 24


def test_a_lower_limit_is_checked_again(tmp_path: Path) -> None:
    folder = make_shapes(tmp_path / "shapes", train=2, val=1)
    Image.new("RGB", (200, 100)).save(folder / "train/circle/big.png")
    read(folder)
    refused(folder, r"big\.png has 200 x 100 pixels", max_image_pixels=10_000)


def test_images_of_val_that_are_in_train_are_counted(folder: Path) -> None:
    shutil.copy(folder / "train/cross/0.png", folder / "val/cross/copy.png")
    shutil.copy(folder / "train/cross/0.png", folder / "train/circle/copy.png")
    listener = Listener()
    read(folder, listener)
    assert "1 of the 7 validation pictures are also in train" in listener.warnings[0]
    assert "1 pictures of train lie in more than one class" in listener.warnings[1]


def test_links_stay_inside(folder: Path, tmp_path: Path) -> None:
    (folder / "train/circle/inside.png").symlink_to(folder / "train/cross/0.png")
    (folder / "val/star").symlink_to(folder / "train/circle")
    refused(folder, "which train lacks")
    (folder / "val/star").unlink()
    assert len(read(folder).train) == 19
    make_image(tmp_path / "elsewhere.png")
    (folder / "train/circle/link.png").symlink_to(tmp_path / "elsewhere.png")
    refused(folder, r"The link .*link\.png leads out of the data set")
    (folder / "train/circle/link.png").unlink()
    (folder / "train/circle/loop").symlink_to(folder / "train/circle")
    refused(folder, "leads back to a folder that it lies in")
    (folder / "train/circle/loop").unlink()
    (folder / "train/circle/dead.png").symlink_to(folder / "gone.png")
    refused(folder, "leads nowhere")


def test_meta_names_the_type(folder: Path) -> None:
    (folder / "meta.json").write_text(json.dumps({"type": "classification"}))
    assert read(folder)
    (folder / "meta.json").write_text(json.dumps({"type": "yolo9"}))
    error = refused(folder, "says the type 'yolo9', which cannot be trained on")
    assert error.allowed is not None
    assert "classification" in error.allowed
    (folder / "meta.json").write_text("{")
    refused(folder, r"meta\.json is no JSON")


def test_a_pipe_named_like_an_image_is_left_alone(folder: Path) -> None:
    os.mkfifo(folder / "train/circle/pipe.png")
    assert len(read(folder).train) == 18
