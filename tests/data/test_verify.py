"""What holds of a data set in whatever layout is verified once, for every command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tandem.data.content import Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.masks import shape_mask
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


@pytest.mark.parametrize(
    "points",
    [
        [(10, 5), (60, 20), (10, 25)],  # a corner beyond the right side
        [(-10, -8), (30, 10), (5, 50)],
        [(20, -20), (60, 15), (20, 50), (-20, 15)],  # a corner beyond each side
        [(30, 2), (55, 2), (55, 28), (30, 28), (30, 20), (50, 20), (50, 10), (30, 10)],  # two parts
    ],
)
def test_an_outline_is_cut_at_the_edge_and_stays_as_it_is_inside(
    points: list[tuple[float, float]],
) -> None:
    outline, moved = np.array(points, np.float64), np.array(points, np.float64) + 100
    item = Item(b"a.png", 40, 30, shapes=[Shape(0, outlines=(outline,))])
    faults = Faults()
    verify(Content(Path(), "yolo", "detection", ("a",), [item]), faults)
    assert "reaches out of the picture" in faults.found[0].sentence()
    whole = shape_mask(Shape(0, outlines=(moved,)), 300, 300)[100:130, 100:140]
    assert item.shapes
    assert np.array_equal(shape_mask(item.shapes[0], 30, 40), whole)
    left, top, right, bottom = item.shapes[0].bounds()
    assert left >= 0 <= top
    assert right <= 40
    assert bottom <= 30


def test_a_box_that_is_read_as_a_mask_is_told() -> None:
    outline = np.array([(1, 1), (9, 1), (9, 9)], np.float64)
    item = Item(b"a.png", 40, 30, shapes=[Shape(1, (1, 1, 5, 5)), Shape(1, outlines=(outline,))])
    faults = Faults()
    verify(Content(Path(), "coco", "segmentation", ("background", "a"), [item]), faults)
    assert any("1 shapes are boxes without an outline" in one.sentence() for one in faults.found)
