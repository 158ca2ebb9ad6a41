"""`rest.md`, surface A, walked line by line against a running server, on each data base.

The runs are those of `faults/small_trainer.py`: real processes that speak as the trainer does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.conftest import KINDS
from tests.server.faults.small_server import SmallServer, wait_for

A = "/model-distillation"
TASK_FIELDS = [
    "id",
    "taskId",
    "taskName",
    "description",
    "taskInputName",
    "teacherModel",
    "studentModel",
    "totalEpochs",
    "currentEpoch",
    "batchSize",
    "learningRate",
    "temperature",
    "alpha",
    "loraRank",
    "loraAlpha",
    "loraDropout",
    "trainingConfig",
    "trainingMode",
    "status",
    "progress",
    "accuracy",
    "loss",
    "bestAccuracy",
    "datasetId",
    "datasetName",
    "valDatasetId",
    "valDatasetName",
    "modelPath",
    "modelUrl",
    "checkpointPath",
    "errorMessage",
    "startTime",
    "endTime",
    "duration",
    "createBy",
    "createTime",
    "updateBy",
    "updateTime",
    "remark",
    "delFlag",
]
HISTORY_FIELDS = [
    "id",
    "taskId",
    "epoch",
    "trainLoss",
    "trainAccuracy",
    "valLoss",
    "valAccuracy",
    "distillLoss",
    "hardLoss",
    "softLoss",
    "gpuUsage",
    "memoryUsage",
    "epochTime",
    "recordTime",
]
EVALUATION_FIELDS = [
    "id",
    "taskId",
    "precision",
    "recall",
    "f1Score",
    "map50",
    "map95",
    "evalDatasetId",
    "evalDatasetName",
    "evalSampleCount",
    "evalTime",
    "detailedResults",
]
PRESET_FIELDS = [
    "id",
    "presetName",
    "presetDesc",
    "loraRank",
    "loraAlpha",
    "loraDropout",
    "targetModules",
    "createBy",
    "createTime",
    "updateTime",
    "delFlag",
]


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, module_url):
    home = tmp_path_factory.mktemp("home")
    (home / "datasets" / "pictures" / "train" / "cat").mkdir(parents=True)
    with SmallServer(home, module_url(request.param)) as running:
        yield running


@pytest.fixture
def http(server: SmallServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base_url, timeout=30) as client:
        yield client


def data(answer: httpx.Response, status: int = 200) -> Any:
    """What the envelope holds, once the envelope itself is as the contract says."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body.keys() == {"code", "message", "data"}
    assert body["code"] == status
    assert isinstance(body["message"], str)
    if status != 200 and status != 422:
        assert body["data"] is None
    return body["data"]


def create(http: httpx.Client, **fields: Any) -> dict[str, Any]:
    body = {
        "taskName": "测试-图像分类-ResNet50 🙂",
        "teacherModel": "qwen2.5-vl-8b",
        "studentModel": "resnet/resnet50",
        "datasetId": "pictures",
        "epochs": 3,
        **fields,
    }
    return data(http.post(f"{A}/tasks", json=body))


def finished(http: httpx.Client, task_id: str) -> dict[str, Any]:
    return wait_for(
        lambda: (
            one
            if (one := data(http.get(f"{A}/tasks/{task_id}")))["status"] == "COMPLETED"
            else None
        )
    )


def test_a_task_is_created_with_the_contracts_defaults(http: httpx.Client):
    body = {
        "taskName": "a",
        "teacherModel": "qwen-2.5-vl-8b",
        "studentModel": "vit-base",
        "datasetId": 7,
    }
    task = data(http.post(f"{A}/tasks", json=body))
    assert re.fullmatch(r"TASK_[0-9A-F]{8}", task["taskId"])
    assert set(TASK_FIELDS) <= set(task)
    told = {
        "status": "PENDING", "totalEpochs": 50, "batchSize": 32, "learningRate": 0.001,
        "loraRank": 16, "loraAlpha": 32, "loraDropout": 0.05, "temperature": 3.0, "alpha": 0.7,
        "trainingMode": "distillation", "datasetId": "7", "progress": 0, "currentEpoch": 0,
        "delFlag": 0,
    }  # fmt: skip
    assert {name: task[name] for name in told} == told
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", task["createTime"])


