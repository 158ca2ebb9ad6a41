"""What a person typed, completed from the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tandem.config.fill import fill
from tandem.config.settings import load
from tandem.spec.errors import StudentError, TeacherError
from tandem.spec.plugins import students
from tandem.spec.plugins.catalog import read
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


def test_configured_student_weights_are_used_unless_the_run_says_otherwise(home: Path) -> None:
    (home / "models").mkdir(parents=True)
    (home / "tandem.yaml").write_text(
        "students: {resnet50: /w/r50.safetensors, vit-base: huggingface/vit-base-patch16-224,"
        " yolov8s: ultralytics/yolov8s.pt, resnet18: torchvision}",
        encoding="utf-8",
    )
    spec, notes = filled(student={"size": "resnet50"})
    assert (spec.student.init, spec.student.path) == ("pretrained", "/w/r50.safetensors")
    assert len(notes) == 1
    assert "/w/r50.safetensors" in notes[0]
    spec, notes = filled()  # the default student
    assert (spec.student.path, len(notes)) == ("torchvision", 1)
    spec, notes = filled(student={"size": "resnet50", "init": "pretrained"})
    assert (spec.student.path, notes) == ("/w/r50.safetensors", [])
    spec, notes = filled(student={"size": "resnet50", "init": "random"})
    assert (spec.student.path, notes) == (None, [])
    spec, notes = filled(student={"size": "resnet50", "path": "/mine"})
    assert (spec.student.path, notes) == ("/mine", [])
    assert filled(student={"size": "resnet34"})[0].student.init == "random"

    def weights(size: str) -> str | None:
        return filled(student={"size": size})[0].student.path

    assert weights("vit-base") == "huggingface/vit-base-patch16-224"
    folder = home / "models" / "google" / "vit-base-patch16-224"
    folder.mkdir(parents=True)
    assert weights("vit-base") == str(folder)
    assert weights("yolov8s") == "ultralytics/yolov8s.pt"
    (home / "models" / "yolov8s.pt").touch()
    assert weights("yolov8s") == str(home / "models" / "yolov8s.pt")


LAID_DOWN = [
    "Qwen2.5-VL-7B-Instruct",
    "qwen2.5-vl-7b-instruct",
    "Qwen2.5-VL-7B",
    "Qwen/Qwen2.5-VL-7B-Instruct",
    "qwen/Qwen2___5-VL-7B-Instruct",
    "Qwen/Qwen2___5-VL-7B-Instruct",
    "models/Qwen/Qwen2___5-VL-7B-Instruct",
    "hub/models/Qwen/Qwen2___5-VL-7B-Instruct",
    "hub/qwen/Qwen2___5-VL-7B-Instruct",
    "models--Qwen--Qwen2.5-VL-7B-Instruct/snapshots/0123",
    "hub/models--Qwen--Qwen2.5-VL-7B-Instruct/snapshots/0123",
]


@pytest.mark.parametrize("below", LAID_DOWN)
def test_a_release_that_lies_under_the_models_root_is_found(home: Path, below: str) -> None:
    (home / "models" / "other").mkdir(parents=True)
    folder = home / "models" / below
    folder.mkdir(parents=True)
    hub_id = "Qwen/Qwen2.5-VL-7B-Instruct"
    for name in ("Qwen2.5-VL-8B", "qwen-2.5-vl-8b", "qwen2.5-vl-7b", "Qwen2.5-VL-7B", hub_id):
        assert teacher(name=name) == str(folder), name
    assert teacher(path=hub_id) == str(folder)
    assert teacher(name="Qwen/Qwen2.5-VL-3B-Instruct") == "Qwen/Qwen2.5-VL-3B-Instruct"
    spec, notes = filled(teacher={"name": "Qwen2.5-VL-8B"})
    assert spec.teacher is not None
    assert "No 8B" in " ".join(notes)


@pytest.mark.parametrize(
    "name", ["bert-base-uncased", "bert-base", "BERT Base", "BERT_base_uncased"]
)
def test_a_text_teacher_has_a_name(home: Path, name: str) -> None:
    for given in ({"name": name}, {"path": name}):
        assert teacher(**given) == "google-bert/bert-base-uncased"
    folder = home / "models" / "bert-base-uncased"
    folder.mkdir(parents=True)
    assert teacher(name=name) == str(folder)
    assert filled(teacher={"name": "bert-base"}, student={"model": "s"})[0].kind == "text"


def test_modelscope_is_asked_where_it_is_named(home: Path) -> None:
    home.mkdir()
    (home / "tandem.yaml").write_text("hub: modelscope", encoding="utf-8")
    assert teacher(name="qwen2.5-vl-7b") == "modelscope:Qwen/Qwen2.5-VL-7B-Instruct"
    assert teacher(path="owner/model") == "modelscope:owner/model"
    assert teacher(path="modelscope:owner/model") == "modelscope:owner/model"
    students = "{vit-base: google/vit, vit-tiny: w/v.pth, resnet50: torchvision}"
    (home / "tandem.yaml").write_text(f"hub: modelscope\nstudents: {students}", encoding="utf-8")
    for size, path in (
        ("vit-base", "modelscope:google/vit"),
        ("vit-tiny", "w/v.pth"),
        ("resnet50", "torchvision"),
    ):
        assert filled(student={"size": size})[0].student.path == path
    folder = home / "models" / "owner" / "model"
    folder.mkdir(parents=True)
    assert teacher(path="modelscope:owner/model") == str(folder)


@pytest.mark.parametrize("name", ["LLaVA", "gpt-4", "resnet"])
def test_a_teacher_that_is_like_none_gets_no_suggestion(name: str) -> None:
    with pytest.raises(TeacherError) as caught:
        teacher(name=name)
    assert "did you mean" not in str(caught.value)


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


SIZES = [(facts["name"], size) for facts in read()["students"] for size in facts["sizes"]]


@pytest.mark.parametrize(("family", "size"), SIZES)
def test_a_student_s_name_that_is_its_type_agrees_with_each_size(family: str, size: str) -> None:
    for model in (family, family.upper(), size, size.replace("-", " ").title()):
        for short in (size, size.removeprefix(family).strip("-")):
            student = {"model": model, "type": family, "size": short}
            found = filled(student=student)[0].student
            assert (found.type, found.size) == (family, size)
    assert filled(student={"model": size, "type": family})[0].student.size == size
    assert filled(student={"model": family, "size": size})[0].student.size == size


@pytest.mark.parametrize(
    "student",
    [
        {"model": "resnet", "type": "vit", "size": "vit-base"},
        {"model": "vit", "size": "resnet50"},
        {"model": "resnet50", "type": "resnet", "size": "resnet18"},
        {"model": "resnet50", "type": "vit"},
    ],
)
def test_two_students_are_refused(student: dict[str, str]) -> None:
    with pytest.raises(StudentError):
        filled(student=student)


@pytest.mark.parametrize(("extra", "student"), [(True, "yolov8"), (False, "yolox")])
def test_boxes_without_a_named_student_take_the_free_one_where_the_extra_is_absent(
    monkeypatch: pytest.MonkeyPatch, extra: bool, student: str
) -> None:
    monkeypatch.setattr(students, "find_spec", lambda name: object() if extra else None)
    found = filled(kind="detection")[0]
    assert found.student.type == student
    assert found.data.image_size == 640
    assert found.yolo.box_gain == (7.5 if extra else 5.0)
    assert filled(kind="detection", student={"model": "yolox_s"})[0].student.size == "yolox-s"
