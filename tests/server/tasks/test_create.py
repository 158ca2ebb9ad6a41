"""A task is created as the contract says, or refused field by field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tandem.server.db.tables import Job
from tandem.spec.run import RunSpec
from tests.data.make import classification
from tests.server.tasks.conftest import V1, A, body, data, make


def spec_of(client: TestClient, task_id: str) -> RunSpec:
    with client.app.state.context.database.read() as session:
        return RunSpec.model_validate_json(session.get(Job, task_id).spec)


def faults(client: TestClient, **fields: Any) -> list[str]:
    return [fault["field"] for fault in data(client.post(A, json=body(**fields)), 422)]


def test_defaults_are_the_contracts(each: TestClient):
    task = make(each)
    assert re.fullmatch(r"TASK_[0-9A-F]{8}", task["taskId"])
    told = {
        "taskName": "测试 🙂", "status": "PENDING", "totalEpochs": 50, "batchSize": 32,
        "learningRate": 0.001, "loraRank": 16, "loraAlpha": 32, "loraDropout": 0.05,
        "temperature": 3.0, "alpha": 0.7, "trainingMode": "distillation", "progress": 0,
        "currentEpoch": 0, "delFlag": 0, "studentModel": "resnet/resnet50", "accuracy": None,
    }  # fmt: skip
    assert {name: task[name] for name in told} == told
    assert data(each.get(f"{A}/{task['taskId']}")) == task
    spec = spec_of(each, task["taskId"])
    settings = each.app.state.context.settings
    assert spec.task_id == task["taskId"]
    assert spec.run.output_dir == settings.output_root / task["taskId"]
    assert spec.cache.root == settings.everything.path("cache_root")
    assert spec.data.root == settings.datasets_root
    assert (spec.lora.rank, spec.loss.soft_label_weight) == (16, 0.7)
    assert spec.loss.hard_label_weight == pytest.approx(0.3)
    assert spec.teacher.path == "Qwen/Qwen2.5-VL-7B-Instruct"


def test_every_loss_of_the_catalog_can_be_chosen_on_both_surfaces(one: TestClient):
    schema = one.get("/api/v1/catalog").json()["run_schema"]["$defs"]["LossSpec"]["properties"]
    assert {"pkd"} <= set(schema["feature_loss"]["enum"])
    for name in schema["feature_loss"]["enum"]:
        spec = spec_of(one, make(one, featureLossType=name)["taskId"])
        assert spec.loss.feature_loss == name
    for name in schema["soft_loss"]["enum"]:
        spec = spec_of(one, make(one, distillLossType=name)["taskId"])
        assert spec.loss.soft_loss == name
    assert faults(one, featureLossType="nothing") == ["featureLossType"]


def test_the_advanced_half_flat_whole_nested_and_as_text(one: TestClient):
    flat = make(
        one, optimizer="sgd", gpuDevices="0,1", loraTargetModules="q_proj, v_proj",
        hardLabelWeight=0.2, softLabelWeight=0.8, teacherQuantization="int8",
        attentionDistill=True, intermediateLayers="1,2", checkpointInterval=5,
    )  # fmt: skip
    config = json.loads(flat["trainingConfig"])
    assert config["optimizer"] == "sgd"
    assert config["gpuDevices"] == [0, 1]
    assert config["loraAdvancedConfig"]["targetModules"] == ["q_proj", "v_proj"]
    assert config["teacherModelConfig"]["quantization"] == "int8"
    assert config["distillationAdvancedConfig"] == {
        "hardLabelWeight": 0.2, "softLabelWeight": 0.8, "lossType": "kl_div",
        "intermediateLayers": [1, 2], "attentionDistill": True,
    }  # fmt: skip
    whole = make(one, trainingConfig=config)
    assert json.loads(whole["trainingConfig"]) == config
    as_text = make(one, trainingConfig=json.dumps(config), optimizer="adam")
    assert json.loads(as_text["trainingConfig"]) == config | {"optimizer": "adam"}
    nested = make(one, loraAdvancedConfig={"targetModules": ["q_proj", "v_proj"]})
    assert spec_of(one, nested["taskId"]).lora.target_modules == ["q_proj", "v_proj"]
    spec = spec_of(one, whole["taskId"])
    assert spec.run.devices == [0, 1]
    assert spec.loss.attention_weight == 1.0
    assert spec.teacher.precision == "int8"


def test_the_weight_of_features_can_be_set(one: TestClient):
    for given in ({"featureWeight": 5}, {"distillationAdvancedConfig": {"featureWeight": 5}}):
        task = make(one, distillationType="feature", **given)
        assert spec_of(one, task["taskId"]).loss.feature_weight == 5
        if "featureWeight" in given:
            assert json.loads(task["trainingConfig"])["featureWeight"] == 5
    assert "featureWeight" not in json.loads(make(one)["trainingConfig"])


def test_without_soft_labels_alpha_weighs_the_features(one: TestClient):
    """The specification's loss of `feature`: (1 - alpha) on the labels, alpha on the features."""
    task = make(one, distillationType="feature", alpha=0.6)
    loss = spec_of(one, task["taskId"]).loss
    assert (loss.feature_weight, loss.hard_label_weight) == (0.6, pytest.approx(0.4))
    assert "featureWeight" not in json.loads(task["trainingConfig"])
    assert spec_of(one, make(one, distillationType="feature")["taskId"]).loss.feature_weight == 0.7


