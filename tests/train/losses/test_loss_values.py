"""What single losses mean, against values worked out another way."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tandem.spec.errors import SpecError
from tandem.spec.run import RunSpec
from tandem.train.engines.accelerate.checks import check_terms
from tandem.train.engines.accelerate.model.projector import Projector
from tandem.train.registry import find
from tandem.train.types import Batch, ImageTable, Signals, StepOutput

POOLED = torch.zeros(2, 1)
STUDENT = torch.tensor([[1.0, 0.0, -1.0], [0.5, 2.0, 0.0]])
TEACHER = torch.tensor([[2.0, 0.0, 1.0], [0.0, 3.0, -1.0]])


def batch(labels: list[int], label_BK: torch.Tensor | None = None) -> Batch:
    index_B = np.arange(len(labels))
    images = torch.zeros(len(labels), 3, 4, 4)
    return Batch(images, torch.tensor(labels), index_B, index_B, label_BK)


def loss(name: str, student_BK: torch.Tensor, teacher_BK: torch.Tensor, given: Batch, **knobs):
    entry = find("losses", name)
    student = StepOutput(student_BK, POOLED)
    return float(entry.make(student, Signals(logits_BK=teacher_BK), given, entry.options(**knobs)))


def test_cross_entropy_of_sure_and_unsure_rows():
    sure = torch.tensor([[100.0, 0.0], [0.0, 100.0]])
    assert loss("cross_entropy", sure, sure, batch([0, 1])) == pytest.approx(0)
    assert loss("cross_entropy", sure * 0, sure, batch([0, 1])) == pytest.approx(math.log(2))


def test_label_smoothing_is_the_same_for_hard_and_one_hot_labels():
    hard = loss("cross_entropy", STUDENT, TEACHER, batch([0, 1]), label_smoothing=0.1)
    one_hot = batch([0, 1], torch.tensor([[1.0, 0, 0], [0, 1, 0]]))
    soft = loss("cross_entropy", STUDENT, TEACHER, one_hot, label_smoothing=0.1)
    assert hard == pytest.approx(soft)
    assert hard != pytest.approx(loss("cross_entropy", STUDENT, TEACHER, batch([0, 1])))


def test_a_row_counts_by_its_labelled_share():
    half = batch([0, 1], torch.tensor([[0.5, 0, 0], [0, 0, 0]]))
    whole = loss("cross_entropy", STUDENT[:1], TEACHER, batch([0]), label_smoothing=0.2)
    got = loss("cross_entropy", STUDENT, TEACHER, half, label_smoothing=0.2)
    assert got == pytest.approx(0.5 * whole / 2)


def test_kl_is_the_sum_of_p_log_p_over_q_times_temperature_squared():
    p, q = F.softmax(TEACHER / 3, dim=1), F.softmax(STUDENT / 3, dim=1)
    expected = float((p * (p / q).log()).sum(dim=1).mean() * 9)
    assert loss("kl_div", STUDENT, TEACHER, batch([0, 1]), temperature=3) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["kl_div", "cosine", "dkd", "standardised"])
def test_temperature_squared_keeps_the_gradient_in_size(name):
    """Between T = 8 and T = 16 the gradient changes by far less than the factor four."""

    def size(temperature: float) -> float:
        entry = find("losses", name)
        logits_BK = STUDENT.clone().requires_grad_()
        options = entry.options(temperature=temperature)
        student = StepOutput(logits_BK, POOLED)
        entry.make(student, Signals(logits_BK=TEACHER), batch([0, 1]), options).backward()
        return float(logits_BK.grad.norm())

    assert 0.7 < size(16) / size(8) < 1.4


def test_mse_is_of_logits_and_blind_to_their_shift():
    """Half the squared distance of what differs between classes, over the root of K."""
    one, other = torch.tensor([[3.0, 1.0, 2.0, 2.0]]), torch.tensor([[0.0, 4.0, 2.0, 2.0]])
    assert loss("mse", one, other, batch([0])) == pytest.approx((9 + 9) / 2 / math.sqrt(4))
    assert loss("mse", one + 7, other - 90, batch([0])) == pytest.approx(4.5, rel=1e-5)


def test_mse_is_what_kl_comes_to_at_a_high_temperature():
    """T² KL goes to |z - v|² / (2 K) for centred logits (Hinton et al. 2015, eq. 4)."""
    kl = loss("kl_div", STUDENT, TEACHER, batch([0, 1]), temperature=30)
    mse = loss("mse", STUDENT, TEACHER, batch([0, 1]))
    assert kl == pytest.approx(mse / math.sqrt(3), rel=3e-2)


@pytest.mark.parametrize("classes", [2, 10, 100, 1000])
def test_mse_pulls_as_the_cross_entropy_does_at_any_number_of_classes(classes):
    """A student half way to a good teacher, mean norm of a row's gradient."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.arange(64) % classes).tolist()
    teacher_BK = torch.randn(64, classes, generator=generator)
    teacher_BK[torch.arange(64), labels] += 5
    noise_BK = torch.randn(64, classes, generator=generator) / 2

    def pull(name: str) -> float:
        logits_BK = (teacher_BK / 2 + noise_BK).requires_grad_()
        entry = find("losses", name)
        student = StepOutput(logits_BK, torch.zeros(64, 1))
        entry.make(
            student, Signals(logits_BK=teacher_BK), batch(labels), entry.options()
        ).backward()
        return 64 * float(logits_BK.grad.norm(dim=1).mean())

    assert 0.5 < pull("mse") < 1.5
    if classes == 1000:
        assert pull("mse") > 0.5 * pull("cross_entropy")


