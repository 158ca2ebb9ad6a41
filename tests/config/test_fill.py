"""What a person typed, completed from the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tandem.config.fill import fill
from tandem.config.settings import load
from tandem.spec.errors import TeacherError
from tandem.spec.run import RunSpec


def filled(**tree: object) -> tuple[RunSpec, list[str]]:
    tree.setdefault("task_id", "t")
    tree.setdefault("data", {"dataset": "d"})
    tree.setdefault("teacher", {"path": "/t"})
    return fill(dict(tree), {}, load())


def teacher(**fields: str) -> str | None:
    spec, _ = filled(teacher=fields)
    assert spec.teacher is not None
    return spec.teacher.path


def test_roots_and_cache_come_from_the_home(home: Path) -> None:
    spec, notes = filled()
    assert spec.data.root == home / "datasets"
    assert spec.cache.root == home / "cache"
    assert spec.run.output_dir == home / "runs" / "t"
    assert notes == []


def test_a_root_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_DATASETS_ROOT", "/data/sets")
    assert filled()[0].data.root == Path("/data/sets")
    given = filled(data={"dataset": "d", "root": "here"})[0]
    assert given.data.root == Path.cwd() / "here"


def test_a_dataset_may_be_a_folder(home: Path, tmp_path: Path) -> None:
    (Path.cwd() / "mine").mkdir()
    for written in (str(tmp_path / "working" / "mine"), "./mine", "mine"):
        spec, _ = filled(data={"dataset": written})
        assert spec.data.root is None
        assert Path(spec.data.dataset).resolve() == Path.cwd().resolve() / "mine"
    (home / "datasets" / "mine").mkdir(parents=True)
    assert filled(data={"dataset": "mine"})[0].data.root == home / "datasets"
    both, _ = filled(data={"dataset": "./mine", "val_dataset": "other"})
    assert both.data.val_dataset == str(home / "datasets" / "other")


def test_a_run_is_named_after_what_it_does_so_that_it_can_be_resumed() -> None:
    first, _ = filled(task_id=None, student={"size": "resnet50"})
    assert first.task_id == "d-resnet50"
    assert first.run.output_dir.name == "d-resnet50"
    assert filled(task_id=None, run={"output_dir": "x/job"})[0].task_id == "job"


def test_a_teacher_s_path_wins_over_its_name(tmp_path: Path) -> None:
    assert teacher(name="qwen2.5-vl-8b", path=str(tmp_path)) == str(tmp_path)
    assert teacher(path="owner/model") == "owner/model"


@pytest.mark.parametrize("name", ["qwen2.5-vl-8b", "qwen-2.5-vl-8b"])
def test_the_8b_that_never_was(name: str, home: Path) -> None:
    spec, notes = filled(teacher={"name": name})
    assert spec.teacher is not None
    assert spec.teacher.path == "Qwen/Qwen2.5-VL-7B-Instruct"
    assert len(notes) == 1
    assert "No 8B Qwen2.5-VL was ever released" in notes[0]
    (home / "models" / "Qwen2.5-VL-8B").mkdir(parents=True)
    assert teacher(name=name) == str(home / "models" / "Qwen2.5-VL-8B")
    (home / "tandem.yaml").write_text("teachers: {qwen-2.5-vl-8b: ./big}", encoding="utf-8")
    spec, notes = filled(teacher={"name": name})
    assert spec.teacher is not None
    assert spec.teacher.path == str(home / "big")
    assert notes == []


def test_a_teacher_s_name_may_be_a_hub_id_or_a_folder(tmp_path: Path) -> None:
    assert teacher(name="Qwen/Qwen2.5-VL-3B-Instruct") == "Qwen/Qwen2.5-VL-3B-Instruct"
    assert teacher(name="Qwen3-VL-8B-Instruct") == "Qwen/Qwen3-VL-8B-Instruct"
    assert teacher(name=str(tmp_path)) == str(tmp_path)


def test_an_unknown_teacher_names_the_nearest() -> None:
    with pytest.raises(TeacherError, match="no teacher 'qwen2.5-vl-70b'; did you mean") as caught:
        teacher(name="qwen2.5-vl-70b")
    assert "qwen2.5-vl-7b" in str(caught.value)


def test_configured_student_weights_are_used_for_pretrained(home: Path) -> None:
    home.mkdir()
    (home / "tandem.yaml").write_text("students: {resnet50: /w/r50.safetensors}", encoding="utf-8")
    assert filled(student={"size": "resnet50"})[0].student.path is None
    wanted = {"size": "resnet50", "init": "pretrained"}
    assert filled(student=wanted)[0].student.path == "/w/r50.safetensors"


def test_text_is_told_by_its_teacher_and_its_data(tmp_path: Path, home: Path) -> None:
    bert = tmp_path / "encoder"
    bert.mkdir()
    (bert / "config.json").write_text(json.dumps({"model_type": "bert"}))
    texts = home / "datasets" / "texts"
    texts.mkdir(parents=True)
    (texts / "train.jsonl").touch()
    for tree in (
        {"teacher": {"path": "/data/models/bert-base-uncased"}},
        {"teacher": {"path": str(bert)}},
        {"data": {"dataset": "texts"}},
        {"kind": "text"},
    ):
        spec = filled(**tree, student={"model": "student"})[0]
        assert (spec.kind, spec.student.type, spec.student.size) == ("text", "bert", "bert-small")


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("resnet50", (1e-4, "adamw", 32, 224)),
        ("vit-base", (5e-5, "adamw", 32, 224)),
        ("yolov8s", (1e-3, "sgd", 16, 640)),
        ("unet", (1e-4, "adam", 8, 512)),
        ("lstm", (1e-4, "adam", 32, 224)),
    ],
)
def test_each_family_has_defaults_that_suit_it(home: Path, size: str, expected: tuple) -> None:
    spec = filled(student={"model": size})[0]
    optim = spec.optim
    found = (optim.learning_rate, optim.optimizer, optim.batch_size, spec.data.image_size)
    assert found == expected
    mine = filled(student={"model": size}, optim={"learning_rate": 0.5})[0]
    assert mine.optim.learning_rate == 0.5