def test_direct_needs_no_teacher_that_can_be_found(one: TestClient):
    task = make(one, trainingMode="direct", teacherModel="none of ours")
    spec = spec_of(one, task["taskId"])
    assert (spec.mode, spec.teacher, spec.lora.rank) == ("direct", None, 0)
    assert (task["loraRank"], task["teacherModel"]) == (16, "none of ours")


def test_total_epochs_is_epochs(one: TestClient):
    assert make(one, totalEpochs=7)["totalEpochs"] == 7
    assert make(one, totalEpochs=7, epochs=7)["totalEpochs"] == 7
    assert faults(one, totalEpochs=7, epochs=8) == ["totalEpochs"]
    assert make(one, datasetId=12)["datasetId"] == "12"


def test_it_learns_from_a_folder_by_its_absolute_path(one: TestClient):
    root = one.app.state.context.settings.datasets_root
    assert make(one, datasetId=str(root / "a" / "b"))["datasetId"] == "a/b"


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"learningRat": 1}, "learningRat"),
        ({"trainingConfig": {"optimiser": "sgd"}}, "trainingConfig.optimiser"),
        ({"trainingConfig": {"loraAdvancedConfig": {"layer": "all"}}},
         "trainingConfig.loraAdvancedConfig.layer"),
        ({"teacherModel": "gpt-9"}, "teacherModel"),
        ({"studentModel": "resnet19"}, "studentModel"),
        ({"studentModel": "resnet50", "studentModelSize": "resnet18"}, "studentModel"),
        ({"optimizer": "lion"}, "optimizer"),
        ({"learningRate": 0}, "learningRate"),
        ({"learningRate": 1e9}, "learningRate"),
        ({"temperature": 1000}, "temperature"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": 10**400}, "epochs"),
        ({"taskName": "x" * 256}, "taskName"),
        ({"taskName": "a\u0000b"}, "taskName"),
        ({"taskName": "  "}, "taskName"),
        ({"description": "x" * 501}, "description"),
        ({"gpuDevices": "zero"}, "gpuDevices"),
        ({"gpuDevices": [0, 0]}, "gpuDevices"),
        ({"intermediateLayers": "a,b"}, "intermediateLayers"),
        ({"taskType": "text"}, "taskType"),
        ({"datasetId": ""}, "datasetId"),
        ({"trainingConfig": "no json"}, "trainingConfig"),
        ({"trainingConfig": {"gpuDevices": [-1]}}, "trainingConfig.gpuDevices"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(one: TestClient, fields: dict[str, Any], at: str):
    said = data(one.post(A, json=body(**fields)), 422)
    assert said[0]["field"] in (at, f"{at}.0"), said
    assert data(one.get(A)) == []


def test_unknown_models_answer_with_the_allowed(one: TestClient):
    said = data(one.post(A, json=body(teacherModel="gpt-9")), 422)
    assert "qwen2.5-vl-7b" in said[0]["problem"]
    said = data(one.post(A, json=body(studentModel="resnet19")), 422)
    assert "resnet18" in said[0]["problem"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_no_number_is_refused(one: TestClient, number: str):
    text = json.dumps(body())[:-1] + f', "learningRate": {number}}}'
    answer = one.post(A, content=text, headers={"content-type": "application/json"})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "fields",
    [
        {"datasetId": "../x"},
        {"datasetId": "a/../../x"},
        {"datasetId": "/etc"},
        {"datasetId": "%2e%2e%2fx"},
        {"datasetId": "..\\x"},
        {"datasetId": "a\u0000b"},
        {"datasetId": "~/x"},
        {"datasetId": "."},
        {"datasetId": "link"},
        {"valDatasetId": "link/etc"},
        {"teacherModelPath": "/etc"},
        {"teacherModelPath": "../x"},
        {"teacherModelPath": "link"},
        {"teacherModel": "../x"},
        {"teacherModel": "/etc"},
        {"studentPretrainPath": "/etc/passwd"},
        {"trainingConfig": {"teacherModelConfig": {"modelPath": "/etc"}}},
        {"studentModelConfig": {"pretrainPath": "a/../../../etc"}},
    ],
)
@pytest.mark.parametrize("mode", ["distillation", "direct"])
def test_a_path_that_leaves_its_root_is_403(one: TestClient, fields: dict[str, Any], mode: str):
    settings = one.app.state.context.settings.everything
    for root in ("datasets_root", "models_root"):
        settings.path(root).mkdir(parents=True, exist_ok=True)
        (settings.path(root) / "link").symlink_to("/")
    data(one.post(A, json=body(trainingMode=mode, **fields)), 403)
    assert data(one.get(A)) == []


def test_models_inside_the_root_and_configured_ones_are_found(one: TestClient):
    root = one.app.state.context.settings.everything.path("models_root")
    (root / "mine").mkdir(parents=True)
    assert spec_of(one, make(one, teacherModel="mine")["taskId"]).teacher.path == str(root / "mine")
    task = make(one, teacherModelPath="mine", studentPretrainPath=str(root / "w.safetensors"))
    spec = spec_of(one, task["taskId"])
    assert spec.teacher.path == str(root / "mine")
    assert (spec.student.init, spec.student.path) == ("pretrained", str(root / "w.safetensors"))


def test_no_folder_of_the_working_directory_is_a_teacher(
    one: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "qwen2.5-vl-7b").mkdir()
    monkeypatch.chdir(tmp_path)
    task = make(one, teacherModel="qwen2.5-vl-7b")
    assert spec_of(one, task["taskId"]).teacher.path == "Qwen/Qwen2.5-VL-7B-Instruct"


def test_v1_takes_a_spec(each: TestClient):
    spec = {
        "mode": "direct",
        "data": {"dataset": "pictures"},
        "student": {"size": "resnet18"},
        "optim": {"epochs": 3},
        "loss": {"options": {"pace": {"seconds": 1}}},
        "run": {"devices": "cpu"},
    }
    classification(each.app.state.context.settings.datasets_root / "pictures")
    answer = each.post(V1, json={"name": "a", "spec": spec, "start": True, "priority": 3})
    assert answer.status_code == 201, answer.text
    task = answer.json()
    assert (task["status"], task["priority"], task["queue_position"]) == ("QUEUED", 3, 1)
    assert task["spec"]["run"]["devices"] == "cpu"
    assert task["spec"]["loss"]["options"] == {"pace": {"seconds": 1.0}}
    assert each.app.state.context.wake_event.is_set()
    assert data(each.get(f"{A}/{task['task_id']}"))["totalEpochs"] == 3
    create = {k: v for k, v in body().items() if k != "taskName"}
    answer = each.post(V1, json={"name": "b", "create": create})
    assert answer.status_code == 201, answer.text
    assert answer.json()["status"] == "PENDING"


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({"data": {"dataset": "../x"}, "mode": "direct"}, 403),
        ({"data": {"dataset": "x", "root": "/etc"}, "mode": "direct"}, 403),
        ({"data": {"dataset": "x"}, "mode": "direct", "cache": {"root": "/tmp"}}, 403),
        ({"data": {"dataset": "x"}, "teacher": {"path": "/etc"}}, 403),
        ({"data": {"dataset": "x"}, "mode": "direct", "run": {"output_dir": "/x"}}, 422),
        ({"data": {"dataset": "x"}, "mode": "direct", "task_id": "x"}, 422),
        ({"data": {"dataset": "x"}, "mode": "direct",
          "report": {"api_base_url": "http://x"}}, 422),
        ({"data": {"dataset": "x"}}, 422),
        ({"data": "x", "mode": "direct"}, 422),
        ({"data": {"dataset": 7}, "mode": "direct", "run": 3}, 422),
        ({"data": {"dataset": "x"}, "mode": "direct", "optim": {"learning_rate": 1e6}}, 422),
        ({"data": {"dataset": "x"}, "mode": "direct", "optim": {"rate": 1}}, 422),
        ({"data": {"dataset": "x"}, "teacher": 3}, 422),
        ({"data": {"dataset": ["x"], "root": 3}, "student": [], "mode": []}, 422),
        ({}, 422),
    ],
)  # fmt: skip
def test_v1_refuses(one: TestClient, spec: dict[str, Any], status: int):
    answer = one.post(V1, json={"name": "a", "spec": spec})
    assert answer.status_code == status, answer.text
    assert data(one.get(A)) == []


