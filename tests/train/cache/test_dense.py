"""What a teacher that has looked at whole images once says of any crop of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tandem.spec.run import CacheSpec, DataSpec, ViewSpec
from tandem.train.cache import SourceRequest, SourceSetup, WantedSignals, open_source
from tandem.train.cache.dense import DenseSource, whole_views
from tandem.train.data import classification
from tandem.train.data.augment import Views
from tandem.train.types import ImageTable, Signals, SilentProgress
from tests.train.cache.fake_teacher import FakeTeacher

WANTED = WantedSignals(tokens=True, layers=(1,), grid=8)
ALWAYS = ViewSpec(crop_scale_min=0.3, flip="on", colour=0)


class Painter(FakeTeacher):
    """Its tokens are colours: the same of a thing wherever and however large it is seen."""

    def signals(self, images_BCHW: Tensor) -> Signals:
        self.shown += len(images_BCHW)
        step = self.image_size // self.grid
        colours_BCHW = torch.nn.functional.avg_pool2d(images_BCHW, step)
        mixed_DC = torch.randn(self.width, 3, generator=torch.Generator().manual_seed(1))
        tokens_BHWD = colours_BCHW.permute(0, 2, 3, 1) @ mixed_DC.T
        return Signals(
            pooled_BD=tokens_BHWD.mean((1, 2)),
            tokens_BHWD=tokens_BHWD,
            layers_BHWD=tuple(tokens_BHWD * 2 for _ in self.layers),
        )


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ImageTable:
    """Images whose colours run evenly from edge to edge, each its own way."""
    folder = tmp_path_factory.mktemp("ramps")
    v, u = np.meshgrid(np.linspace(0, 1, 64), np.linspace(0, 1, 64), indexing="ij")
    for number in range(8):
        turned = np.stack((u, v, number / 8 * np.ones_like(u)), -1)
        split = "val" if number > 5 else "train"
        file = folder / split / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((turned * 255).astype(np.uint8)).save(file)
    spec = DataSpec(dataset=str(folder))
    return classification.read(spec, index_root=None, progress=SilentProgress()).train


def opened(
    table: ImageTable, root: Path, teacher: FakeTeacher, spec: ViewSpec = ALWAYS, **changes: object
) -> DenseSource:
    cache = CacheSpec.model_validate({"root": root, "dims": None, "dtype": "float32"} | changes)
    setup = SourceSetup(cache, torch.device("cpu"), 4, 10**8)
    request = SourceRequest(table, whole_views(table), 1, WANTED)
    source = open_source(teacher, request, setup)
    return DenseSource(source, Views.draw(table, spec))  # type: ignore[arg-type]


def test_a_crop_is_read_where_it_lies(table: ImageTable, tmp_path: Path) -> None:
    teacher = Painter()
    source = opened(table, tmp_path, teacher)
    rows, views = np.repeat(np.arange(len(table)), 20), np.tile(np.arange(1, 21), len(table))
    found = source.signals(rows, views)
    shown = table.batch(source.views, rows, views, teacher.image_size, 10**8).inputs
    teacher.layers = (1,)
    exact = teacher.signals(shown.float() / 255)
    assert source.views.params(rows, views)["flip"].any()
    scale = exact.tokens_BHWD.std((0, 1, 2))
    for mine, theirs, reduction in (
        (found.tokens_BHWD, exact.tokens_BHWD, source.reduction),
        (found.layers_BHWD[0], exact.layers_BHWD[0], source.whole.layer_reductions[0]),
    ):
        # Even colours are read exactly, but in the half of a cell along the image's edge.
        back = mine * reduction.scale_R + reduction.mean_D
        apart = (back - theirs).abs() / scale
        assert float(apart.flatten().quantile(0.9)) < 0.1
    pooled = (found.pooled_BD - exact.pooled_BD).abs() / scale
    assert float(pooled.max()) < 0.12
    whole = exact.pooled_BD.unflatten(0, (len(table), 20)).std(1).mean()
    assert whole > 3 * float((found.pooled_BD - exact.pooled_BD).std()), "crops differ by more"


def test_whole_images_are_what_the_teacher_said(table: ImageTable, tmp_path: Path) -> None:
    source = opened(table, tmp_path, FakeTeacher())
    rows = np.array([3, 1, 3, 0])
    found, kept = source.signals(rows, rows * 0), source.whole.signals(rows, rows * 0)
    assert torch.equal(found.pooled_BD, kept.pooled_BD)
    assert torch.equal(found.tokens_BHWD, kept.tokens_BHWD)
    beside_a_crop = source.signals(rows, np.array([0, 0, 0, 5]))
    assert torch.allclose(beside_a_crop.pooled_BD[:3], kept.pooled_BD[:3], atol=1e-5)
    assert torch.allclose(beside_a_crop.tokens_BHWD[:3], kept.tokens_BHWD[:3], atol=1e-5)


def test_a_linear_probe_scores_a_crop_by_the_map_under_it(
    table: ImageTable, tmp_path: Path
) -> None:
    source = opened(table, tmp_path, FakeTeacher(), dims=24)
    weight_KD = torch.randn(5, 24, generator=torch.Generator().manual_seed(3))
    found = source.signals(np.arange(6), np.full(6, 9))
    reduced_KR, offset_K = source.reduction.reproject(weight_KD)
    map_BHWK = found.tokens_BHWD @ reduced_KR.T + offset_K
    assert torch.allclose(found.pooled_BD @ weight_KD.T, map_BHWK.mean((1, 2)), atol=1e-4)


def test_one_look_serves_every_view_of_every_setting(table: ImageTable, tmp_path: Path) -> None:
    first = opened(table, tmp_path, FakeTeacher())
    assert first.teacher_forwards == len(table)
    other = opened(table, tmp_path, FakeTeacher(), ViewSpec(crop_scale_min=0.9), verify_samples=0)
    assert other.teacher_forwards == 0
    one, two = (other.signals(np.array([2]), np.array([view])) for view in (10**7, 10**7 + 1))
    assert not torch.equal(one.tokens_BHWD, two.tokens_BHWD)


def test_scores_of_the_whole_stand_for_its_crops(table: ImageTable, tmp_path: Path) -> None:
    source = opened(table, tmp_path, FakeTeacher())
    said = torch.arange(12.0).reshape(6, 2)

    class Scored:
        def __getattr__(self, name: str) -> object:
            return getattr(source.whole, name)

        def signals(self, index_B: np.ndarray, view_B: np.ndarray) -> Signals:
            return replace(source.whole.signals(index_B, view_B), logits_BK=said[index_B])

    scored = DenseSource(Scored(), source.views)  # type: ignore[arg-type]
    rows = np.array([4, 2, 4])
    assert torch.equal(scored.signals(rows, rows + 1).logits_BK, said[rows])
