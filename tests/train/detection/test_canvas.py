"""Canvases: pixels, boxes and the teacher's tokens lie where the same matrix has put them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tandem.spec.run import RunSpec, YoloSpec
from tandem.train.detection.data.loading import CanvasDataset, CanvasLoader
from tandem.train.detection.data.placing import Placing, placed_boxes
from tandem.train.detection.data.sampling import SampleRef
from tandem.train.kinds import find
from tandem.train.types import SilentProgress
from tests.train.detection.runs import spec_of

STRONG = {"degrees": 20.0, "shear": 5.0, "mosaic": 1.0, "close_mosaic_epochs": 0}


def dataset(drawn: Path, **yolo: float) -> CanvasDataset:
    knobs = {"hue": 0.0, "saturation": 0.0, "value": 0.0, **STRONG, **yolo}
    spec = RunSpec.model_validate(
        spec_of(drawn, drawn.parent / "out", yolo=knobs, data__image_size=128)
    )
    splits = find("detection").read(spec, None, SilentProgress())
    return CanvasDataset(splits.train_boxes, spec)


@pytest.mark.parametrize("mosaic", [0.0, 1.0])
def test_each_box_is_tight_around_its_shape(drawn: Path, mosaic: float) -> None:
    """Shapes are bright and grounds dark: what is bright lies in the boxes, and fills them."""
    made = dataset(drawn, mosaic=mosaic, degrees=0.0, shear=0.0)
    seen = 0
    for place in range(16):
        sample = made.sample(SampleRef.of(place, 0, place))
        bright_HW = sample.image_CHW.amax(0).numpy() > 125
        inside_HW = np.zeros_like(bright_HW)
        for left, top, right, bottom in sample.boxes_n4:
            rows = slice(int(np.floor(top)), int(np.ceil(bottom)))
            columns = slice(int(np.floor(left)), int(np.ceil(right)))
            inside_HW[rows, columns] = True
            if right - left > 12 and bottom - top > 12:
                middle = bright_HW[int((top + bottom) / 2), columns]
                assert middle[1:-1].mean() > 0.7
                seen += 1
        # A sliver of a shape whose box was cut away may be left.
        assert (bright_HW & ~inside_HW).mean() < 0.02
    assert seen > 8


def test_a_canvas_follows_from_its_place_alone(drawn: Path) -> None:
    one, other = dataset(drawn), dataset(drawn)
    other.sample(SampleRef.of(3, 0, 3))
    ref = SampleRef.of(5, 1, 9)
    first, second = one.sample(ref), other.sample(ref)
    assert torch.equal(first.image_CHW, second.image_CHW)
    assert np.array_equal(first.boxes_n4, second.boxes_n4)
    assert not torch.equal(first.image_CHW, one.sample(SampleRef.of(5, 2, 9)).image_CHW)


def test_an_epoch_that_begins_in_its_middle_goes_on_as_the_whole_one(drawn: Path) -> None:
    made = dataset(drawn)
    whole = [batch["img"] for batch in CanvasLoader(made.table, made.spec).batches(1, 0)]
    rest = [batch["img"] for batch in CanvasLoader(made.table, made.spec).batches(1, 2)]
    assert len(whole) == len(rest) + 2 == len(CanvasLoader(made.table, made.spec))
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], rest, strict=True))


def test_the_last_epochs_have_no_mosaic_and_mixing_shows_both(drawn: Path) -> None:
    made = dataset(drawn)
    made.last_from = 1
    assert len(made.sample(SampleRef.of(0, 0, 0)).sources) == 4
    assert len(made.sample(SampleRef.of(0, 1, 0)).sources) == 1
    plain = made.sample(SampleRef.of(0, 0, 0))
    views = made.spec.views.model_copy(update={"mixup": 8.0})
    made.spec = made.spec.model_copy(update={"views": views})
    mixed = made.sample(SampleRef.of(0, 0, 0))
    assert len(mixed.sources) == 8
    assert len(mixed.boxes_n4) >= len(plain.boxes_n4)
    assert not torch.equal(mixed.image_CHW, plain.image_CHW)


def test_boxes_that_are_cut_to_slivers_are_left_out() -> None:
    placing = Placing(100, YoloSpec(translate=0.0, scale=0.0, flip_sideways=0.0), flips=False)
    (source,) = placing.alone(0, (100, 100), np.random.default_rng(0))
    boxes = np.array([[0.1, 0.2, 0.5, 0.6], [0.95, 0.0, 1.5, 1.0], [0.0, 0.0, 0.01, 0.5]])
    placed, kept = placed_boxes(source, boxes.astype(np.float32), 100)
    assert placed[0] == pytest.approx([10, 20, 50, 60], abs=1e-4)
    assert kept.tolist() == [True, False, False]


def test_a_longer_epoch_passes_over_the_rows_again(drawn: Path) -> None:
    made = dataset(drawn)
    count = 2 * len(made.table) + 1
    loader = CanvasLoader(made.table, made.spec, samples=count)
    shown = list(loader.places)
    assert sum(map(len, shown)) == count
    assert len(loader) == len(shown)
    times = np.bincount([int(ref) for refs in shown for ref in refs], minlength=len(made.table))
    assert set(times.tolist()) == {2, 3}
    loader.places.epoch = 1
    following = [int(ref) for refs in loader.places for ref in refs]
    more = times + np.bincount(following, minlength=len(made.table))
    assert more.max() - more.min() <= 1
