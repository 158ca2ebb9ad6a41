"""Distillation methods against their papers' formulas, worked out with plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tandem.spec.run import StudentSpec
from tandem.train.registry import find
from tandem.train.students._dual_head import DualHead
from tandem.train.types import Batch, HeadShape, Signals, StepOutput

ROWS, CLASSES, SIDE, WIDTH = 6, 4, 3, 5


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def given(rows: int = ROWS) -> Batch:
    index_B = np.arange(rows)
    return Batch(torch.zeros(rows, 3, 4, 4), torch.arange(rows) % CLASSES, index_B, index_B)


def on_classes(name: str, student_BK: Tensor, teacher_BK: Tensor, **knobs: float) -> Tensor:
    entry = find("losses", name)
    student = StepOutput(student_BK, torch.zeros(len(student_BK), 1))
    signals = Signals(logits_BK=teacher_BK)
    return entry.make(student, signals, given(len(student_BK)), entry.options(**knobs))


def on_tokens(name: str, student_BHWD: Tensor, teacher_BHWD: Tensor, **knobs: float) -> Tensor:
    entry = find("losses", name)
    rows = len(student_BHWD)
    student = StepOutput(torch.zeros(rows, 2), torch.zeros(rows, 1), student_BHWD)
    signals = Signals(tokens_BHWD=teacher_BHWD)
    return entry.make(student, signals, given(rows), entry.options(**knobs))


def softmax(values: list[float], temperature: float) -> list[float]:
    powers = [math.exp(one / temperature) for one in values]
    return [one / sum(powers) for one in powers]


def divergence(teacher: list[float], student: list[float]) -> float:
    return sum(p * math.log(p / q) for p, q in zip(teacher, student, strict=True))


def test_dist_is_one_less_pearsons_r_of_rows_and_of_classes():
    own_BK, target_BK = draw(0, ROWS, CLASSES), draw(1, ROWS, CLASSES)
    one = np.array([softmax(row, 2) for row in own_BK.tolist()])
    other = np.array([softmax(row, 2) for row in target_BK.tolist()])

    def apart(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(x, y, strict=True)]))

    expected = 3 * apart(one, other) + 5 * apart(one.T, other.T)
    got = on_classes("dist", own_BK, target_BK, temperature=2, beta=3, gamma=5)
    assert float(got) == pytest.approx(expected, rel=1e-4)


def test_dist_does_not_change_with_the_order_of_rows_or_classes():
    own_BK, target_BK = draw(0, ROWS, CLASSES), draw(1, ROWS, CLASSES)
    rows, classes = torch.randperm(ROWS), torch.randperm(CLASSES)
    turned = on_classes("dist", own_BK[rows][:, classes], target_BK[rows][:, classes])
    assert float(turned) == pytest.approx(float(on_classes("dist", own_BK, target_BK)), rel=1e-5)


def test_dist_of_two_classes_still_has_a_gradient():
    own_BK = draw(0, ROWS, 2).requires_grad_()
    on_classes("dist", own_BK, draw(1, ROWS, 2)).backward()
    assert float(own_BK.grad.norm()) > 1e-2


@pytest.mark.parametrize("name", ["feature_cwd", "cwd"])
def test_cwd_is_the_divergence_of_each_channel_over_places(name: str):
    own, target = draw(0, 2, SIDE, SIDE, WIDTH), draw(1, 2, SIDE, SIDE, WIDTH)
    nats = [
        divergence(
            softmax(target[row, :, :, channel].flatten().tolist(), 4),
            softmax(own[row, :, :, channel].flatten().tolist(), 4),
        )
        for row in range(2)
        for channel in range(WIDTH)
    ]
    if name == "cwd":
        entry = find("losses", name)
        flat = torch.zeros(2, 1)
        student = StepOutput(flat, flat, class_map_BHWK=own)
        got = entry.make(student, Signals(class_map_BHWK=target), given(2), entry.options())
    else:
        got = on_tokens(name, own, target)
    assert float(got) == pytest.approx(16 * sum(nats) / len(nats), rel=1e-4)


def test_cwd_of_a_finer_student_is_taken_on_the_teachers_grid():
    own, target = draw(0, 2, SIDE, SIDE, WIDTH), draw(1, 2, SIDE, SIDE, WIDTH)
    finer = own.repeat_interleave(4, 1).repeat_interleave(4, 2)
    coarse = float(on_tokens("feature_cwd", own, target))
    assert float(on_tokens("feature_cwd", finer, target)) == pytest.approx(coarse, rel=1e-5)


def test_similarity_is_the_divergence_of_the_softened_cosines():
    own, target = draw(0, 2, 2, 2, WIDTH), draw(1, 2, 2, 2, WIDTH)

    def alike(cells: Tensor, place: int) -> list[float]:
        rows = [row.tolist() for row in cells.flatten(0, 1)]
        norms = [math.hypot(*row) for row in rows]
        cosines = [
            sum(a * b for a, b in zip(rows[place], row, strict=True)) / (norms[place] * norm)
            for row, norm in zip(rows, norms, strict=True)
        ]
        return softmax(cosines, 0.5)

    nats = [
        divergence(alike(target[row], place), alike(own[row], place))
        for row in range(2)
        for place in range(4)
    ]
    got = on_tokens("feature_similarity", own, target, sharpness=0.5)
    assert float(got) == pytest.approx(sum(nats) / len(nats), rel=1e-4)


def test_similarity_does_not_ask_for_the_same_axes():
    target = draw(1, 2, SIDE, SIDE, WIDTH)
    turn, _ = torch.linalg.qr(draw(2, WIDTH, WIDTH))
    assert float(on_tokens("feature_similarity", target @ turn, target)) == pytest.approx(
        0, abs=1e-4
    )


def test_mgd_is_the_mean_square_of_what_was_generated_from_the_visible_cells():
    entry = find("losses", "feature_mgd")
    options = entry.options(masked=0.5)
    generator = entry.head(HeadShape(CLASSES, WIDTH, ()), options)
    own, target = draw(0, 4, SIDE, SIDE, WIDTH), draw(1, 4, SIDE, SIDE, WIDTH)
    nothing = torch.zeros(4, 1)
    torch.manual_seed(3)
    seen = generator(StepOutput(nothing, nothing, own))
    torch.manual_seed(3)
    kept = (torch.rand(4, SIDE, SIDE) >= 0.5)[..., None]
    assert 0 < int(kept.sum()) < kept.numel()
    with torch.no_grad():
        first, _, second = generator.layers
        image = (own * kept).permute(0, 3, 1, 2)
        plain = torch.conv2d(image, first.weight, first.bias, padding=1).clamp_min(0)
        plain = torch.conv2d(plain, second.weight, second.bias, padding=1).permute(0, 2, 3, 1)
    got = entry.make(seen, Signals(tokens_BHWD=target), given(4), options)
    assert float(got.detach()) == pytest.approx(float((plain - target).square().mean()), rel=1e-5)
    got.backward()
    assert all(float(one.grad.norm()) > 0 for one in generator.parameters())
    whole = generator.eval()(StepOutput(nothing, nothing, own)).tokens_BHWD
    again = generator(StepOutput(nothing, nothing, own)).tokens_BHWD
    assert torch.equal(whole, again)


@pytest.mark.parametrize("gamma", [1.0, 1.5])
def test_ofa_is_the_papers_sum_less_its_least_value(gamma: float):
    own_BK, target_BK = draw(0, ROWS, CLASSES), draw(1, ROWS, CLASSES)
    exits = tuple(draw(seed, ROWS, 1, 1, CLASSES) for seed in (2, 3))
    entry = find("losses", "ofa")
    student = StepOutput(own_BK, torch.zeros(ROWS, 1), layers_BHWD=exits)
    options = entry.options(temperature=2, emphasis=gamma, exit_weight=3)
    got = entry.make(student, Signals(logits_BK=target_BK), given(), options)

    def of(scores: list[float], row: int) -> float:
        p, q = softmax(target_BK[row].tolist(), 2), softmax(scores, 2)
        weights = [
            (p[k] + (k == row % CLASSES)) ** gamma - (k == row % CLASSES) for k in range(CLASSES)
        ]
        least = [one / sum(weights) for one in weights]
        return sum(
            w * (math.log(b) - math.log(s)) for w, b, s in zip(weights, least, q, strict=True)
        )

    total = sum(
        of(own_BK[row].tolist(), row)
        + 3 * sum(of(one[row].flatten().tolist(), row) for one in exits)
        for row in range(ROWS)
    )
    assert float(got) == pytest.approx(4 * total / ROWS, rel=1e-4)
    if gamma == 1:  # then each exit is taught by plain KL
        plain = on_classes("kl_div", own_BK, target_BK, temperature=2)
        alone = entry.make(
            StepOutput(own_BK, torch.zeros(ROWS, 1)), Signals(logits_BK=target_BK), given(), options
        )
        assert float(alone) == pytest.approx(float(plain), rel=1e-5)


def test_exits_lead_from_each_stage_to_the_classes():
    entry = find("losses", "ofa")
    head = entry.head(HeadShape(CLASSES, WIDTH, (3, 7)), entry.options())
    layers = (draw(0, 2, 4, 4, 3), draw(1, 2, 2, 2, 7))
    nothing = torch.zeros(2, 1)
    out = head(StepOutput(nothing, nothing, layers_BHWD=layers)).layers_BHWD
    assert [tuple(one.shape) for one in out] == [(2, 1, 1, CLASSES)] * 2


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_two_heads_answer_by_the_mix_of_their_probabilities(share: float):
    spec = StudentSpec(dual_head=True, label_head_share=share, taught_head_temperature=0.5)
    head = DualHead(WIDTH, CLASSES, spec)
    features_BD, labels_BK = draw(0, ROWS, WIDTH), draw(1, ROWS, CLASSES)
    learning, taught_BK = head.train()(features_BD, labels_BK)
    assert torch.equal(learning, labels_BK)
    mixed_BK, _ = head.eval()(features_BD, labels_BK)
    for row in range(ROWS):
        own, other = softmax(labels_BK[row].tolist(), 1), softmax(taught_BK[row].tolist(), 0.5)
        expected = [share * a + (1 - share) * b for a, b in zip(own, other, strict=True)]
        assert mixed_BK[row].softmax(0).tolist() == pytest.approx(expected, rel=1e-4)
