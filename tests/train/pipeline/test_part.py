"""A part of the data, the weight of each class, and over-fitting told."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from tandem.data.content import Item
from tandem.spec.errors import SpecError
from tandem.spec.run import RunSpec
from tandem.train.data.masks import MaskTable
from tandem.train.engines.checkpoint import TrainingPosition
from tandem.train.engines.run_reporter import EpochReport, RunReporter
from tandem.train.losses.cross_entropy import CrossEntropyOptions, cross_entropy
from tandem.train.pipeline.part import chosen_rows, limited, weighted, weights_note
from tandem.train.types import Batch, ImageTable, Signals, Splits, StepOutput


def splits(counts: list[int], unlabelled: int = 0) -> Splits:
    labels_N = np.repeat([*range(len(counts)), -1], [*counts, unlabelled]).astype(np.int64)
    hashes_N = np.random.default_rng(3).integers(0, 256, (len(labels_N), 16), dtype=np.uint8)
    names = np.array([f"{n}.png".encode() for n in range(len(labels_N))])
    classes = tuple("abcdef"[: len(counts)])
    table = ImageTable(Path("/data"), names, labels_N, hashes_N, classes)
    return Splits(table, table)


def spec(**sections: dict) -> RunSpec:
    tree: dict = {"task_id": "t", "mode": "direct", "data": {"dataset": "d"},
                  "run": {"output_dir": "o"}}  # fmt: skip
    for name, fields in sections.items():
        tree[name] = {**tree.get(name, {}), **fields}
    return RunSpec.model_validate(tree)


@pytest.mark.parametrize(
    ("limit", "shares"),
    [(0.1, [9, 1, 2]), (12, [9, 1, 2]), (0.5, [45, 5, 10]), (3, [1, 1, 1]), (500, [90, 10, 20])],
)
def test_each_class_gives_its_share(limit: float, shares: list[int]):
    some = limited(splits([90, 10], unlabelled=20), spec(data={"limit": limit}))
    labels_n = some.train.labels_N
    assert [int((labels_n == one).sum()) for one in (0, 1, -1)] == shares
    assert len(some.val) == 120
    assert bool(some.notes) == (sum(shares) < 120)


@pytest.mark.parametrize("seed", range(4))
def test_each_set_of_classes_in_masks_gives_its_share(seed: int):
    given = [(0, 1)] * 18 + [(0, 2)] * 2
    items = [Item(b"%d.png" % n, mask=b"m", mask_values=one) for n, one in enumerate(given)]
    plain = splits([20]).train
    columns = {one.name: getattr(plain, one.name) for one in dataclasses.fields(plain)}
    table = MaskTable(**columns, items_N=tuple(items))
    some = limited(Splits(table, table), spec(data={"limit": 4}, run={"seed": seed}))
    assert isinstance(some.train, MaskTable)
    assert Counter(one.mask_values for one in some.train.items_N) == {(0, 1): 3, (0, 2): 1}


def test_the_part_follows_from_content_and_seed_alone():
    hashes_N, strata_N = splits([40]).train.hashes_N, np.zeros(40, np.int64)

    def content(order: np.ndarray, seed: int = 0) -> set[bytes]:
        rows = chosen_rows(hashes_N[order], strata_N, 10, seed)
        return {hashes_N[order][row].tobytes() for row in rows}

    order = np.arange(40)
    assert content(order) == content(order[::-1])
    assert content(order) != content(order, seed=1)
    more = chosen_rows(hashes_N, strata_N, 20, 0)
    assert set(chosen_rows(hashes_N, strata_N, 10, 0).tolist()) < set(more.tolist())


@pytest.mark.parametrize("limit", [0, -1, 1, 1.5, 2.5, "many"])
def test_a_limit_that_is_neither_share_nor_number_is_refused(limit: object):
    with pytest.raises(ValueError, match="limit"):
        spec(data={"limit": limit})


def test_balanced_weights_are_the_inverse_of_the_shares():
    found = weighted(spec(loss={"class_weights": "balanced"}), splits([30, 10, 0])).loss
    assert found.class_weights == pytest.approx([40 / 60, 40 / 20, 1.0])
    told = weights_note(spec(loss={"class_weights": found.class_weights}), ("a", "b", "c"))
    assert told == "The classes weigh in the loss on labels: a 0.667, b 2, c 1."
    assert weights_note(spec(), ("a",)) is None


def test_given_weights_keep_their_ratio():
    found = weighted(spec(loss={"class_weights": [1, 3]}), splits([30, 10])).loss.class_weights
    assert found == pytest.approx([2 / 3, 2])


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0]])
def test_weights_that_mean_nothing_are_refused(weights: list[float]):
    with pytest.raises(SpecError, match=r"loss\.class_weights"):
        weighted(spec(loss={"class_weights": weights}), splits([3, 3]))


def test_a_weighted_loss_does_not_depend_on_how_a_batch_is_cut():
    logits_BK, labels_B = torch.randn(8, 2), torch.tensor([0, 0, 0, 0, 0, 0, 0, 1])
    options = CrossEntropyOptions(class_weights=[0.5, 4.0], label_smoothing=0.1)

    def loss(part: slice) -> torch.Tensor:
        out = StepOutput(logits_BK[part], logits_BK[part])
        index = np.arange(8)[part]
        batch = Batch(torch.zeros(8)[part], labels_B[part], index, np.zeros_like(index))
        return cross_entropy(out, Signals(), batch, options)

    whole, halves = loss(slice(0, 8)), (loss(slice(0, 4)) + loss(slice(4, 8))) / 2
    torch.testing.assert_close(whole, halves)
    alike = cross_entropy(
        StepOutput(logits_BK, logits_BK),
        Signals(),
        Batch(torch.zeros(8), labels_B, np.arange(8), np.zeros(8, np.int64)),
        CrossEntropyOptions(class_weights=[1.0, 1.0], label_smoothing=0.1),
    )
    plain = torch.nn.functional.cross_entropy(logits_BK, labels_B, label_smoothing=0.1)
    torch.testing.assert_close(alike, plain)


class Ear:
    def __init__(self) -> None:
        self.said: list[str] = []

    def emit(self, type: str, **fields: object) -> None: ...
    def progress(self, doing: str, done: int, total: int) -> None: ...
    def notice(self, message: str, warning: bool = False) -> None:
        self.said.append(message)


class Of:
    def __init__(self, ear: Ear) -> None:
        self.reporter, self.spec = ear, spec()
        self.device_context = type("D", (), {"device": torch.device("cpu")})()


def told(val: list[float], train: list[float]) -> tuple[list[str], TrainingPosition]:
    ear, position = Ear(), TrainingPosition()
    reporter = RunReporter(Of(ear), "accuracy")  # type: ignore[arg-type]
    for epoch, (low, high) in enumerate(zip(train, val, strict=True), 1):
        position.epoch = epoch
        reporter.epoch(position, EpochReport(low, {}, {}, high, 0.5, 0.1, 8, 1.0))
    return ear.said, position


def test_over_fitting_is_told_once_with_the_epoch_of_the_best():
    val = [1.0, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2]
    said, position = told(val, [1 / n for n in range(1, 10)])
    assert len(said) == 1
    assert said[0].startswith("Over-fitting: since epoch 2 the training loss falls (0.5 to ")
    assert position.overfits_from == 2


@pytest.mark.parametrize(
    ("val", "train"),
    [
        ([1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3], [1 / n for n in range(1, 9)]),  # still learning
        ([1, 0.5, 0.51, 0.5, 0.52, 0.51, 0.5, 0.52], [1 / n for n in range(1, 9)]),  # a plateau
        ([1, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1], [1, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1]),  # it diverges
        ([1, 0.5, 0.7, 0.8, 0.45, 0.5, 0.5, 0.5], [1 / n for n in range(1, 9)]),  # it recovers
    ],
)
def test_other_courses_are_no_over_fitting(val: list[float], train: list[float]):
    assert told(val, train)[0] == []
