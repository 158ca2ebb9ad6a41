"""Each layout: found by looking, read right, and refused in a sentence when empty or broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tandem.data.inspection.check import report
from tandem.data.masks import item_mask
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.registry import formats, recognise
from tandem.spec.errors import DataError
from tests.data import make

BROKEN = {
    "caption": "train/a.png", "classification": "train/cat/0.png", "coco": "annotations/train.json",
    "csv": "labels.csv", "instruction": "train.jsonl", "labelme": "train/a.json",
    "labelstudio": "label_studio.json", "segmentation": "masks/train/a.png",
    "sequence": "train/cat/clip 0/1.png", "text": "train.csv", "voc": "Annotations/a.xml",
    "voc_segmentation": "SegmentationClass/a.png",
    "yolo": "labels/train/a.txt",
}  # fmt: skip
"""A file of each, the loss of which must be told."""


def test_every_layout_is_tested_here() -> None:
    packed = {name for name, entry in formats().items() if entry.packed}  # tests of their own
    assert packed == {"huggingface", "torchvision", "webdataset"}
    assert set(make.ALL) == set(formats()) - packed == set(BROKEN) | set(make.EXAMPLES)


@pytest.fixture(params=sorted(make.ALL))
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    path = tmp_path / "data"
    make.ALL[request.param](path)
    return request.param, path


def test_it_is_found_by_looking_and_no_other_layout_claims_it(layout: tuple[str, Path]) -> None:
    name, path = layout
    assert recognise(path).name == name
    claims = {one for one, entry in formats().items() if entry.make().sniff(FolderListing(path))}
    # An image folder claims whatever has folders in train; it is asked last.
    assert claims - {"classification"} == {name} - {"classification"}


def test_a_whole_one_has_no_fault(layout: tuple[str, Path]) -> None:
    name, path = layout
    said = report(path)
    assert said.format == name
    assert [one.sentence() for one in said.faults] == []
    assert said.ok
    assert said.items["train"] > 0


def test_it_stays_under_20_kb(layout: tuple[str, Path]) -> None:
    files = [one for one in layout[1].rglob("*") if one.is_file()]
    assert max(one.stat().st_size for one in files) < 20_000


def test_an_empty_one_is_one_sentence(layout: tuple[str, Path]) -> None:
    name, path = layout
    for file in sorted(path.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    with pytest.raises(DataError, match="is empty"):
        recognise(path)
    (path / "meta.json").write_text(f'{{"type": "{name}"}}')
    (path / "something.bin").touch()
    said = report(path)
    assert not said.ok
    assert len(said.faults) == 1


@pytest.mark.parametrize("garbage", [b"\x00\xff\xfe{[<garbage", b""], ids=["garbage", "nothing"])
def test_a_broken_file_is_told_by_name(layout: tuple[str, Path], garbage: bytes) -> None:
    name, path = layout
    file = path / (BROKEN[name] if name in BROKEN else make.EXAMPLES[name](path))
    if name == "yolo" and not garbage:
        pytest.skip("an empty label file is background")
    file.write_bytes(garbage)
    (path / "meta.json").write_text(f'{{"type": "{name}"}}')
    said = report(path)
    assert not said.ok
    assert any(file.name in one.sentence() for one in said.faults), said.faults


@pytest.mark.parametrize("name", make.BOXES)
def test_boxes_are_where_they_were_drawn(name: str, tmp_path: Path) -> None:
    make.ALL[name](tmp_path)
    content, faults = make.read(tmp_path)
    assert not faults
    assert content.kind == "detection"
    assert content.classes == make.CLASSES
    assert make.boxes_of(content) == make.TRUTH
    assert all((item.width, item.height) == (40, 30) for item in content.train)


@pytest.mark.parametrize("name", ["yolo_polygons", "coco", "labelme"])
def test_shapes_can_be_asked_for_as_masks(name: str, tmp_path: Path) -> None:
    """The class's number is the mask's value; without a class named so, 0 is the background."""
    getattr(make, name)(tmp_path)
    content, faults = make.read(tmp_path, "segmentation")
    assert not faults
    assert content.kind == "segmentation"
    assert content.classes == ("background", "cat", "dog")
    mask = item_mask(content, content.train[0])
    assert mask.shape == (30, 40)
    if name == "yolo_polygons":  # the cat is a triangle there
        assert mask[20, 5] == 1
        assert mask[24, 18] == 0
    else:
        assert (mask == 1).sum() == 16 * 20 - 10 * 7
        assert (mask == 2).sum() == 20 * 10
    assert not item_mask(content, content.train[1]).any()


def test_masks_are_read_by_their_values(tmp_path: Path) -> None:
    make.segmentation(tmp_path)
    content, _ = make.read(tmp_path)
    assert content.classes == ("background", "cat", "dog")
    for item, (_, boxes) in zip(content.train, make.IMAGES["train"], strict=True):
        assert np.array_equal(item_mask(content, item), make.true_mask(boxes))


def test_a_palette_gives_its_numbers_and_not_its_colours(tmp_path: Path) -> None:
    make.segmentation(tmp_path)
    image = Image.fromarray(make.true_mask([("dog", (0, 0, 9, 9))])).convert("P")
    image.putpalette([90, 10, 200] * 256)
    image.save(tmp_path / "masks/train/a.png")
    content, _ = make.read(tmp_path)
    assert set(np.unique(item_mask(content, content.train[0]))) == {0, 2, 255}
    assert report(tmp_path).ok


def test_a_turned_photograph_is_as_large_as_it_is_shown(tmp_path: Path) -> None:
    for name in ("yolo", "segmentation"):
        path = tmp_path / name
        make.ALL[name](path)
        file = path / "images" / "val" / "c.jpg"
        exif = Image.Exif()
        exif[0x0112] = 6
        with Image.open(file) as image:
            image.load()
        image.save(file, exif=exif)
        content, _ = make.read(path)
        assert content.val
        assert (content.val[0].width, content.val[0].height) == (30, 40)


def test_clips_are_folders_of_frames_in_the_order_of_their_names(tmp_path: Path) -> None:
    make.sequence(tmp_path)
    content, _ = make.read(tmp_path)
    assert content.kind == "sequence"
    assert content.classes == make.CLASSES
    assert content.train[0].name == "train/cat/clip 0"
    assert [Path(one.decode()).name for one in content.train[0].frames] == [
        "0.png", "1.png", "2.png"]  # fmt: skip
    assert [one.label for one in content.train] == [0, 1]


def test_folders_in_class_folders_are_images_to_who_classifies_them(tmp_path: Path) -> None:
    make.sequence(tmp_path)
    assert recognise(tmp_path, "classification").name == "classification"
    assert recognise(tmp_path, "sequence").name == "sequence"


def test_texts_are_rows_with_their_lines(tmp_path: Path) -> None:
    make.text(tmp_path)
    content, _ = make.read(tmp_path)
    assert content.classes == ("neg", "pos")
    assert [(one.text, one.label, one.line) for one in content.train] == [
        ("good, really", 1, 2), ("bad", 0, 3)]  # fmt: skip
    assert content.val
    assert content.val[0].text == "fine\u2028so"


def test_every_form_of_instruction_becomes_turns(tmp_path: Path) -> None:
    make.instruction(tmp_path)
    content, _ = make.read(tmp_path)
    turns = [one.attributes["messages"] for one in content.train]
    assert turns[0] == [{"role": "user", "content": "Add.\n1 1"},
                        {"role": "assistant", "content": "2"}]  # fmt: skip
    assert turns[1][0] == {"role": "user", "content": "Hi\u2028you"}
    assert turns[2][1]["content"] == "b"


def test_captions_are_beside_their_images_or_in_a_table(tmp_path: Path) -> None:
    make.caption(tmp_path / "beside")
    content, _ = make.read(tmp_path / "beside")
    assert [one.text for one in content.train] == ["a cat and a dog", "nothing"]
    table = tmp_path / "table"
    make.draw(table / "a.png")
    make.write(table / "metadata.csv", "file_name,text\na.png,a cat\ngone.png,a dog\n")
    content, faults = make.read(table)
    assert [one.text for one in content.train] == ["a cat"]
    assert len(faults) == 1
    assert "gone.png" in faults[0]
