"""A service whose students have configured weights: its tasks start from them, and say so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tandem.config.files import parse_value
from tandem.config.fill import fill
from tandem.config.settings import Settings, load
from tandem.server.tasks.creation.allowed_paths import confine
from tandem.server.tasks.creation.create import from_fields
from tandem.server.tasks.creation.equivalents import as_yaml, short
from tandem.server.tasks.creation.requirements import missing_requirements
from tandem.spec.plugins.sources import is_fetched
from tandem.spec.run import RunSpec


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    (home / "tandem.yaml").write_text("students: {resnet18: torchvision}", encoding="utf-8")
    monkeypatch.setenv("TANDEM_HOME", str(home))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "ms"))
    monkeypatch.chdir(tmp_path)
    return load()


def fields(**more: object) -> dict[str, object]:
    named = {"teacherModel": "Qwen2.5-VL-8B", "studentModel": "ResNet18", "datasetId": "d"}
    return named | more


@pytest.mark.parametrize("method", [None, "random"])
def test_a_task_starts_from_them_unless_it_says_otherwise(
    settings: Settings, method: str | None
) -> None:
    made = from_fields(fields(studentInitMethod=method), settings, task_id="T")
    spec = RunSpec.model_validate_json(made.spec)
    assert spec.student.init == (method or "pretrained")
    assert any("torchvision" in note for note in made.notes) == (method is None)
    # What is shown of the task makes the same run again.
    tree = {**short(spec, settings), "task_id": "T", "run": {"output_dir": made.run_dir}}
    again = fill(parse_value(as_yaml(tree)), {}, settings)[0]
    assert again.student == spec.student


def test_a_field_without_effect_is_told(settings: Settings) -> None:
    made = from_fields(
        fields(distillationType="feature", softLabelWeight=0.9, featureWeight=2),
        settings,
        task_id="T",
    )
    assert [note.split(" has")[0] for note in made.notes if "no effect" in note] == [
        "softLabelWeight"
    ]
    quiet = from_fields(fields(distillationType="feature"), settings, task_id="T")
    assert not [note for note in quiet.notes if "no effect" in note]


@pytest.mark.parametrize(
    "path", ["modelscope:Qwen/Qwen2.5-VL-7B-Instruct", "huggingface/google/vit-base", "torchvision"]
)
def test_a_source_is_no_path_under_the_root(settings: Settings, path: str) -> None:
    tree = {"student": {"path": path}, "teacher": {"path": path}, "data": {"dataset": "d"}}
    confine(tree, {}, settings)
    assert (tree["student"]["path"], tree["teacher"]["path"]) == (path, path)


def test_what_was_fetched_is_not_missing(settings: Settings, tmp_path: Path) -> None:
    spec = RunSpec.model_validate_json(from_fields(fields(), settings, task_id="T").spec)

    def lacks(word: str) -> bool:
        return any(word in json.dumps(one.what) for one in missing_requirements(spec, settings))

    assert lacks("student's weights")
    assert lacks("teacher's weights")
    file = tmp_path / "torch" / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    file.parent.mkdir(parents=True)
    file.touch()
    assert not lacks("student's weights")
    held = tmp_path / "hub" / "models--Qwen--Qwen2.5-VL-7B-Instruct" / "snapshots" / "0"
    held.mkdir(parents=True)
    assert not lacks("teacher's weights")


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("modelscope:owner/a.b", "ms/models/owner/a___b"),
        ("modelscope:owner/a.b", "ms/owner/a___b"),
        (
            "huggingface/vit-base-patch16-224",
            "hub/models--google--vit-base-patch16-224/snapshots/1",
        ),
        ("ultralytics/yolov8s.pt", "hub/models--Ultralytics--YOLOv8/snapshots/1/yolov8s.pt"),
    ],
)
def test_each_source_s_cache_is_known(
    settings: Settings, tmp_path: Path, name: str, below: str
) -> None:
    assert not is_fetched(name)
    place = tmp_path / below
    if place.suffix == ".pt":
        place.parent.mkdir(parents=True)
        place.touch()
    else:
        place.mkdir(parents=True)
    assert is_fetched(name)