def test_advanced_fields_are_kept_as_training_config(http: httpx.Client):
    flat = create(
        http, optimizer="adamw", lrScheduler="cosine", weightDecay=0.01, gradAccumSteps=4,
        maxGradNorm=1.0, gpuDevices="0,1", autoSaveCheckpoint=True, checkpointInterval=5,
        loraTargetModules="q_proj,v_proj", loraLayers="all", loraBiasTrain="none",
        hardLabelWeight=0.3, softLabelWeight=0.7, distillLossType="kl_div",
        teacherQuantization="int8",
    )  # fmt: skip
    config = json.loads(flat["trainingConfig"])
    assert config["optimizer"] == "adamw"
    assert config["gpuDevices"] == [0, 1]
    assert config["loraAdvancedConfig"]["targetModules"] == ["q_proj", "v_proj"]
    assert config["distillationAdvancedConfig"]["hardLabelWeight"] == 0.3
    assert config["teacherModelConfig"]["quantization"] == "int8"
    whole = create(http, trainingConfig=config)
    assert json.loads(whole["trainingConfig"])["loraAdvancedConfig"] == config["loraAdvancedConfig"]
    as_text = create(http, trainingConfig=json.dumps(config))
    assert json.loads(as_text["trainingConfig"])["optimizer"] == "adamw"


def test_an_unknown_field_is_refused_by_name(http: httpx.Client):
    body = {"taskName": "a", "teacherModel": "qwen2.5-vl-7b", "studentModel": "resnet50",
            "datasetId": "pictures", "learningRat": 0.1}  # fmt: skip
    faults = data(http.post(f"{A}/tasks", json=body), 422)
    assert [fault["field"] for fault in faults] == ["learningRat"]
    assert faults[0]["problem"]


def test_what_is_missing_is_named(http: httpx.Client):
    faults = data(http.post(f"{A}/tasks", json={"description": "x"}), 422)
    assert {"taskName", "teacherModel", "studentModel", "datasetId"} == {
        fault["field"] for fault in faults
    }


def test_the_life_of_a_task(http: httpx.Client):
    task_id = create(http)["taskId"]
    assert data(http.post(f"{A}/tasks/{task_id}/start"))["status"] in ("QUEUED", "RUNNING")
    data(http.post(f"{A}/tasks/{task_id}/start"), 409)
    done = finished(http, task_id)
    assert (done["progress"], done["currentEpoch"], done["accuracy"]) == (100, 3, 3.0)
    assert done["bestAccuracy"] == 3.0
    assert done["modelPath"].endswith(f"/{task_id}/final_model")
    assert done["startTime"] <= done["endTime"]
    assert done["duration"] >= 0
    rows = data(http.get(f"{A}/tasks/{task_id}/history"))
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert set(HISTORY_FIELDS) <= set(rows[0])
    newest = data(http.get(f"{A}/tasks/{task_id}/history/latest", params={"limit": 2}))
    assert [row["epoch"] for row in newest] == [3, 2]
    models = data(http.get(f"{A}/completed-models", params={"minAccuracy": 2}))
    assert task_id in [one["taskId"] for one in models]
    models = data(http.get(f"{A}/completed-models", params={"minAccuracy": 70}))
    assert task_id not in [one["taskId"] for one in models]
    data(http.post(f"{A}/tasks/{task_id}/start"), 409)
    data(http.post(f"{A}/tasks/{task_id}/stop"), 409)


