"""Properties of every registered loss; a plug-in's is reached unasked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tandem.data.content import IGNORED
from tandem.train.registry import PluginEntry, entries
from tandem.train.types import UNLABELLED, Batch, Signals, StepOutput

NAMES = sorted(entries("losses"))
ROWS, CLASSES, WIDTH, SIDE = 8, 5, 5, 3


def parts(seed: int, rows: int = ROWS, scale: float = 1.0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(rows, *shape, generator=generator) * scale

    return {
        "logits_BK": draw(CLASSES),
        "pooled_BD": draw(WIDTH),
        "tokens_BHWD": draw(SIDE, SIDE, WIDTH),
        "layers_BHWD": (draw(SIDE, SIDE, WIDTH), draw(SIDE, SIDE, WIDTH)),
        "class_map_BHWK": draw(SIDE, SIDE, CLASSES),
    }


def leaf(value):
    if isinstance(value, tuple):
        return tuple(leaf(one) for one in value)
    return value.clone().requires_grad_()


def leaves(output: StepOutput) -> dict[str, list[torch.Tensor]]:
    return {
        "logits": [output.logits_BK],
        "pooled": [output.pooled_BD],
        "tokens": [output.tokens_BHWD],
        "layers": list(output.layers_BHWD),
        "masks": [output.class_map_BHWK],
    }


def student_of(seed: int, **knobs) -> StepOutput:
    return StepOutput(**{name: leaf(value) for name, value in parts(seed, **knobs).items()})


def batch_of(rows: int = ROWS, labelled: bool = True) -> Batch:
    labels_B = torch.arange(rows) % CLASSES
    if not labelled:
        labels_B = torch.full_like(labels_B, UNLABELLED)
    index_B = np.arange(rows)
    cells = torch.arange(rows * SIDE * SIDE).reshape(rows, SIDE, SIDE) * 7 % CLASSES
    mask_BHW = cells.to(torch.uint8)
    mask_BHW[:, 0, 0] = IGNORED
    return Batch(torch.zeros(rows, 3, 4, 4), labels_B, index_B, index_B, mask_BHW=mask_BHW)


def value(entry: PluginEntry, student: StepOutput, teacher: Signals, batch: Batch) -> torch.Tensor:
    return entry.make(student, teacher, batch, entry.options())


def rows_of(thing, rows: slice):
    def cut(part):
        return tuple(cut(one) for one in part) if isinstance(part, tuple) else part[rows]

    fields = {name: cut(part) for name, part in vars(thing).items() if part is not None}
    return replace(thing, **fields)


@pytest.fixture(params=NAMES)
def entry(request) -> PluginEntry:
    return entries("losses")[request.param]


def test_it_is_a_finite_scalar_above_zero_for_a_student_that_differs(entry):
    loss = value(entry, student_of(0), Signals(**parts(1)), batch_of())
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    assert 0 < float(loss.detach()) < 1e4


def test_it_is_zero_where_the_student_is_the_teacher(entry):
    if not entry.facts.get("zero_at_teacher"):
        assert entry.needs <= {"labels", "masks"} or entry.head is not None
        return
    loss = value(entry, student_of(0), Signals(**parts(0)), batch_of()).detach()
    assert float(loss) == pytest.approx(0, abs=2e-5)


def test_a_step_down_its_gradient_lowers_it(entry):
    student, teacher = student_of(0), Signals(**parts(1))
    before = value(entry, student, teacher, batch_of())
    tensors = [one for group in leaves(student).values() for one in group]
    gradients = torch.autograd.grad(before, tensors, allow_unused=True)
    with torch.no_grad():
        norm = sum(g.square().sum() for g in gradients if g is not None).sqrt()
        for tensor, gradient in zip(tensors, gradients, strict=True):
            if gradient is not None:
                tensor -= 1e-2 * gradient / norm
    after = value(entry, student, teacher, batch_of())
    assert after.item() < before.item()


def test_gradient_reaches_exactly_the_taps_that_it_needs(entry):
    student = student_of(0)
    value(entry, student, Signals(**parts(1)), batch_of()).backward()
    touched = {
        name for name, group in leaves(student).items() if all(t.grad is not None for t in group)
    }
    of_labels = "masks" if "masks" in entry.needs else "logits"
    wanted = {of_labels if name == "labels" else name for name in entry.reads}
    if entry.facts.get("dense"):
        wanted = {"masks"}
    assert touched == wanted


@pytest.mark.parametrize("scale", [1e4, 1e-8, 0.0])
@pytest.mark.parametrize("half", [False, True])
def test_value_and_gradient_are_finite_at_the_extremes(entry, scale, half):
    student, teacher = student_of(0, scale=scale), Signals(**parts(1, scale=scale))
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        if half:
            student = StepOutput(
                **{
                    name: tuple(x.bfloat16() for x in part)
                    if isinstance(part, tuple)
                    else part.bfloat16()
                    for name, part in vars(student).items()
                    if part is not None
                }
            )
        for group in leaves(student).values():
            for tensor in group:
                tensor.retain_grad()
        loss = value(entry, student, teacher, batch_of())
    loss.backward()
    assert torch.isfinite(loss)
    gradients = [t.grad for group in leaves(student).values() for t in group if t.grad is not None]
    assert gradients
    assert all(torch.isfinite(g).all() for g in gradients)


def test_micro_batches_weighted_by_size_give_the_batch(entry):
    student, teacher, batch = student_of(0), Signals(**parts(1)), batch_of()
    whole = value(entry, student, teacher, batch)
    cut = [slice(0, 3), slice(3, ROWS)]
    pieces = [
        value(entry, rows_of(student, s), rows_of(teacher, s), rows_of(batch, s)) for s in cut
    ]
    mean = (pieces[0] * 3 + pieces[1] * (ROWS - 3)) / ROWS
    same = mean.item() == pytest.approx(whole.item(), rel=1e-5)
    assert same != bool(entry.facts.get("pairwise"))


def test_a_batch_of_one_row_is_fine(entry):
    loss = value(entry, student_of(0, rows=1), Signals(**parts(1, rows=1)), batch_of(1))
    loss.backward()
    assert torch.isfinite(loss)


def test_unlabelled_rows_take_part_unless_labels_are_needed(entry):
    if "labels" in entry.needs:
        return
    loss = value(entry, student_of(0), Signals(**parts(1)), batch_of(labelled=False))
    assert loss.item() > 0


def test_a_coarser_teacher_is_met_on_its_own_grid(entry):
    if not entry.needs & {"tokens", "layers"}:
        return
    fine = parts(0)
    coarse = parts(1)
    for side in (fine, coarse):
        side["tokens_BHWD"] = side["tokens_BHWD"].repeat_interleave(2, 1).repeat_interleave(2, 2)
        side["layers_BHWD"] = tuple(
            x.repeat_interleave(2, 1).repeat_interleave(2, 2) for x in side["layers_BHWD"]
        )
    alike = value(entry, StepOutput(**parts(0)), Signals(**parts(1)), batch_of())
    finer = value(entry, StepOutput(**fine), Signals(**parts(1)), batch_of())
    other = value(entry, StepOutput(**parts(0)), Signals(**coarse), batch_of())
    assert float(finer) == pytest.approx(float(alike), rel=1e-5)
    assert float(other) == pytest.approx(float(alike), rel=1e-5)


def test_it_names_its_paper_or_measure_and_its_knobs(entry):
    assert entry.about
    for name, knob in entry.options.model_json_schema().get("properties", {}).items():
        assert knob.get("description"), name


def test_padding_of_texts_is_compared_by_none(entry):
    """What stands behind a text's own tokens moves nothing, however many places it has."""
    if not entry.needs & {"tokens", "layers"} or (entry.kinds and "text" not in entry.kinds):
        return
    mask_BL = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
    ids_B3L = torch.stack([torch.ones_like(mask_BL), mask_BL, torch.zeros_like(mask_BL)], 1)
    index_B = np.arange(2)

    def loss(length: int, padding: float) -> float:
        sides = []
        for seed in (0, 1):
            drawn = torch.randn(2, 5, 1, WIDTH, generator=torch.Generator().manual_seed(seed))
            drawn = torch.where(mask_BL[..., None, None] > 0, drawn, padding + seed)[:, :length]
            dense = {"tokens_BHWD": drawn, "layers_BHWD": (drawn, drawn)}
            sides.append({**parts(seed, rows=2), **dense})
        batch = Batch(ids_B3L[..., :length], torch.zeros(2, dtype=torch.int64), index_B, index_B)
        return float(value(entry, StepOutput(**sides[0]), Signals(**sides[1]), batch))

    assert loss(5, padding=90.0) == pytest.approx(loss(3, padding=0.0), rel=1e-5)
