"""What is written of any content is read back equal, or the writer said what it cannot hold."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from tandem.data.content import Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.masks import item_mask, shape_mask
from tandem.data.registry import FormatEntry, formats, read
from tandem.data.writing.convert import _put, distinct, write
from tandem.spec.errors import TandemError
from tests.data.any_content import HEIGHT, WIDTH, contents, put

MORE = int(os.environ.get("TANDEM_EXAMPLES", "0"))
"""So many examples of each instead, new ones each time."""


def _is_written(entry: FormatEntry) -> bool:
    """Whether it has a writer: some layouts are read alone."""
    with TemporaryDirectory() as folder:
        try:
            entry.make().writer(Path(folder), ("a",), min(entry.kinds))
        except TandemError:
            return False
    return True


PAIRS = [(name, kind) for name, entry in formats().items() if _is_written(entry)
         for kind in sorted(entry.kinds)]  # fmt: skip
NEAR = 1e-4
"""Pixels that writing as a share of the image may cost."""


@settings(
    max_examples=MORE or 15,
    derandomize=not MORE,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink) if MORE else (Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_any_content_is_read_back_as_it_was_written(
    name: str, kind: str, data: st.DataObject
) -> None:
    entry = formats()[name]
    drawn = data.draw(contents(kind, entry.holds))
    with TemporaryDirectory() as folder:
        content = put(Path(folder) / "one", drawn)
        try:
            said = write(content, Path(folder) / "two", entry)
        except TandemError:  # in a sentence, and nothing is there
            reject()
        lost = _lost(content, Path(folder) / "three", entry)
        faults = Faults()
        back = read(Path(folder) / "two", faults, kind)
        assert [one.sentence() for one in faults.found if not _allowed(one.sentence())] == []
        _compare(content, back, lost, entry)
        assert set(said.lost) == {sentence for one in lost.values() for sentence in one}


def _allowed(sentence: str) -> bool:
    """What is told of the content as it was drawn."""
    said = (
        "are the same but for",
        "are boxes without an outline",
        "have a prediction without a score",
        "there is no example of",
        "no pixel of any mask has the value",
        "its masks hold nothing but 0 and 255",
    )
    return any(one in sentence for one in said)


def _lost(content: Content, target: Path, entry: FormatEntry) -> dict[int, set[str]]:
    """What the writer says of each item, by the item's id."""
    writer = entry.make().writer(target, content.classes, content.kind)
    return {
        id(item): _put(writer, content, entry, split, item, renamed)
        for (split, item, renamed) in distinct(content, flat=entry.flat)
    }


@dataclass
class _Found:
    split: str
    item: Item


def _by_pixels(content: Content) -> Iterator[tuple[str, _Found]]:
    """Each item by what its file holds, or by its texts: names may differ."""
    for split, items in content.splits():
        for item in items:
            if item.text is not None and not item.width:
                key = f"{item.text}|{item.text_b}|{item.attributes.get('fields')}"
            else:
                path = content.root / os.fsdecode((item.frames or (item.path,))[0])
                key = hashlib.sha256(path.read_bytes()).hexdigest()
            yield key, _Found(split, item)


def _compare(
    before: Content, after: Content, lost: dict[int, set[str]], entry: FormatEntry
) -> None:
    now = list(_by_pixels(after))
    there = {key for key, _ in now}
    # Where a layout would call it background, what nobody has annotated stays out, and is told.
    was = [(key, one) for key, one in _by_pixels(before)
           if key in there or not any("would call it background" in said
                                           for said in lost[id(one.item)])]  # fmt: skip
    assert sorted(key for key, _ in was) == sorted(key for key, _ in now)
    assert after.kind == before.kind
    assert not {one for one in after.classes if one != "background"} - set(before.classes)
    found = dict(now)
    if len(found) < len(now):  # texts that are alike
        assert sorted(key + one.split for key, one in was) == sorted(
            key + one.split for key, one in now)  # fmt: skip
        return
    for key, one in was:
        said, other = lost[id(one.item)], found[key]
        assert other.split == one.split or any("split" in sentence for sentence in said)
        _compare_items(before, after, one.item, other.item, said)


def _compare_items(before: Content, after: Content, one: Item, other: Item, said: set[str]) -> None:
    assert (one.text, one.text_b) == (other.text, other.text_b)
    assert _name(before, one.label) == _name(after, other.label)
    assert len(one.frames) == len(other.frames)
    if one.line:
        assert one.attributes == other.attributes
    if one.mask is not None or other.mask is not None:
        if not said:
            mask, again = item_mask(before, one), item_mask(after, other)
            names = (*before.classes, *["?"] * 256), (*after.classes, *["?"] * 256)
            assert [names[0][value] for value in mask.flat] == [names[1][x] for x in again.flat]
        return
    if any("nobody" in sentence for sentence in said):
        assert one.shapes is None
        return
    assert (one.shapes is None) == (other.shapes is None) or said
    if said <= {"confidences are left out"} and one.shapes is not None:
        _compare_shapes(before, after, one.shapes, other.shapes or [], surely=not said)
    elif one.shapes is not None and "outlines become boxes" in said:
        _compare_boxes(before, after, one.shapes, other.shapes or [])


def _compare_shapes(
    before: Content, after: Content, shapes: list[Shape], others: list[Shape], *, surely: bool
) -> None:
    assert len(shapes) == len(others)
    for one, other in zip(shapes, others, strict=True):
        assert _name(before, one.label) == _name(after, other.label)
        assert other.bounds() == pytest.approx(one.bounds(), abs=NEAR)
        assert one.crowd == other.crowd
        if surely:
            assert other.confidence == pytest.approx(one.confidence, abs=1e-6)
        if one.outlines and other.outlines:
            assert len(one.outlines) == len(other.outlines)
            for ring, again in zip(one.outlines, other.outlines, strict=True):
                assert again == pytest.approx(ring, abs=NEAR)
        elif one.box is None:
            mask = shape_mask(one, HEIGHT, WIDTH)
            assert np.array_equal(shape_mask(other, HEIGHT, WIDTH), mask)


def _compare_boxes(
    before: Content, after: Content, shapes: list[Shape], others: list[Shape]
) -> None:
    kept = {(_name(before, one.label), *np.round(one.bounds(), 3)) for one in shapes
            if not one.crowd}  # fmt: skip
    assert kept == {(_name(after, one.label), *np.round(one.bounds(), 3)) for one in others}


def _name(content: Content, label: int) -> str | None:
    return content.classes[label] if label >= 0 else None
