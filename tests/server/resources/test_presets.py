"""LoRA presets and completed models."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tests.server.resources.conftest import add

PRESETS = "/model-distillation/lora-presets"


def test_a_preset_is_kept_once(on_each: TestClient) -> None:
    body = {"presetName": "小 a", "loraRank": 8, "targetModules": ["q_proj", "v_proj"]}
    made = on_each.post(PRESETS, json=body)
    assert made.status_code == 200
    kept = made.json()["data"]
    assert (kept["targetModules"], kept["loraAlpha"]) == ('["q_proj", "v_proj"]', 32)
    assert on_each.post(PRESETS, json=body).status_code == 409
    assert on_each.get(f"{PRESETS}/小 a").json()["data"] == kept
    assert on_each.get(PRESETS).json()["data"] == [kept]
    assert on_each.get(f"{PRESETS}/other").status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("presetName", " "),
        ("presetName", "a/b"),
        ("targetModules", "q_proj"),
        ("targetModules", "[1]"),
        ("targetModules", "[" * 100_000),
        ("loraRank", 0),
        ("loraDropout", 1.0),
        ("rank", 8),
    ],
)
def test_a_wrong_preset_is_refused_by_field(client: TestClient, field: str, value: object) -> None:
    answer = client.post(PRESETS, json={"presetName": "a"} | {field: value})
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["data"]] == [field]
    assert client.get(PRESETS).json()["data"] == []


def test_completed_models_by_accuracy(on_each: TestClient) -> None:
    add(on_each, "LAST", status="COMPLETED", accuracy=91.0)
    add(on_each, "BEST", status="COMPLETED", accuracy=50.0, best_accuracy=95.0)
    add(on_each, "UNKNOWN", status="COMPLETED", student_model="yolov8s")
    add(on_each, "FAILED", status="FAILED", best_accuracy=99.0)
    add(on_each, "DELETED", status="COMPLETED", best_accuracy=99.0, del_flag=1)

    def found(**wanted: object) -> list[str]:
        answer = on_each.get("/model-distillation/completed-models", params=wanted)  # type: ignore[arg-type]
        return [task["taskId"] for task in answer.json()["data"]]

    assert found() == ["UNKNOWN", "BEST", "LAST"]
    assert found(minAccuracy=91) == ["BEST", "LAST"]
    assert found(minAccuracy=91.5, teacherModel="vit") == ["BEST"]
    assert found(studentModel="yolov8s") == ["UNKNOWN"]
    assert found(teacherModel="' OR 1=1 --") == []
