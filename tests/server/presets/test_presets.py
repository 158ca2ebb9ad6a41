"""LoRA presets and completed models."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tandem.server.db.migrations.versions.r0001_contract import PRESETS as PRESETS_AT_FIRST
from tandem.server.presets.i18n import ENGLISH
from tests.server.rows import add

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


V1 = "/api/v1/lora-presets"


def test_v1_keeps_changes_and_deletes_the_same_rows(on_each: TestClient) -> None:
    body = {"name": "小 a", "rank": 8, "target_modules": ["q_proj"], "description": "d"}
    made = on_each.post(V1, json=body)
    assert made.status_code == 201, made.text
    said = made.json()
    assert {**body, "alpha": 32, "dropout": 0.05, "builtin": False}.items() <= said.items()
    assert on_each.post(V1, json=body).status_code == 409
    old = on_each.get(f"{PRESETS}/小 a").json()["data"]
    assert (old["loraRank"], old["targetModules"]) == (8, '["q_proj"]')
    other = on_each.put(f"{V1}/小 a", json={"rank": 4, "target_modules": []})
    assert (other.json()["rank"], other.json()["target_modules"]) == (4, [])
    assert other.json()["description"] is None
    assert [one["name"] for one in on_each.get(V1).json()] == ["小 a"]
    assert on_each.delete(f"{V1}/小 a").status_code == 204
    assert on_each.get(V1).json() == []
    assert on_each.delete(f"{V1}/小 a").status_code == 404
    assert on_each.put(f"{V1}/小 a", json={}).status_code == 404
    assert on_each.post(V1, json=body).status_code == 201  # its name is free again


def test_one_that_came_with_tandem_stays(client: TestClient) -> None:
    client.post(V1, json={"name": "标准配置"})
    assert client.get(V1).json()[0]["builtin"] is True
    refused = client.delete(f"{V1}/标准配置")
    assert refused.status_code == 409
    assert "标准配置" in refused.json()["detail"]
    assert len(client.get(V1).json()) == 1


def test_those_that_the_data_base_begins_with_are_the_ones_that_stay() -> None:
    kept = {name: description for name, description, *_ in PRESETS_AT_FIRST}
    assert kept == {name: said.first for name, said in ENGLISH.items()}


def test_what_came_with_tandem_is_said_in_the_readers_language(client: TestClient) -> None:
    name, description, *_ = PRESETS_AT_FIRST[0]
    client.post(V1, json={"name": name, "description": description})

    def said(language: str) -> tuple[str, str]:
        [one] = client.get(V1, headers={"Accept-Language": language}).json()
        assert (one["name"], one["description"]) == (name, description)
        return one["title"], one["about"]

    assert said("zh-CN") == (name, description)
    assert said("en") == ENGLISH[name][:2]
    client.put(f"{V1}/{name}", json={"description": "for cats"})
    [one] = client.get(V1, headers={"Accept-Language": "en"}).json()
    assert (one["title"], one["about"]) == (ENGLISH[name][0], "for cats")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "), ("name", "a/b"), ("rank", 0), ("dropout", 1), ("target_modules", "q"),
        ("target_modules", ["x" * 90] * 6), ("loraRank", 8),
    ],
)  # fmt: skip
def test_v1_refuses_by_field(client: TestClient, field: str, value: object) -> None:
    answer = client.post(V1, json={"name": "a"} | {field: value})
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [field]
