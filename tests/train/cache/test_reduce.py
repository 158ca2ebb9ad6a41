"""Components of tokens: none of them is all that a student sees."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tandem.spec.errors import CacheError
from tandem.train.cache.reduce import FLOOR, fit, load_reduction

HASHES = np.zeros((4, 16), np.uint8)


def tokens() -> list[torch.Tensor]:
    """Sixteen channels of falling variance; the first is an outlier, as those of large towers."""
    random = torch.Generator().manual_seed(0)
    spread_D = torch.cat([torch.tensor([100.0]), torch.logspace(0.5, -2, 15)])
    return [torch.randn(8, 4, 4, 16, generator=random) * spread_D + 3 for _ in range(4)]


@pytest.mark.parametrize("dims", [8, None])
def test_every_component_that_says_something_weighs_alike(dims):
    given = tokens()
    reduction = fit(given, dims, HASHES)
    z = torch.cat([reduction.apply(one) for one in given]).flatten(0, 2)
    power_R = z.square().mean(0).sort(descending=True).values
    assert float(z.square().mean()) == pytest.approx(1, abs=1e-3)
    # An outlier's variance is ten thousand times the others': it was 0.99 of all that is compared.
    assert float(power_R[0] / power_R.sum()) < 0.5
    raw = torch.cat(given).flatten(0, 2).var(0)
    assert float(raw.max() / raw.sum()) > 0.99


def test_noise_is_not_made_as_large_as_what_is_there():
    random = torch.Generator().manual_seed(1)
    spread_D = torch.tensor([1.0, 1.0, 1.0, 1e-3])
    reduction = fit([torch.randn(64, 4, 4, 4, generator=random) * spread_D], None, HASHES)
    z = reduction.apply(torch.randn(64, 4, 4, 4, generator=random) * spread_D).flatten(0, 2)
    power_R = z.square().mean(0)
    assert float(power_R[3] / power_R[:3].mean()) < 1e-4
    assert FLOOR > 0


@pytest.mark.parametrize("dims", [8, 15, None])
def test_a_linear_head_says_the_same_of_reduced_tokens(dims):
    given = tokens()
    reduction = fit(given, dims, HASHES)
    weight_KD = torch.randn(3, 16, generator=torch.Generator().manual_seed(2))
    if reduction.basis_DR is not None:  # what the components leave out, no head on them can say
        weight_KD = weight_KD @ reduction.basis_DR @ reduction.basis_DR.T
    weight_KR, offset_K = reduction.reproject(weight_KD)
    reduced = reduction.apply(given[0]) @ weight_KR.T + offset_K
    torch.testing.assert_close(reduced, given[0] @ weight_KD.T, atol=1e-2, rtol=1e-3)


def test_it_is_read_as_it_was_written(tmp_path: Path):
    for dims in (8, None):
        file = tmp_path / str(dims) / "reduction.npy"
        reduction = fit(tokens(), dims, HASHES)
        reduction.save(file)
        found = load_reduction(file)
        assert found is not None
        assert torch.equal(found.scale_R, reduction.scale_R)
        assert torch.equal(found.apply(tokens()[0]), reduction.apply(tokens()[0]))


def test_one_scale_for_all_is_read_as_an_earlier_release_wrote_it(tmp_path: Path):
    file = tmp_path / "reduction.npy"
    fit(tokens(), 8, HASHES).save(file)
    np.save(file.with_suffix(".scale.npy"), np.array([2.0]))
    found = load_reduction(file)
    assert found is not None
    assert torch.equal(found.scale_R, torch.full((8,), 2.0))
    np.save(file.with_suffix(".scale.npy"), np.array([2.0, 3.0], np.float32))
    with pytest.raises(CacheError, match="damaged"):
        load_reduction(file)
    assert load_reduction(tmp_path / "none.npy") is None


def test_tokens_that_are_all_alike_stay_finite():
    reduction = fit([torch.ones(2, 2, 2, 4)], 2, HASHES)
    assert torch.isfinite(reduction.apply(torch.ones(1, 2, 2, 4))).all()
