"""Mixup and cutmix: pictures, labels and the teacher's word mixed alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tandem.spec.run import ViewSpec
from tandem.train.engines.accelerate.mixing import Mix, draw, labelled_rows, mix_batch, mix_signals
from tandem.train.types import Batch, Signals

SIZE = 16


def batch(labels: list[int]) -> Batch:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(len(labels), 3, SIZE, SIZE, generator=generator)
    index_B = np.arange(len(labels))
    return Batch(images, torch.tensor(labels), index_B, index_B)


def drawn(step: int = 0, rows: int = 4, **views: float) -> Mix:
    mix = draw(ViewSpec(**views), rows, SIZE, seed=1, epoch=2, step=step)
    assert mix is not None
    return mix


def test_off_by_default_and_for_a_single_row():
    assert draw(ViewSpec(), 4, SIZE, seed=1, epoch=1, step=1) is None
    assert draw(ViewSpec(mixup=1), 1, SIZE, seed=1, epoch=1, step=1) is None


def test_a_draw_depends_on_seed_epoch_and_step_alone():
    def numbers(seed: int, epoch: int, step: int) -> tuple:
        mix = draw(ViewSpec(mixup=0.8), 64, SIZE, seed=seed, epoch=epoch, step=step)
        return mix.keep, tuple(mix.partner_B.tolist())

    torch.manual_seed(0)
    first = numbers(1, 2, 3)
    torch.manual_seed(99)
    assert numbers(1, 2, 3) == first
    assert len({first, numbers(0, 2, 3), numbers(1, 3, 3), numbers(1, 2, 4)}) == 4


def test_with_both_on_each_batch_is_one_of_them():
    kinds = [drawn(step, mixup=1, cutmix=1).box is None for step in range(100)]
    assert 25 < sum(kinds) < 75
    assert all(drawn(step, mixup=1).box is None for step in range(20))
    assert all(drawn(step, cutmix=1).box is not None for step in range(20))


def test_alpha_sets_how_far_images_mix():
    weak = [abs(drawn(step, mixup=0.1).keep - 0.5) for step in range(200)]
    strong = [abs(drawn(step, mixup=10).keep - 0.5) for step in range(200)]
    assert np.mean(weak) > 0.35
    assert np.mean(strong) < 0.15


def test_mixup_is_a_weighted_mean_of_images_and_labels():
    given, mix = batch([0, 1, 2, 1]), Mix(0.75, torch.tensor([1, 0, 3, 2]), None)
    mixed = mix_batch(given, mix, 3)
    expected = 0.75 * given.inputs[0] + 0.25 * given.inputs[1]
    torch.testing.assert_close(mixed.inputs[0], expected)
    torch.testing.assert_close(mixed.label_BK[0], torch.tensor([0.75, 0.25, 0]))
    assert torch.equal(mixed.labels_B, given.labels_B)


def test_an_unlabelled_partner_leaves_the_labelled_share_only():
    given, mix = batch([0, -1, -1, -1]), Mix(0.75, torch.tensor([1, 0, 3, 2]), None)
    mixed = mix_batch(given, mix, 3)
    expected = [[0.75, 0, 0], [0.25, 0, 0], [0, 0, 0], [0, 0, 0]]
    torch.testing.assert_close(mixed.label_BK, torch.tensor(expected))
    assert labelled_rows(mixed).tolist() == [True, True, False, False]
    assert labelled_rows(given).tolist() == [True, False, False, False]


def test_a_row_paired_with_itself_stays_itself():
    given, mix = batch([0, 1]), Mix(0.6, torch.tensor([0, 1]), None)
    mixed = mix_batch(given, mix, 2)
    torch.testing.assert_close(mixed.inputs, given.inputs)
    torch.testing.assert_close(mixed.label_BK, torch.eye(2))


@pytest.mark.parametrize("step", range(12))
def test_cutmix_pastes_a_box_of_whole_pixels_and_counts_them(step):
    given, mix = batch([0, 1, 2, 1]), drawn(step, cutmix=1)
    mixed = mix_batch(given, mix, 3)
    own = (mixed.inputs == given.inputs).all(dim=1)
    partner = (mixed.inputs == given.inputs[mix.partner_B]).all(dim=1)
    assert (own | partner).all()
    other = mix.partner_B != torch.arange(4)
    share_B = own[other].float().mean(dim=(1, 2))
    torch.testing.assert_close(share_B, torch.full_like(share_B, mix.keep))


def test_the_teachers_dense_word_is_cut_by_the_same_box():
    box = (0.0, 0.5, 0.5, 1.0)  # the top right quarter
    mix = Mix(0.75, torch.tensor([1, 0]), box)
    tokens = torch.stack([torch.zeros(4, 4, 2), torch.ones(4, 4, 2)])
    coarse = torch.stack([torch.zeros(1, 1, 3), torch.ones(1, 1, 3)])
    mixed = mix_signals(
        Signals(tokens_BHWD=tokens, layers_BHWD=(coarse,), class_map_BHWK=tokens), mix
    )
    expected = torch.zeros(4, 4)
    expected[:2, 2:] = 1
    torch.testing.assert_close(mixed.tokens_BHWD[0, ..., 0], expected)
    torch.testing.assert_close(mixed.class_map_BHWK[1, ..., 0], 1 - expected)
    assert mixed.layers_BHWD[0][0].flatten().tolist() == [0.25] * 3  # a quarter of its one cell


@pytest.mark.parametrize("box", [None, (0.0, 0.0, 0.5, 0.5)])
def test_the_teachers_probabilities_mix_by_the_shares(box):
    mix = Mix(0.75, torch.tensor([1, 0]), box)
    logits = torch.tensor([[5.0, 0, -5], [-3, 0, 9]])
    pooled = torch.tensor([[0.0], [4.0]])
    mixed = mix_signals(Signals(pooled_BD=pooled, logits_BK=logits), mix)
    p = logits.softmax(dim=1)
    torch.testing.assert_close(mixed.logits_BK.softmax(dim=1), 0.75 * p + 0.25 * p.flip(0))
    torch.testing.assert_close(mixed.pooled_BD, torch.tensor([[1.0], [3.0]]))


@pytest.mark.parametrize("keep", [0.0, 1.0])
def test_a_share_of_nothing_is_finite(keep):
    mix = Mix(keep, torch.tensor([1, 0]), None)
    logits = torch.tensor([[1e4, 0.0], [0.0, 1e4]])
    mixed = mix_signals(Signals(logits_BK=logits), mix)
    expected = logits if keep == 1 else logits.flip(0)
    torch.testing.assert_close(mixed.logits_BK.softmax(dim=1), expected.softmax(dim=1))


def test_signals_that_are_not_there_stay_away():
    mixed = mix_signals(Signals(), drawn(mixup=1))
    assert mixed == Signals()
