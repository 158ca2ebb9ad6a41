"""What holds of a data set in whatever layout is verified once, for every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.data.content import Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.reading.files import measure_against
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
