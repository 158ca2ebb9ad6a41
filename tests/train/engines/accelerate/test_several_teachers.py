"""Several teachers of one student: one set of signals, a cache each, and what the report says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tandem.train.demo.small_qwen import build
from tandem.train.engines.accelerate.teachers.joint import JointSource
from tandem.train.types import Signals
from tests.train.engines.runs import run_here


class Saying:
    """A source that always says the same."""

    def __init__(self, signals: Signals) -> None:
        self.said = signals

    def signals(self, index_B: np.ndarray, view_B: np.ndarray) -> Signals:  # noqa: ARG002
        return self.said


ROWS = np.arange(2)


def test_class_scores_are_the_weighted_mean_of_the_probabilities():
    one, other = torch.tensor([[2.0, 0, -1], [0, 1, 0]]), torch.tensor([[0.0, 3, 0], [1, 0, 4]])
    tokens = torch.rand(2, 1, 1, 4)
    sources = [Saying(Signals(logits_BK=one)), Saying(Signals(tokens_BHWD=tokens, logits_BK=other))]
    said = JointSource(sources, [0.75, 0.25], features=1).signals(ROWS, ROWS)
    expected = 0.75 * one.softmax(1) + 0.25 * other.softmax(1)
    assert torch.allclose(said.logits_BK.softmax(1), expected, atol=1e-6)
    assert said.tokens_BHWD is tokens


def test_class_maps_are_mixed_on_the_finer_grid():
    fine, coarse = torch.randn(1, 4, 4, 3), torch.randn(1, 1, 1, 3)
    sources = [Saying(Signals(class_map_BHWK=one)) for one in (fine, coarse)]
    said = JointSource(sources, [0.5, 0.5], features=0).signals(ROWS, ROWS)
    expected = (fine.softmax(-1) + coarse.softmax(-1)) / 2
    assert torch.allclose(said.class_map_BHWK.softmax(-1), expected, atol=1e-6)


@pytest.fixture(scope="module")
def second_teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("second") / "qwen", depth=2, hidden=48)


def test_each_is_asked_once_and_the_report_says_who_taught_what(
    spec_of, tmp_path: Path, small_teacher: Path, second_teacher: Path
):
    spec = spec_of(
        optim__epochs=1, teacher__others=[str(second_teacher)], teacher__weights=[3, 1],
        teacher__features_from=1,
    )  # fmt: skip
    assert run_here(spec, tmp_path) == 0
    teacher = json.loads((tmp_path / "run" / "report.json").read_text())["teacher"]
    first, second = teacher["members"]
    assert (first["name"], second["name"]) == (str(small_teacher), str(second_teacher))
    assert (first["weight"], second["weight"]) == (0.75, 0.25)
    assert (first["gives_features"], second["gives_features"]) == (False, True)
    assert first["fingerprint"] != second["fingerprint"]
    assert all(0 <= one["measured"]["metrics"]["accuracy"] <= 1 for one in (first, second, teacher))
    # Alone, the second finds all that it said in the cache: only the checks ask it again.
    alone = spec_of(
        optim__epochs=1, teacher__path=str(second_teacher), run__output_dir=str(tmp_path / "b")
    )
    assert run_here(alone, tmp_path) == 0
    again = json.loads((tmp_path / "b" / "report.json").read_text())["teacher"]
    assert again["fingerprint"] == second["fingerprint"]
    assert again["forwards"] < teacher["forwards"] / 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": [1]}, "teacher.weights has 1 numbers for 2 teachers."),
        ({"weights": [0, 0]}, "All of teacher.weights are 0"),
        ({"features_from": 2}, "teacher.features_from is 2, and the run has 2 teachers"),
        ({"weights": [1, 0]}, "Nothing would be asked of the teacher"),
    ],
)
def test_what_does_not_go_together_is_refused(
    spec_of, tmp_path: Path, small_teacher: Path, second_teacher: Path, capsys, changes, said
):
    teacher = {"path": str(small_teacher), "image_size": 56, "others": [str(second_teacher)]}
    assert run_here(spec_of(teacher=teacher | changes), tmp_path) == 2
    captured = capsys.readouterr()
    assert said in captured.out + captured.err