def test_two_standardised_logits_say_nothing_and_such_a_run_is_refused(spec_of):
    one, other = torch.tensor([[3.0, 1.0]]), torch.tensor([[9.0, 1.0]])
    assert loss("standardised", one, other, batch([0])) == pytest.approx(0, abs=1e-5)
    spec = RunSpec.model_validate(spec_of(loss__soft_loss="standardised"))
    check_terms(spec, table_of(3))
    with pytest.raises(SpecError, match=r"teaches nothing with 2 classes; it needs 3 or more"):
        check_terms(spec, table_of(2))


def table_of(classes: int) -> ImageTable:
    names = tuple("abc"[:classes])
    empty = np.zeros((classes, 16), np.uint8)
    return ImageTable(Path(), np.array([b"x"] * classes), np.arange(classes), empty, names)


def test_cosine_is_one_minus_the_cosine():
    one, other = torch.tensor([[100.0, 0.0]]), torch.tensor([[0.0, 100.0]])
    assert loss("cosine", one, other, batch([0]), temperature=1) == pytest.approx(1)


def test_dkd_with_the_papers_weights_is_kl():
    """KL = TCKD + (1 - p_target) · NCKD (Zhao et al. 2022, eq. 6)."""
    target = batch([0])
    rest = 1 - float(F.softmax(TEACHER[:1] / 2, dim=1)[0, 0])
    kl = loss("kl_div", STUDENT[:1], TEACHER[:1], target, temperature=2)
    knobs = {"temperature": 2, "alpha": 1, "beta": rest}
    assert loss("dkd", STUDENT[:1], TEACHER[:1], target, **knobs) == pytest.approx(kl, rel=1e-5)


def test_dkd_targets_the_label_and_else_the_teachers_best_class():
    named = loss("dkd", STUDENT, TEACHER, batch([0, 1]))
    unlabelled = loss("dkd", STUDENT, TEACHER, batch([-1, -1]))
    assert unlabelled == pytest.approx(named)  # the teacher's best classes are 0 and 1
    assert loss("dkd", STUDENT, TEACHER, batch([2, 2])) != pytest.approx(named)
    mixed = batch([2, 2], torch.tensor([[0.7, 0.0, 0.3], [0.0, 0.0, 0.0]]))
    assert loss("dkd", STUDENT, TEACHER, mixed) == pytest.approx(named)