def test_stop_saves_and_start_resumes(http: httpx.Client, server: SmallServer):
    task_id = server.create(epochs=300, epoch_seconds=0.05)
    data(http.post(f"{A}/tasks/{task_id}/start"))
    wait_for(lambda: data(http.get(f"{A}/tasks/{task_id}"))["currentEpoch"] >= 2)
    assert task_id in [one["taskId"] for one in data(http.get(f"{A}/tasks/running"))]
    data(http.delete(f"{A}/tasks/{task_id}"), 409)
    assert data(http.post(f"{A}/tasks/{task_id}/stop"))["taskId"] == task_id
    wait_for(lambda: data(http.get(f"{A}/tasks/{task_id}"))["status"] == "STOPPED")
    stopped_at = data(http.get(f"{A}/tasks/{task_id}"))["currentEpoch"]
    data(http.post(f"{A}/tasks/{task_id}/start"))
    wait_for(lambda: data(http.get(f"{A}/tasks/{task_id}"))["currentEpoch"] > stopped_at)
    data(http.post(f"{A}/tasks/{task_id}/stop"))
    wait_for(lambda: data(http.get(f"{A}/tasks/{task_id}"))["status"] == "STOPPED")
    epochs = [row["epoch"] for row in data(http.get(f"{A}/tasks/{task_id}/history"))]
    assert epochs == list(range(1, len(epochs) + 1))
    assert data(http.delete(f"{A}/tasks/{task_id}")) is None
    data(http.get(f"{A}/tasks/{task_id}"), 404)
    data(http.get(f"{A}/tasks/{task_id}/history"), 404)


def test_lists(http: httpx.Client):
    first, second = create(http, taskName="列表甲%_")["taskId"], create(http)["taskId"]
    whole = [one["taskId"] for one in data(http.get(f"{A}/tasks"))]
    assert whole.index(second) < whole.index(first)
    page = data(http.get(f"{A}/tasks", params={"page": 1, "pageSize": 1}))
    assert page.keys() == {"items", "total", "page", "pageSize"}
    assert [one["taskId"] for one in page["items"]] == [second]
    assert page["total"] == len(whole)
    found = data(http.get(f"{A}/tasks", params={"page": 1, "keyword": "甲%_"}))
    assert [one["taskId"] for one in found["items"]] == [first]
    pending = data(http.get(f"{A}/tasks/status/PENDING"))
    assert {first, second} <= {one["taskId"] for one in pending}
    assert data(http.get(f"{A}/tasks/recent", params={"limit": 1}))[0]["taskId"] == second
    ordered = data(http.get(f"{A}/tasks", params={"orderBy": "taskName", "page": 1}))
    names = [one["taskName"] for one in ordered["items"]]
    assert len(names) == ordered["total"] or len(names) == ordered["pageSize"]
    assert set(TASK_FIELDS) <= set(page["items"][0])


def test_a_run_elsewhere_reports(http: httpx.Client):
    task_id = create(http, epochs=10)["taskId"]
    url = f"{A}/tasks/{task_id}"
    told = {"currentEpoch": 1, "accuracy": 75.5, "loss": 0.45}
    assert data(http.put(f"{url}/progress", params=told))["progress"] == 10
    body = {"currentEpoch": 3, "totalEpochs": 10, "accuracy": 60, "trainLoss": 0.3, "valLoss": 0.4,
            "valAccuracy": 60, "status": "RUNNING"}  # fmt: skip
    task = data(http.put(f"{url}/progress", json=body))
    assert (task["status"], task["progress"], task["bestAccuracy"]) == ("RUNNING", 30, 75.5)
    row = {"taskId": task_id, "epoch": 3, "trainLoss": 0.3, "valAccuracy": 60, "epochTime": 1.5}
    assert data(http.post(f"{url}/history", json=row)) is None
    assert data(http.post(f"{url}/history", json={**row, "trainLoss": 0.2})) is None
    rows = data(http.get(f"{url}/history"))
    assert [(one["epoch"], one["trainLoss"]) for one in rows] == [(3, 0.2)]
    assert (
        data(http.put(f"{url}/model-path", params={"modelPath": "x", "modelUrl": "file:x"})) is None
    )
    assert data(http.post(f"{url}/complete"))["status"] == "COMPLETED"
    other = create(http)["taskId"]
    assert data(http.put(f"{A}/tasks/{other}/error", params={"errorMessage": "内存不足"})) is None
    failed = data(http.get(f"{A}/tasks/{other}"))
    assert (failed["status"], failed["errorMessage"]) == ("FAILED", "内存不足")


