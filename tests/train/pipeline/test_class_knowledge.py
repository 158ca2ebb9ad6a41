"""Where the teacher's class scores come from: each way trains, and says how good the teacher is."""

import json
from pathlib import Path

import pytest

from tests.conftest import make_shapes
from tests.train.engines.runs import events, run_here

WAYS = {
    "probe": {},
    "label_scoring": {"teacher__knowledge": "label_scoring"},
    "lora": {
        "lora": {"rank": 2, "epochs": 1, "batch_size": 8},
        "teacher__knowledge": "lora",
    },
}


def report(spec: dict) -> dict:
    return json.loads((Path(spec["run"]["output_dir"]) / "report.json").read_text())


@pytest.mark.parametrize("way", WAYS)
def test_each_way_reports_the_teacher_on_the_validation_set(spec_of, tmp_path, way):
    spec = spec_of(optim__epochs=1, **WAYS[way])
    assert run_here(spec, tmp_path) == 0
    teacher = report(spec)["teacher"]
    assert teacher["knowledge"] == way
    assert 0 <= teacher["measured"]["metrics"]["accuracy"] <= 1
    assert [one["who"] for one in events(spec, "evaluation")] == ["teacher", "student"]


def test_without_labels_the_language_model_is_asked(spec_of, tmp_path):
    data = make_shapes(tmp_path / "data", train=2, unlabelled=12)
    for image in (data / "train").rglob("*.png"):
        image.rename(data / "unlabeled" / f"{image.parent.name}-{image.name}")
    spec = spec_of(optim__epochs=1, data__dataset=str(data))
    assert run_here(spec, tmp_path) == 0
    assert report(spec)["teacher"]["knowledge"] == "label_scoring"
    assert "cross_entropy" not in events(spec, "epoch")[0]["terms"]


def test_features_alone_need_no_class_knowledge(spec_of, tmp_path):
    spec = spec_of(
        optim__epochs=1, teacher__knowledge="none", loss={"distillation_type": "feature"}
    )
    assert run_here(spec, tmp_path) == 0
    assert report(spec)["teacher"]["measured"] is None
    assert set(events(spec, "epoch")[0]["terms"]) == {"cross_entropy", "feature_mse"}


def test_a_second_task_on_the_same_data_asks_the_teacher_only_to_verify(spec_of, tmp_path):
    first = spec_of(optim__epochs=1)
    assert run_here(first, tmp_path) == 0
    second = spec_of(optim__epochs=1, cache__verify_samples=0, run__seed=3)
    second["run"]["output_dir"] = str(tmp_path / "second")
    assert run_here(second, tmp_path) == 0
    assert report(first)["teacher"]["forwards"] > 0
    assert report(second)["teacher"]["forwards"] == 0
