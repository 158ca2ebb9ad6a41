"""A task looked at before it is made: it says what creating would say, and what it would take."""

from __future__ import annotations

import json
import shlex
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tandem.commands.runs import flags
from tandem.config.files import read_tree
from tandem.config.fill import fill
from tandem.server.db.tables import Attempt, History
from tandem.spec.run import RunSpec
from tests.server.tasks.conftest import V1

DISTIL: dict[str, Any] = {
    "data": {"dataset": "birds", "image_size": 64},
    "teacher": {"name": "qwen2.5-vl-7b", "prompt": "Which? {options}: \"yes\" or 'no' 🙂"},
    "student": {"size": "resnet18"},
    "optim": {"epochs": 7, "learning_rate": 1e-5},
    "lora": {"rank": 4, "target_modules": ["q_proj", "v_proj"]},
    "loss": {"options": {"dkd": {"beta": 2.0}}, "intermediate_layers": [1, 2]},
    "report": {"baseline": True},
    "run": {"devices": [0, 1], "save_checkpoints": False},
}
DIRECT: dict[str, Any] = {"mode": "direct", "data": {"dataset": "007"}, "student": {"size": "unet"}}
SPECS = [DISTIL, DIRECT, {"mode": "direct", "data": {"dataset": "1e5"}}]


def look(client: TestClient, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = client.post(f"{V1}/preview", json={"spec": spec, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def plain(spec: RunSpec) -> dict[str, Any]:
    """Without its name and folder, which differ."""
    return dict(spec.model_dump(mode="json", exclude={"task_id": True, "run": {"output_dir"}}))


@pytest.mark.parametrize("spec", SPECS)
def test_command_file_and_request_make_the_same_run(
    one: TestClient, tmp_path: Path, spec: dict[str, Any]
):
    said = look(one, spec, start=True)
    assert said["valid"], said["problems"]
    settings = one.app.state.context.settings.everything
    program, verb, *words = shlex.split(said["cli"])
    assert (program, verb) == ("tandem", "train")
    given = flags.parse_arguments(words)
    assert plain(fill(given.tree, given.names, settings)[0]) == said["spec"]
    file = tmp_path / "run.yaml"
    file.write_text(said["yaml"], encoding="utf-8")
    assert plain(fill(read_tree(file), {}, settings)[0]) == said["spec"]
    rest = said["rest"]
    assert (rest["method"], rest["path"], rest["body"]["start"]) == ("POST", V1, True)
    made = one.post(rest["path"], json=rest["body"] | {"start": False})
    assert made.status_code == 201, made.text
    assert plain(RunSpec.model_validate(made.json()["spec"])) == said["spec"]
    again = one.post(V1, json={"name": "x", "spec": said["spec"]})
    assert plain(RunSpec.model_validate(again.json()["spec"])) == said["spec"]


def test_what_was_changed_is_named_and_nothing_else(one: TestClient):
    assert set(look(one, DISTIL)["changed"]) == {
        "data.dataset", "data.image_size", "teacher.name", "teacher.prompt", "student.type",
        "student.size", "optim.epochs", "optim.learning_rate", "lora.rank", "lora.target_modules",
        "loss.options", "loss.intermediate_layers", "loss.intermediate_weight",
        "report.baseline", "run.devices", "run.save_checkpoints",
    }  # fmt: skip
    # UNet begins with another batch size and image size: none of them was changed.
    assert "optim.batch_size" not in look(one, DIRECT)["changed"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({**DIRECT, "optim": {"epochs": 0}}, "optim.epochs"),
        ({**DIRECT, "optim": {"epoch": 1}}, "optim.epoch"),
        ({**DIRECT, "data": {"dataset": "../etc"}}, "data.dataset"),
        ({**DIRECT, "student": {"size": "resnet19"}}, "student.size"),
        ({"data": {"dataset": "x"}}, "teacher.name"),
        ({**DISTIL, "teacher": {"name": "nobody"}}, "teacher.name"),
        ({**DIRECT, "task_id": "mine"}, "task_id"),
    ],
)
def test_a_fault_is_said_at_its_field_as_creating_says_it(
    one: TestClient, spec: dict[str, Any], field: str
):
    said = look(one, spec)
    assert said["valid"] is False
    assert [fault["field"] for fault in said["problems"]] == [field]
    refused = one.post(V1, json={"name": "x", "spec": spec})
    assert refused.status_code in (403, 422)
    assert said["problems"][0]["problem"].split(":")[0][:20] in refused.text.replace("spec.", "")
    assert (said["spec"], said["cli"], said["memory"]["megabytes"]) == (None, None, None)


def test_what_is_missing_is_named_with_the_fix(one: TestClient):
    said = look(one, {**DISTIL, "student": {"size": "resnet18", "init": "pretrained"}})
    missing = {part["what"]: part for part in said["missing"]}
    assert len(missing) == 3
    assert all(part["fix"] for part in missing.values())
    root = one.app.state.context.settings.datasets_root
    (root / "birds").mkdir(parents=True)
    weights = one.app.state.context.settings.everything.path("models_root") / "Qwen2.5-VL-7B"
    weights.mkdir(parents=True)
    teacher = {"name": "x", "path": str(weights)}
    assert look(one, {**DISTIL, "teacher": teacher})["missing"] == []


def test_nothing_is_made(one: TestClient):
    look(one, DIRECT, start=True)
    assert one.get(V1).json()["total"] == 0
    assert not one.app.state.context.settings.output_root.exists()


def test_memory_and_time_are_measured_where_a_run_like_it_was(one: TestClient):
    spec = {**DIRECT, "run": {"devices": "cpu"}}
    before = look(one, spec)
    assert before["time"]["seconds"] is None
    assert before["time"]["basis"]
    # Weights, gradients and averages, and what a batch leaves for the backward pass.
    assert before["memory"]["megabytes"] > 17.46 * 16 + 1000
    assert "17.46" in before["memory"]["basis"]
    made = one.post(V1, json={"name": "x", "spec": spec}).json()["task_id"]
    with one.app.state.context.database.write() as session:
        at = datetime(2026, 1, 1)
        session.add(
            Attempt(task_id=made, attempt=1, executor="x", host="x", devices=json.dumps(["cpu"]),
                    started_at=at)
        )  # fmt: skip
        for epoch, seconds in ((1, 2.0), (2, 4.0)):
            session.add(
                History(task_id=made, epoch=epoch, epoch_time=seconds, memory_usage=900.0 + epoch)
            )
    from tests.server.tasks.conftest import set_row

    set_row(one, made, current_epoch=2)
    after = look(one, spec | {"optim": {"epochs": 10}})
    assert (after["memory"]["megabytes"], after["memory"]["device"]) == (902.0, "cpu")
    assert made in after["memory"]["basis"]
    assert after["time"]["seconds"] == 30.0
    # Another batch is another run.
    other = look(one, spec | {"optim": {"batch_size": 2}})
    assert made not in other["memory"]["basis"]
    assert other["time"]["seconds"] is None
