"""What a source gives, whether from disk or from the teacher."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tandem.spec.errors import CacheError
from tandem.spec.run import ViewSpec
from tandem.train.cache import WantedSignals
from tandem.train.cache.parts import decode, encode
from tandem.train.data.augment import Views
from tandem.train.grids import pool_to
from tandem.train.types import Signals
from tests.train.cache.conftest import DENSE, Shop
from tests.train.cache.fake_teacher import FakeTeacher

ROWS = np.arange(53)
VIEWS = ROWS % 3


def tensors(signals: Signals) -> list[torch.Tensor]:
    found = [signals.pooled_BD, signals.tokens_BHWD, signals.logits_BK, *signals.layers_BHWD]
    return [one for one in found if one is not None]


def asked_directly(shop: Shop, rows: np.ndarray, views: np.ndarray, layers: tuple = ()) -> Signals:
    teacher = FakeTeacher()
    teacher.layers = layers
    shown = [
        shop.table.shown(
            shop.views, int(row), shop.views.params(row, [view]), teacher.image_size, 10**8
        )[0]
        for row, view in zip(rows, views, strict=True)
    ]
    return teacher.signals(torch.from_numpy(np.stack(shown)).float() / 255)


def test_pooled_and_logits_are_the_teachers_own(shop: Shop) -> None:
    rows = np.random.default_rng(0).permutation(ROWS)
    found = shop.open().signals(rows, VIEWS)
    exact = asked_directly(shop, rows, VIEWS)
    assert torch.allclose(found.pooled_BD, exact.pooled_BD, atol=1e-6)
    assert torch.allclose(found.logits_BK, exact.logits_BK, atol=1e-5)
    assert found.pooled_BD.dtype == torch.float32


def test_all_dimensions_kept_are_the_tokens_up_to_mean_and_scale(shop: Shop) -> None:
    source = shop.open(dims=None, dtype="float32")
    found = source.signals(ROWS, VIEWS)
    exact = asked_directly(shop, ROWS, VIEWS, DENSE.layers)
    assert source.tokens_width == 24
    assert found.tokens_BHWD.shape == (53, 4, 4, 24)
    back = found.tokens_BHWD * source.reduction.scale_R + source.reduction.mean_D
    assert torch.allclose(back, pool_to(exact.tokens_BHWD, 4, 4), atol=1e-5)
    layer = source.layer_reductions[1]
    back = found.layers_BHWD[1] * layer.scale_R + layer.mean_D
    assert torch.allclose(back, pool_to(exact.layers_BHWD[1], 4, 4), atol=1e-5)


def test_components_keep_most_of_the_tokens_at_unit_scale(shop: Shop) -> None:
    source = shop.open()
    found = source.signals(ROWS, np.zeros_like(ROWS))
    assert found.tokens_BHWD.shape == (53, 4, 4, 8)
    assert source.layer_widths == (8, 8)
    assert source.tokens_grid == 4
    assert abs(float(found.tokens_BHWD.square().mean()) - 1) < 0.02
    exact = pool_to(asked_directly(shop, ROWS, np.zeros_like(ROWS)).tokens_BHWD, 4, 4)
    reduction = source.reduction
    back = found.tokens_BHWD * reduction.scale_R @ reduction.basis_DR.T + reduction.mean_D
    lost = (back - exact).square().sum() / (exact - exact.mean((0, 1, 2))).square().sum()
    assert lost < 0.05


def test_a_head_on_full_tokens_works_on_reduced_ones(shop: Shop) -> None:
    for dims in (None, 8):
        source = shop.open(dims=dims, dtype="float32", wanted=WantedSignals(tokens=True, grid=8))
        weight_KD = torch.randn(5, 24, generator=torch.Generator().manual_seed(0))
        if dims:  # a head that lies in the components' span loses nothing
            weight_KD = weight_KD @ source.reduction.basis_DR @ source.reduction.basis_DR.T
        weight_KR, offset_K = source.reduction.reproject(weight_KD)
        tokens = source.signals(ROWS, VIEWS).tokens_BHWD
        exact = asked_directly(shop, ROWS, VIEWS).tokens_BHWD @ weight_KD.T
        assert torch.allclose(tokens @ weight_KR.T + offset_K, exact, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_without_the_cache_the_signals_are_the_same(shop: Shop, dtype: str) -> None:
    cached, online = shop.open(dtype=dtype), shop.open(mode="off", dtype=dtype)
    for one, other in zip(
        tensors(cached.signals(ROWS, VIEWS)), tensors(online.signals(ROWS, VIEWS)), strict=True
    ):
        assert one.dtype == other.dtype == torch.float32
        difference = float((one - other).norm() / other.norm())
        assert difference < (1e-3 if dtype != "int8" else 2e-3)
    assert online.tokens_width == cached.tokens_width
    assert online.layer_widths == cached.layer_widths
    assert online.tokens_grid == cached.tokens_grid
    assert np.allclose(online.pooled_ND(view=2), cached.pooled_ND(view=2), atol=1e-5)


def test_online_counts_every_forward_and_writes_nothing(shop: Shop) -> None:
    teacher = FakeTeacher()
    source = shop.open(teacher, mode="off", wanted=WantedSignals())
    assert source.teacher_forwards == 0
    source.signals(ROWS[:10], VIEWS[:10])
    assert source.teacher_forwards == teacher.shown == 10
    assert not shop.root.exists()


def test_only_what_is_wanted_is_given(shop: Shop) -> None:
    found = shop.open(wanted=WantedSignals()).signals(ROWS, VIEWS)
    assert found.tokens_BHWD is None
    assert found.logits_BK is None
    assert found.layers_BHWD == ()
    assert [one.name for one in shop.folder.iterdir() if one.is_dir()] == ["pooled"]


def test_a_students_grid_finer_than_the_teachers_is_the_teachers(shop: Shop) -> None:
    source = shop.open(wanted=replace(DENSE, grid=14))
    assert source.tokens_grid == 8
    assert source.signals(ROWS, VIEWS).tokens_BHWD.shape == (53, 8, 8, 8)


def test_pooled_of_all_rows_in_the_tables_order(shop: Shop) -> None:
    source = shop.open()
    pooled_ND = source.pooled_ND(view=1)
    assert pooled_ND.shape == (53, 24)
    assert pooled_ND.dtype == np.float32
    assert (pooled_ND == source.signals(ROWS, np.ones_like(ROWS)).pooled_BD.numpy()).all()


def test_large_parts_are_read_from_disk_and_are_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tandem.train.cache.fill.SHARD_ROWS", 16)
    small = shop.open().signals(ROWS, VIEWS)
    monkeypatch.setattr("tandem.train.cache.sources.IN_MEMORY_BYTES", 0)
    source = shop.open()
    for order in (ROWS, ROWS[::-1], np.array([7, 7, 50, 0, 7])):
        mapped = source.signals(order, VIEWS[order])
        for one, other in zip(tensors(small), tensors(mapped), strict=True):
            assert torch.equal(one[order.copy()], other)
    shards = source.shelves[1]._open()
    assert len(shards) > 5
    assert all(isinstance(one["data"], np.memmap) for one in shards)


def test_int8_is_within_half_a_step() -> None:
    x = torch.randn(4, 3, 3, 16, generator=torch.Generator().manual_seed(0))
    arrays: Any = encode(x, "int8")
    assert arrays["data"].dtype == np.int8
    step = x.abs().amax(-1, keepdim=True) / 127
    assert ((decode(arrays, torch.device("cpu")) - x).abs() <= step / 2 + 1e-6).all()


def test_images_that_are_there_twice_are_asked_for_once(shop: Shop) -> None:
    twice = shop.table.rows(np.concatenate([ROWS, ROWS[:9]]))
    shop.table, shop.views = twice, Views.draw(twice, ViewSpec(count=2))
    teacher = FakeTeacher()
    source = shop.open(teacher, wanted=WantedSignals())
    assert teacher.shown == 53 * 2
    found = source.signals(np.array([3, 56]), np.array([1, 1])).pooled_BD
    assert torch.equal(found[0], found[1])


def test_a_cache_that_contradicts_its_teacher_is_refused(shop: Shop) -> None:
    shop.open()
    liar = FakeTeacher(seed=5)
    liar.fingerprint = FakeTeacher().fingerprint
    with pytest.raises(CacheError, match=r"contradicts its teacher: pooled .* Delete that folder"):
        shop.open(liar)
    assert shop.open(liar, verify_samples=0)


def test_verified_samples_are_few_and_counted(shop: Shop) -> None:
    shop.open()
    teacher = FakeTeacher()
    source = shop.open(teacher)
    assert teacher.shown == source.teacher_forwards == source.verified == 4
    teacher = FakeTeacher()
    assert shop.open(teacher, verify_samples=0).teacher_forwards == teacher.shown == 0
