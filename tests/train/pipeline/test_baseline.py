"""The student without the teacher: as many evaluations, fresh views, and a model that is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tandem
from tandem.spec.errors import SpecError
from tandem.spec.run import RunSpec
from tandem.train.engines.accelerate.evaluate import Evaluator
from tandem.train.engines.accelerate.optimizer_step import OptimizerStep
from tandem.train.kinds import find
from tests.conftest import make_shapes
from tests.train.engines.runs import events, run_here

FIRST_FRESH = 64


@pytest.fixture
def trained(spec_of, tmp_path, monkeypatch):
    """A finished run with its baseline; per mode: evaluations' steps, and the views of each row."""
    steps: dict[str, list[int]] = {"distillation": [], "direct": []}
    evaluated: dict[str, list[int]] = {"distillation": [], "direct": []}
    shown: dict[str, list[tuple[int, int]]] = {"distillation": [], "direct": []}
    evaluate, step = Evaluator.evaluate, OptimizerStep.step

    def counting_evaluate(self, *given, **named):
        if not named.get("as_served"):  # the best weights are measured once more in the end
            evaluated[self.spec.mode].append(len(steps[self.spec.mode]))
        return evaluate(self, *given, **named)

    def counting_step(self, group, *given):
        mode = self.spec.mode
        steps[mode].append(sum(len(batch.labels_B) for batch in group))
        for batch in group:
            shown[mode] += list(zip(batch.index_B.tolist(), batch.view_B.tolist(), strict=True))
        return step(self, group, *given)

    monkeypatch.setattr(Evaluator, "evaluate", counting_evaluate)
    monkeypatch.setattr(OptimizerStep, "step", counting_step)
    spec = spec_of(optim__epochs=3, report__baseline=True, student__size="resnet18")
    assert run_here(spec, tmp_path) == 0
    return Path(spec["run"]["output_dir"]), spec, steps, evaluated, shown


def test_the_baseline_is_trained_and_evaluated_as_the_student_is_and_kept(trained):
    run, spec, steps, evaluated, shown = trained
    assert steps["direct"] == steps["distillation"]
    assert evaluated["direct"] == evaluated["distillation"]
    assert len(evaluated["direct"]) == 3

    # The student replays what the cache keeps; who reads no cache sees nothing twice.
    assert {view for _, view in shown["distillation"]} <= set(range(4))
    new = [one for one in shown["direct"] if one[1] != 0]
    assert len(new) == len(set(new)) > 0
    assert min(view for _, view in new) >= FIRST_FRESH

    report = json.loads((run / "report.json").read_text())
    assert report["student"]["views"] == {"fresh": False, "count": 4}
    assert report["baseline"]["views"] == {"fresh": True, "count": 4}
    assert report["baseline"]["epochs"] == report["student"]["epochs"] == 3
    assert "new views" in (run / "final_model" / "README.md").read_text()
    said = [one["name"] for one in events(spec, "artifact")]
    assert said == ["final_model", "report", "baseline_model"]

    folder = run / report["baseline"]["model"]
    assert report["baseline"]["size_bytes"] == (folder / "model.safetensors").stat().st_size
    val = Path(spec["data"]["dataset"]) / "val"
    files = sorted(val.glob("*/*"))
    answers = tandem.load(folder).predict(files)
    right = [one.label == file.parent.name for one, file in zip(answers, files, strict=True)]
    assert np.mean(right) == pytest.approx(report["baseline"]["measured"]["metrics"]["accuracy"])


def test_a_teacher_without_a_cache_is_asked_about_fresh_views(spec_of, tmp_path, monkeypatch):
    from tandem.train.cache.sources import OnlineSource

    asked: list[tuple[int, int]] = []
    signals = OnlineSource.signals

    def hearing(self, index_B, view_B):
        asked.extend(zip(index_B.tolist(), view_B.tolist(), strict=True))
        return signals(self, index_B, view_B)

    monkeypatch.setattr(OnlineSource, "signals", hearing)
    spec = spec_of(optim__epochs=2, cache__mode="off", report__baseline=False)
    assert run_here(spec, tmp_path) == 0
    new = [one for one in asked if one[1] != 0]
    assert len(new) == len(set(new)) > 0
    report = json.loads((Path(spec["run"]["output_dir"]) / "report.json").read_text())
    assert report["student"]["views"] == {"fresh": True, "count": 4}


def test_balanced_sampling_and_a_recipe_reach_the_steps(spec_of, tmp_path, monkeypatch):
    labels: list[int] = []
    step = OptimizerStep.step

    def hearing(self, group, *given):
        for batch in group:
            labels.extend(batch.labels_B.tolist())
        return step(self, group, *given)

    monkeypatch.setattr(OptimizerStep, "step", hearing)
    data = make_shapes(tmp_path / "uneven", train=8)
    for file in sorted((data / "train" / "circle").glob("*"))[2:]:
        file.unlink()
    spec = spec_of(
        mode="direct",
        data={"dataset": str(data), "image_size": 32, "sampling": "balanced"},
        views={"recipe": "photographs"},
        optim__epochs=2,
    )
    assert run_here(spec, tmp_path) == 0
    counts = np.bincount(labels)
    assert counts.sum() == 2 * (2 + 8 * (len(counts) - 1))
    assert counts.max() - counts.min() <= 1
    said = " ".join(one["message"] for one in events(spec, "notice"))
    assert "photographs: crop_scale_min 0.14" in said
    assert "data.sampling" in said


@pytest.mark.parametrize(
    ("kind", "changes", "named"),
    [
        ("segmentation", {"data": {"sampling": "balanced"}}, "data.sampling"),
        ("detection", {"data": {"sampling": "balanced"}}, "data.sampling"),
        ("detection", {"views": {"erasing": 0.2}}, "views.erasing"),
        ("text", {"views": {"recipe": "characters"}}, "views.recipe"),
    ],
)
def test_what_does_nothing_for_a_kind_is_refused(kind, changes, named):
    tree = {"task_id": "t", "data": {"dataset": "d"} | changes.get("data", {})}
    with pytest.raises(SpecError) as error:
        find(kind).check(
            RunSpec(
                **tree,
                mode="direct",
                run={"output_dir": "out"},
                views=changes.get("views", {}),
            )
        )
    assert named in f"{error.value} {error.value.fix}"
