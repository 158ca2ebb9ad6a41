"""A number for what is said of an item: another one where a label has changed, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tandem.data.content import Item, Rle, Shape
from tandem.train.data.label_digests import mask_digests, shape_digests

BOX, OTHER = Shape(0, (1, 2, 3, 4)), Shape(1, (5, 6, 7, 8))
OUTLINE = Shape(0, outlines=(np.array([[0.0, 0], [4, 0], [4, 4]]),))


def digest(shapes: list[Shape] | None) -> int:
    return int(shape_digests([Item(b"a.png", shapes=shapes)])[0])


@pytest.mark.parametrize(
    "changed",
    [
        None,
        [],
        [BOX],
        [BOX, BOX, OTHER],
        [Shape(1, (1, 2, 3, 4)), OTHER],
        [Shape(0, (1, 2, 3, 5)), OTHER],
        [Shape(0, (1, 2, 3, 4), crowd=True), OTHER],
        [OUTLINE, OTHER],
        [Shape(0, rle=Rle(4, 4, b"abc")), OTHER],
    ],
)
def test_every_change_of_shapes_shows(changed: list[Shape] | None):
    assert digest([BOX, OTHER]) == digest([OTHER, BOX])
    assert digest(changed) != digest([BOX, OTHER])


def test_a_mask_that_was_drawn_anew_shows(tmp_path: Path):
    items = [Item(b"a.png", mask=b"mask.png"), Item(b"b.png"), Item(b"c.png", shapes=[BOX])]
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "mask.png")
    before = mask_digests(tmp_path, items)
    assert (mask_digests(tmp_path, items) == before).all()
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / "mask.png")
    assert (mask_digests(tmp_path, items) != before).tolist() == [True, False, False]