def test_evaluations(http: httpx.Client):
    task_id = create(http)["taskId"]
    url = f"{A}/tasks/{task_id}/evaluations"
    assert data(http.get(url)) == []
    assert data(http.get(f"{url}/latest")) is None
    assert data(http.get(f"{url}/best")) is None
    for f1, at in ((80.0, "2026-11-20T10:00:00Z"), (92.5, "2026-11-20T11:00:00Z")):
        body = {"precision": 90, "recall": 85.5, "f1Score": f1, "evalTime": at,
                "evalSampleCount": 100, "detailedResults": '{"classes": {}}'}  # fmt: skip
        assert data(http.post(url, json=body)) is None
    body = {"f1Score": 10, "evalTime": "2026-11-20T12:00:00Z"}
    assert data(http.post(url, json=body)) is None
    assert data(http.get(f"{url}/latest"))["f1Score"] == 10
    best = data(http.get(f"{url}/best"))
    assert best["f1Score"] == 92.5
    assert set(EVALUATION_FIELDS) <= set(best)
    assert len(data(http.get(url))) == 3


def test_presets(http: httpx.Client):
    presets = {one["presetName"]: one for one in data(http.get(f"{A}/lora-presets"))}
    assert {"标准配置", "高效配置", "高精度配置", "全参数配置"} <= presets.keys()
    assert json.loads(presets["高效配置"]["targetModules"]) == ["q_proj", "v_proj"]
    one = data(http.get(f"{A}/lora-presets/高精度配置"))
    assert (one["loraRank"], one["loraAlpha"], one["loraDropout"]) == (32, 64, 0.03)
    assert set(PRESET_FIELDS) <= set(one)
    mine = {"presetName": "我的", "loraRank": 4, "loraAlpha": 8, "targetModules": '["qkv"]'}
    assert data(http.post(f"{A}/lora-presets", json=mine))["presetName"] == "我的"
    data(http.post(f"{A}/lora-presets", json=mine), 409)
    data(http.get(f"{A}/lora-presets/none"), 404)


def test_datasets(http: httpx.Client):
    found = data(http.get(f"{A}/datasets"))
    assert {"label", "value", "type", "path", "description"} == found[0].keys()
    assert [(one["value"], one["type"]) for one in found] == [("pictures", "classification")]


@pytest.mark.parametrize(
    "path", ["tasks/TASK_00000000", "tasks/TASK_00000000/history", "tasks/x/evaluations/best"]
)
def test_what_is_not_there_is_404(http: httpx.Client, path: str):
    data(http.get(f"{A}/{path}"), 404)


def test_health_documents_and_metrics(http: httpx.Client):
    health = http.get("/actuator/health")
    assert (health.status_code, health.json()["status"]) == (200, "UP")
    assert "swagger" in http.get("/docs").text.lower()
    assert "//cdn" not in http.get("/docs").text
    assert http.get("/openapi.json").json()["paths"][f"{A}/tasks"]
    assert "# TYPE" in http.get("/metrics").text


def test_run_folder_lies_under_the_output_root(http: httpx.Client, server: SmallServer):
    task_id = create(http)["taskId"]
    data(http.post(f"{A}/tasks/{task_id}/start"))
    done = finished(http, task_id)
    assert Path(done["modelPath"]) == server.home / "runs" / task_id / "final_model"