def test_standardised_ignores_shift_and_scale_of_either_side():
    plain = loss("standardised", STUDENT, TEACHER, batch([0, 1]))
    assert plain > 0
    moved = loss("standardised", STUDENT * 7 + 3, TEACHER * 0.2 - 5, batch([0, 1]))
    assert moved == pytest.approx(plain, rel=1e-4)
    assert loss("kl_div", STUDENT * 7 + 3, TEACHER * 0.2 - 5, batch([0, 1])) != pytest.approx(plain)


def dense(name: str, one: torch.Tensor, other: torch.Tensor) -> float:
    entry = find("losses", name)
    student = StepOutput(STUDENT, one.mean(dim=(1, 2)), one, (one,))
    teacher = Signals(other.mean(dim=(1, 2)), other, layers_BHWD=(other,))
    return float(entry.make(student, teacher, batch([0, 1]), entry.options()))


def test_feature_losses_on_known_vectors():
    one, other = torch.zeros(2, 2, 2, 4), torch.zeros(2, 2, 2, 4)
    one[..., 0], other[..., 1] = 3, 2
    assert dense("feature_cosine", one, other) == pytest.approx(1)
    assert dense("feature_mse", one, other) == pytest.approx((9 + 4) / 4)
    assert dense("intermediate", one, other) == pytest.approx((9 + 4) / 4)
    assert dense("feature_cosine", one * 5, one) == pytest.approx(0, abs=1e-6)


def test_attention_ignores_width_and_scale_but_not_place():
    torch.manual_seed(0)
    tokens = torch.randn(2, 3, 3, 4)
    wider = torch.cat([tokens, -tokens], dim=-1) * 9
    assert dense("attention", tokens, wider) == pytest.approx(0, abs=1e-6)
    assert dense("attention", tokens, tokens.flip(1)) > 0.01


def test_attention_on_one_cell_is_an_error_rather_than_a_constant_zero():
    with pytest.raises(SpecError, match="1 x 1"):
        dense("attention", torch.randn(2, 1, 1, 4), torch.randn(2, 3, 3, 4))


def test_relation_ignores_rotation_scale_and_shift_but_not_shape():
    torch.manual_seed(0)
    entry = find("losses", "relation")
    points = torch.randn(6, 4)
    turn = torch.linalg.qr(torch.randn(4, 4)).Q

    def relation(student_BD: torch.Tensor) -> float:
        out = StepOutput(torch.zeros(6, 2), student_BD)
        return float(entry.make(out, Signals(points), batch([0] * 6), entry.options()))

    assert relation(points @ turn * 3 + 5) == pytest.approx(0, abs=1e-6)
    assert relation(points * torch.tensor([1.0, 4, 1, 1])) > 0.01


def test_relation_is_finite_for_rows_that_agree():
    entry = find("losses", "relation")
    same_BD = torch.ones(4, 3, requires_grad=True)
    student = StepOutput(torch.zeros(4, 2), same_BD)
    value = entry.make(student, Signals(torch.randn(4, 5)), batch([0] * 4), entry.options())
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(same_BD.grad).all()


def test_the_projector_brings_the_student_to_the_teachers_width():
    projector = Projector(tokens=(8, 5), layers=[(4, 3), (6, 2)])
    layers = (torch.randn(2, 4, 4, 4), torch.randn(2, 2, 2, 6))
    out = projector(StepOutput(STUDENT, POOLED, torch.randn(2, 3, 3, 8), layers))
    assert out.tokens_BHWD.shape == (2, 3, 3, 5)
    assert [x.shape[-1] for x in out.layers_BHWD] == [3, 2]
    assert out.logits_BK is STUDENT


def test_without_alignment_equal_widths_pass_and_others_are_named():
    tokens = torch.randn(2, 3, 3, 8)
    out = Projector(tokens=(8, 8), align=False)(StepOutput(STUDENT, POOLED, tokens))
    assert out.tokens_BHWD is tokens
    with pytest.raises(SpecError, match=r"512 and 256 wide.*--align_feature"):
        Projector(tokens=(512, 256), align=False)
