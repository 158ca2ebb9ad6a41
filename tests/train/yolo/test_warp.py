"""The teacher's tokens lie where augmentation has put their pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tandem.data.content import Item, Shape
from tandem.train.data.boxes import DetectionTable
from tandem.train.detection.teacher.warp import Canvases, cell_samples
from tandem.train.types import Signals
from tandem.train.yolo.offline import prepare

SIZE, GRID, STRIDE, ROWS = 128, 32, 8, 12
SHAPES = ((90, 128), (128, 70), (64, 64), (200, 150))


@pytest.fixture
def table(tmp_path: Path) -> DetectionTable:
    """Red grows to the right, green downwards, blue says whose picture it is."""
    items = []
    for row in range(ROWS):
        height, width = SHAPES[row % len(SHAPES)]
        image = np.zeros((height, width, 3), np.uint8)
        image[..., 0] = (255 * (np.arange(width) + 0.5) / width)[None]
        image[..., 1] = (255 * (np.arange(height) + 0.5) / height)[:, None]
        image[..., 2] = 20 * row
        Image.fromarray(image).save(tmp_path / f"{row}.png")
        shapes = [Shape(0, (5.0, 5.0, 30.0, 30.0))]
        items.append(Item(f"{row}.png".encode(), width, height, shapes=shapes))
    return DetectionTable(tmp_path, items, ("a",), np.zeros((ROWS, 16), np.uint8), 10**6)


def tokens_of(table: DetectionTable) -> torch.Tensor:
    """What a teacher would give that sees nothing but where it looks: (u, v, row)."""
    centre = (torch.arange(GRID) + 0.5) / GRID
    v, u = torch.meshgrid(centre, centre, indexing="ij")
    return torch.stack(
        [torch.stack((u, v, torch.full_like(u, row)), -1) for row in range(len(table))]
    )


KNOBS = {
    "plain": {"mosaic": 0.0, "scale": 0.0, "translate": 0.0, "fliplr": 0.0},
    "flips": {"mosaic": 0.0, "scale": 0.0, "translate": 0.0, "fliplr": 1.0, "flipud": 1.0},
    "warp": {"mosaic": 0.0, "degrees": 30.0, "shear": 10.0, "scale": 0.5, "translate": 0.2},
    "mosaic": {"mosaic": 1.0, "scale": 0.0, "translate": 0.0, "fliplr": 0.0},
    "all": {"mosaic": 0.7, "degrees": 20.0, "shear": 5.0, "scale": 0.5, "flipud": 0.5},
}


@pytest.mark.parametrize("knobs", KNOBS)
def test_tokens_that_say_where_they_are_agree_with_the_image_that_does(
    table: DetectionTable, knobs: str
) -> None:
    prepare()
    from ultralytics.cfg import get_cfg

    from tandem.train.detection.data.sampling import SampleRef
    from tandem.train.yolo.data.dataset import TandemDataset

    quiet = {"hsv_h": 0.0, "hsv_s": 0.0, "hsv_v": 0.0}
    dataset = TandemDataset(
        table, seed=1, batch_size=4, imgsz=SIZE, hyp=get_cfg(overrides=quiet | KNOBS[knobs])
    )
    tokens = tokens_of(table)
    compared, bare, grey, seen = 0, 0, 0, set()
    for place in range(ROWS):
        sample = dataset[SampleRef.of(place, 0, place)]
        canvas = sample["img"].float()  # RGB
        canvases = Canvases.of([sample["sources"]], torch.device("cpu"))
        where = cell_samples(canvases, SIZE // STRIDE, SIZE // STRIDE, STRIDE)
        read = where.read(tokens, torch.from_numpy(np.maximum(canvases.rows_BS, 0)))
        # A cell's centre lies between four pixels.
        shown = canvas[:, STRIDE // 2 - 1 :: STRIDE, STRIDE // 2 - 1 :: STRIDE]
        shown = (shown + canvas[:, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]) / 2
        at = where.covered_BHW[0]
        pixels = shown[:, at].T
        whose = read[:, 2]
        inner = ((read[:, :2] > 0.06) & (read[:, :2] < 0.94)).all(1)
        inner &= (pixels[:, 2] - 20 * whose).abs() < 1  # not on a seam between two
        assert (pixels[inner][:, :2] / 255 - read[inner][:, :2]).abs().max() < 0.03
        seams = ((read[:, :2] > 0.06) & (read[:, :2] < 0.94)).all(1) & ~inner
        assert int(seams.sum()) <= 0.15 * len(read)
        compared += int(inner.sum())
        seen |= {int(one) for one in whose[inner].round().tolist()}
        bare += int((~at).sum())
        grey += int(((shown[:, ~at] - 114).abs().amax(0) < 3).sum())
    assert compared > ROWS * 40
    assert len(seen) >= ROWS // 2
    assert grey >= 0.8 * bare  # the rest lies half on an edge


def test_cells_that_no_image_reaches_are_not_covered(table: DetectionTable) -> None:
    prepare()
    from tandem.train.detection.data.geometry import transformed, whole_canvas

    half = transformed([whole_canvas(3, 64, 64)], np.array([[1, 0, 64], [0, 1, 0], [0, 0, 1.0]]))
    where = cell_samples(Canvases.of([half], torch.device("cpu")), 4, 4, 32)
    assert where.covered_BHW[0].tolist() == [[False, False, True, True]] * 2 + [[False] * 4] * 2
    assert where.uv_M2[0].tolist() == pytest.approx([0.25, 0.25])


class FakeSource:
    """Gives the same tokens for a row, whoever asks."""

    def __init__(self, tokens: torch.Tensor) -> None:
        self.tokens = tokens

    def signals(self, index_B: np.ndarray, view_B: np.ndarray) -> Signals:
        assert not view_B.any(), "the whole picture"
        return Signals(tokens_BHWD=self.tokens[torch.from_numpy(index_B)])


def test_half_precision_of_the_step_does_not_move_the_tokens(table: DetectionTable) -> None:
    prepare()
    from tandem.train.detection.data.geometry import transformed, whole_canvas
    from tandem.train.detection.teacher.targets import CachedTargets
    from tandem.train.detection.types import DetectionLossWeights

    shift = np.array([[1, 0, 37.3], [0, 1, 11.9], [0, 0, 1.0]])
    batch = {
        "img": torch.zeros(2, 3, SIZE, SIZE),
        "sources": [
            transformed([whole_canvas(5, 99, 77)], shift),
            [whole_canvas(2, 128, 128), whole_canvas(7, 9, 9)],
        ],
    }
    teach = CachedTargets(FakeSource(tokens_of(table)), None, DetectionLossWeights(feature=1.0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = teach(batch)
    full = teach(batch)
    for one, other in zip(half.tokens_MD, full.tokens_MD, strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, other)
    assert {round(row) for row in full.tokens_MD[0][:, 2].tolist()} == {5, 2}
    assert full.covered_BHW[0].shape == (2, SIZE // 16, SIZE // 16)
    assert full.covered_BHW[2].shape == (2, SIZE // 32, SIZE // 32)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_begins_anywhere_with_the_same_batches(
    table: DetectionTable, workers: int
) -> None:
    prepare()
    from ultralytics.cfg import get_cfg

    from tandem.train.yolo.data.dataset import ResumableLoader, TandemDataset

    def loader() -> ResumableLoader:
        dataset = TandemDataset(
            table, seed=3, batch_size=3, imgsz=64, hyp=get_cfg(overrides={"mosaic": 1.0})
        )
        return ResumableLoader(dataset, batch_size=3, workers=workers, pin=False)

    whole_run = loader()
    epochs = [list(whole_run) for _ in range(2)]
    whole_run.close()
    assert len({batch["im_file"] for epoch in epochs for batch in epoch}) == 8
    later = loader()
    later.begin(1, 2)
    found = list(later)
    later.close()
    assert [one.get("replayed", False) for one in found] == [True, True, False, False]
    for one, other in zip(found[2:], epochs[1][2:], strict=True):
        assert one["im_file"] == other["im_file"]
        assert torch.equal(one["img"], other["img"])
        assert torch.equal(one["bboxes"], other["bboxes"])
