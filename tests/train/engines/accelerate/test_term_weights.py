"""What each term of the loss weighs as a run goes on, and in one that is resumed."""

from __future__ import annotations

import json
import os
import signal
from types import SimpleNamespace

import pytest
import torch

from tandem.spec.run import LossSpec, RunSpec
from tandem.train.engines.accelerate import term_weights
from tandem.train.engines.accelerate.loss_terms import Term
from tandem.train.engines.accelerate.optimizer_step import OptimizerStep
from tandem.train.engines.accelerate.term_weights import TermWeights, added, gradient_norm
from tandem.train.engines.checkpoint import TrainingPosition
from tandem.train.pipeline.temperature import softened, temperature_note
from tandem.train.registry import find
from tests.train.engines.runs import events, run_here, weights


def term(name: str, weight: float) -> Term:
    entry = find("losses", name)
    return Term(name, entry, weight, entry.options())


TERMS = [term("cross_entropy", 0.5), term("kl_div", 2.0), term("feature_mse", 1.0)]


def of(position: TrainingPosition, **loss: object) -> list[float]:
    made = TermWeights(LossSpec(**loss), TERMS, steps_an_epoch=4)
    return [one.weight for one in made.at(position)]


def test_the_soft_weight_rises_step_by_step_and_the_others_do_not():
    position = TrainingPosition(epoch=0, step=0)
    assert of(position) == [0.5, 2.0, 1.0]
    assert of(position, soft_warmup_epochs=2) == [0.5, 2.0 / 8, 1.0]
    assert of(TrainingPosition(epoch=1, step=1), soft_warmup_epochs=2) == [0.5, 2 * 6 / 8, 1.0]
    assert of(TrainingPosition(epoch=2), soft_warmup_epochs=2) == [0.5, 2.0, 1.0]
    assert of(TrainingPosition(step=1), soft_warmup_epochs=0.5) == [0.5, 2.0, 1.0]


def test_balanced_terms_of_one_weight_pull_alike():
    norms = {"cross_entropy": 3.0, "kl_div": 0.5, "feature_mse": 12.0}
    sums = added(added({}, norms), {**norms, "cross_entropy": 0.0})  # a step without labels
    position = TrainingPosition(term_gradients=sums)
    assert of(position) == [0.5, 2.0, 1.0]
    balanced = of(position, weighting="balanced")
    pulls = [one * norms[term.name] for one, term in zip(balanced, TERMS, strict=True)]
    assert pulls == pytest.approx([0.5 * 3, 2.0 * 3, 1.0 * 3])


def test_a_term_without_a_gradient_keeps_its_weight():
    position = TrainingPosition(term_gradients=added({}, {"cross_entropy": 2.0, "kl_div": 0.0}))
    assert of(position, weighting="balanced") == [0.5, 2.0, 1.0]
    assert of(TrainingPosition(), weighting="balanced") == [0.5, 2.0, 1.0]


def test_the_norm_is_over_all_parameters_and_leaves_the_graph():
    one, other = torch.ones(2, requires_grad=True), torch.ones(1, requires_grad=True)
    value = (3 * one).sum() + (4 * other).sum()
    unused = torch.ones(1, requires_grad=True)
    assert float(gradient_norm(value, [one, other, unused])) == pytest.approx(34**0.5)
    value.backward()
    assert one.grad is not None
    assert float(gradient_norm(torch.zeros(()), [one])) == 0


def test_a_stopped_run_goes_on_with_the_weights_it_would_have_had(spec_of, tmp_path, monkeypatch):
    """In the middle of the steps that are measured, and of the rise of the soft weight."""
    monkeypatch.setattr(term_weights, "MEASURED_STEPS", 4)
    monkeypatch.setattr("tandem.train.engines.accelerate.trainer.MEASURED_STEPS", 4)
    changes = {
        "optim__batch_size": 8, "loss__weighting": "balanced", "loss__soft_warmup_epochs": 1.5,
        "report__baseline": False,
    }  # fmt: skip
    whole = spec_of(**changes)
    assert run_here(whole, tmp_path) == 0
    told = [
        one["message"] for one in events(whole, "notice") if "by their gradients" in one["message"]
    ]
    assert len(told) == 1
    assert "kl_div 0.5 → " in told[0]
    assert "cross_entropy 0.5 → 0.5" in told[0]

    broken = spec_of(**changes)
    broken["run"]["output_dir"] = str(tmp_path / "broken")
    step = OptimizerStep.step

    def terminated(self, group, totals, position, requests):
        if position.global_step == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, group, totals, position, requests)

    with monkeypatch.context() as patch:
        patch.setattr(OptimizerStep, "step", terminated)
        assert run_here(broken, tmp_path) == 75
    assert run_here(broken, tmp_path) == 0
    assert weights(broken) == weights(whole)


@pytest.mark.parametrize(("classes", "temperature"), [(3, 4), (20, 4), (21, 2), (200, 2), (201, 1)])
def test_auto_is_a_temperature_by_the_number_of_classes(classes, temperature):
    splits = SimpleNamespace(train=SimpleNamespace(classes=("x",) * classes))
    asked = run_spec()
    done = softened(asked, splits)
    assert done.loss.temperature == temperature
    told = temperature_note(asked, done, splits)
    assert f"is {temperature} " in told
    assert f"{classes} classes" in told
    given = run_spec(temperature=3)
    assert softened(given, splits).loss.temperature == 3
    assert temperature_note(given, given, splits) is None
    assert temperature_note(run_spec(soft_loss="mse"), run_spec(soft_loss="mse"), splits) is None


def run_spec(**loss):
    return RunSpec(
        task_id="t",
        data={"dataset": "d"},
        teacher={"path": "/t"},
        run={"output_dir": "/o"},
        loss=loss,
    )


def test_the_temperature_of_a_run_is_told_and_in_its_report(spec_of, tmp_path):
    spec = spec_of(optim__epochs=1, report__baseline=False)
    assert run_here(spec, tmp_path) == 0
    told = [one["message"] for one in events(spec, "notice")]
    assert sum("temperature of the soft labels is 4 " in one for one in told) == 1
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["spec"]["loss"]["temperature"] == 4.0
