"""Settings, their origins, and keys that are not known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tandem.cli import app
from tandem.config.settings import load
from tandem.spec.errors import SpecError

# The specification's own example, from shared/contract/examples.md.
INSTALLED = """
spring:
  application: {name: mark}
  datasource: {url: "jdbc:mysql://localhost:3306/mark?useUnicode=true&characterEncoding=utf8",
               username: root, password: "p@ss", driver-class-name: com.mysql.cj.jdbc.Driver}
distillation:
  python: {path: python3}
  script: {path: /data/scripts/train_qwen_vl_distillation.py}
  api: {base-url: "http://localhost:8080"}
  models:
    root: /data/models
    teacher: {qwen-2.5-vl-8b: /data/models/qwen2.5-vl-8b}
    student: {resnet50: torchvision, vit-base: huggingface/vit-base-patch16-224}
  datasets: {root: /data/datasets}
  output: {root: /data/training_output, models: /data/outputs/models, logs: /data/outputs/logs,
           checkpoints: /data/outputs/checkpoints}
"""


def show(*words: str) -> str:
    done = CliRunner().invoke(app, ["config", "show", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def write(folder: Path, text: str, name: str = "tandem.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_reads_an_installed_system_s_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = write(tmp_path, INSTALLED, "application.yml")
    monkeypatch.setenv("TANDEM_CONFIG", str(file))
    settings = load()
    assert settings.path("datasets_root") == Path("/data/datasets")
    assert settings.path("output_root") == Path("/data/training_output")
    assert settings.text("api_base_url") == "http://localhost:8080"
    assert settings.teachers["qwen-2.5-vl-8b"].text == "/data/models/qwen2.5-vl-8b"
    assert settings.students["resnet50"].text == "torchvision"
    url = settings.text("database_url")
    assert url == "mysql://root:p%40ss@localhost:3306/mark?charset=utf8mb4"


def test_dotted_keys_are_the_same_as_nested_ones() -> None:
    write(Path.cwd(), "distillation.datasets.root: sets\ndistillation.api.baseUrl: http://h\n")
    settings = load()
    assert settings.path("datasets_root") == Path.cwd() / "sets"
    assert settings.text("api_base_url") == "http://h"


def test_every_value_tells_its_origin(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = write(Path.cwd(), "datasets_root: /here\nmodels_root: /here\n")
    there = write(home, "datasets_root: /home\noutput_root: /home\n")
    monkeypatch.setenv("TANDEM_MODELS_ROOT", "/env")
    rows = {row["name"]: row for row in json.loads(show("--json"))}
    assert rows["models_root"]["value"] == "/env"
    assert rows["models_root"]["origin"] == "environment TANDEM_MODELS_ROOT"
    assert rows["datasets_root"]["value"] == "/here"
    assert rows["datasets_root"]["origin"] == f"{here}: datasets_root"
    assert rows["output_root"]["origin"] == f"{there}: output_root"
    assert rows["port"]["origin"] == "default"
    assert "environment TANDEM_MODELS_ROOT" in show()


def test_no_password_is_printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TANDEM_CONFIG", str(write(tmp_path, INSTALLED, "a.yml")))
    monkeypatch.setenv("TANDEM_RUN_TOKEN", "t0ken")
    for printed in (show(), show("--json")):
        assert "p@ss" not in printed
        assert "p%40ss" not in printed
        assert "t0ken" not in printed
        assert "mysql://root:****" in printed


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("datasets_rot: /x", "datasets_root"),
        ("distillation: {dataset: {root: /x}}", "distillation.datasets.root"),
        ("distillation.models.teachers.a: /x", "distillation.models.teacher"),
        ("spring: {datasource: {usrname: x}}", "spring.datasource.username"),
        ("spring: {a: 1}\ndistilation: {api: {base-url: x}}", "distillation.api.base-url"),
    ],
)
def test_an_unknown_key_is_an_error_with_the_nearest(text: str, near: str) -> None:
    write(Path.cwd(), text)
    with pytest.raises(SpecError, match="is not known") as caught:
        load()
    assert f"Did you mean {near}" in str(caught.value)


def test_a_misspelt_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_DATASET_ROOT", "/x")
    with pytest.raises(SpecError, match="Did you mean TANDEM_DATASETS_ROOT"):
        load()


def test_springs_own_keys_are_left_alone() -> None:
    write(Path.cwd(), "spring: {profiles: {active: dev}}\nserver: {port: 80}\nlogging: {level: x}")
    assert load().text("port") == "80"


def test_placeholders_are_filled_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path.cwd(), "distillation.models.root: '${MODELS:/fallback}'")
    assert load().path("models_root") == Path("/fallback")
    monkeypatch.setenv("MODELS", "/given")
    assert load().path("models_root") == Path("/given")


@pytest.mark.parametrize("text", ["port: many", "a: [", "- a list", "port: 1\nport: 2"])
def test_a_bad_file_is_one_sentence(text: str) -> None:
    write(Path.cwd(), text)
    with pytest.raises(SpecError) as caught:
        load()
    assert "\n" not in str(caught.value)


def test_a_database_that_is_not_known_is_refused_without_its_password() -> None:
    write(Path.cwd(), "database_url: 'jdbc:oracle://h/x?password=secret'")
    with pytest.raises(SpecError, match="jdbc:mysql") as caught:
        load()
    assert "secret" not in str(caught.value)
