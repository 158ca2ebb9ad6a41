"""What holds of a data set in whatever layout is verified once, for every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.data.content import Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.reading.files import measure_against
from tandem.data.registry import read
from tandem.data.verification.support import verify_support
from tandem.data.verify import verify
from tests.data import make


@pytest.mark.parametrize(
    ("stated", "same"),
    [((40, 30), True), (("40", "30"), True), ((None, 30), True), ((0, 0), True), ((30, 40), False)],
)
def test_a_size_that_is_stated_is_compared(
    stated: tuple[object, object], same: bool, tmp_path: Path
) -> None:
    make.draw(tmp_path / "a.png")
    item, faults = Item(b"a.png"), Faults()
    assert measure_against(tmp_path, item, stated, faults, "a.xml") is same
    assert (item.width, item.height) == (40, 30)
    told = "a.xml: it says that a.png has 30 x 40 pixels, the picture has 40 x 30"
    assert [one.sentence() for one in faults.found] == ([] if same else [told])


def test_an_image_whose_only_label_is_faulty_is_unlabelled_and_never_background() -> None:
    shape = Shape(0, (1, 1, 5, 5))
    items = [
        Item(b"half.png", shapes=[shape], faulty=True),
        Item(b"none.png", shapes=[], faulty=True),
        Item(b"empty.png", shapes=[]),
    ]
    verify(Content(Path(), "yolo", "detection", ("a",), items), Faults())
    assert [one.shapes for one in items] == [[shape], None, []]


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("name", [*make.BOXES, "classification", "segmentation", "text"])
def test_a_class_without_an_example_is_told_in_each_layout(
    name: str, split: str, tmp_path: Path
) -> None:
    make.ALL[name](tmp_path)
    faults = Faults()
    content = read(tmp_path, faults)
    assert not faults.found
    content = content.having(content.train, content.val, content.val)
    last = len(content.classes) - 1
    for part, items in content.splits():
        if part == split:
            for item in items:
                item.label = -1 if item.label == last else item.label
                if item.shapes:
                    item.shapes = [one for one in item.shapes if one.label != last]
                if item.mask_values:
                    item.mask_values = tuple(one for one in item.mask_values if one != last)
    verify_support(content, faults)
    told = [one.sentence() for one in faults.found if one.file == split]
    assert len(told) == 1
    assert f"there is no example of {content.classes[last]}" in told[0]
    assert faults.warnings
    assert not faults.errors


def test_what_nobody_has_labelled_lacks_no_class(tmp_path: Path) -> None:
    items = [Item(b"a.png"), Item(b"b.png")]
    faults = Faults()
    verify(Content(tmp_path, "labelme", "detection", ("cat",), items), faults)
    assert not faults.found


def test_an_empty_dataset_is_an_error_for_every_command(tmp_path: Path) -> None:
    faults = Faults()
    verify(Content(tmp_path, "yolo", "detection", ("cat",), []), faults)
    assert [one.what() for one in faults.found] == ["it holds nothing to learn from"]
    assert faults.errors == 1