@pytest.mark.parametrize(
    ("student", "kind"),
    [("yolox-s", "detection"), ("yolov8n", "detection"), ("unet-small", "segmentation"),
     ("bert-mini", "text"),
     ("lstm-small", "sequence"), ("resnet18", "classification")],
)  # fmt: skip
def test_the_kind_is_shown_before_the_run_finds_it(one: TestClient, student: str, kind: str):
    root = one.app.state.context.settings.datasets_root
    if kind == "sequence":
        clip = root / "kinds" / "train" / "left" / "clip0"
        clip.mkdir(parents=True)
        (clip / "0.png").write_bytes(b"frame")
    else:
        (root / "kinds").mkdir(parents=True)
    spec = {"mode": "direct", "data": {"dataset": "kinds"}, "student": {"size": student}}
    made = one.post("/api/v1/tasks", json={"name": "kinds", "spec": spec})
    assert made.status_code == 201, made.text
    assert made.json()["kind"] == kind


def test_a_model_of_an_earlier_run_may_teach(one: TestClient):
    settings = one.app.state.context.settings
    model = settings.output_root / "TASK_0000AAAA" / "final_model"
    model.mkdir(parents=True)
    (settings.datasets_root / "pets").mkdir(parents=True, exist_ok=True)
    spec = {
        "data": {"dataset": "pets"},
        "teacher": {"path": str(model), "family": "tandem"},
        "student": {"size": "resnet18"},
    }
    made = one.post(V1, json={"name": "taught by a student", "spec": spec})
    assert made.status_code == 201, made.text
    assert spec_of(one, made.json()["task_id"]).teacher.path == str(model)
    spec["teacher"] = {"path": str(settings.output_root.parent / "elsewhere")}
    assert one.post(V1, json={"name": "outside", "spec": spec}).status_code == 403
