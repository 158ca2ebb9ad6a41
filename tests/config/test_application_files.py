"""An installed system's own files in the working folder, and what of them moves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.config.settings import load
from tandem.spec.errors import SpecError
from tests.config.test_settings import show, write


def here(text: str, name: str) -> Path:
    return write(Path.cwd(), text, name)


def test_application_yml_is_read_and_its_port_counts() -> None:
    file = here("server: {port: 8081}\nlogging: {level: {root: info}}\n", "application.yml")
    settings = load()
    assert settings.text("port") == "8081"
    assert settings.values["port"].origin == f"{file}: server.port"
    assert settings.notes == ()
    assert f"{file}: server.port" in show()


@pytest.mark.parametrize("suffix", ["yml", "yaml"])
def test_a_profile_alone_is_read_and_said(suffix: str) -> None:
    file = here("distillation: {models: {root: /data/models}}", f"application-test.{suffix}")
    settings = load()
    assert settings.path("models_root") == Path("/data/models")
    assert settings.notes == (f"{file} is read: it is the only application file here.",)


def test_an_active_profile_wins_and_another_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    here("spring: {profiles: {active: test}}\nserver: {port: 1}\ndistillation.models.root: /a",
         "application.yml")  # fmt: skip
    here("server: {port: 2}", "application-test.yml")
    other = here("server: {port: 3}", "application-dev.yml")
    settings = load()
    assert (settings.text("port"), settings.path("models_root")) == ("2", Path("/a"))
    assert len(settings.notes) == 1
    assert str(other) in settings.notes[0]
    monkeypatch.setenv("SPRING_PROFILES_ACTIVE", "test,dev")
    assert load().text("port") == "3"  # of several the last
    assert load().notes == ()


def test_two_profiles_and_none_active_are_both_told() -> None:
    here("server: {port: 2}", "application-test.yml")
    here("server: {port: 3}", "application-dev.yml")
    settings = load()
    assert settings.text("port") == "8080"
    assert len(settings.notes) == 2
    assert "SPRING_PROFILES_ACTIVE=dev" in settings.notes[0] + settings.notes[1]


def test_a_document_for_a_profile_counts_where_it_is_active(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here("server: {port: 1}\n---\nspring: {config: {activate: {on-profile: test}}}\n"
         "server: {port: 2}\n", "application.yml")  # fmt: skip
    assert load().text("port") == "1"
    monkeypatch.setenv("SPRING_PROFILES_ACTIVE", "test")
    assert load().text("port") == "2"


def test_tandem_s_own_file_wins() -> None:
    here("server: {port: 1}\ndistillation.models.root: /a", "application.yml")
    here("port: 2", "tandem.yaml")
    assert load().text("port") == "2"
    assert load().path("models_root") == Path("/a")


def test_a_misspelt_key_of_ours_is_an_error_and_others_pass() -> None:
    here("management: {port: 1}\nmybatis: {mapper: x}\nxxl: [1]", "application.yml")
    load()
    here("distillation: {model: {root: /x}}", "application.yml")
    with pytest.raises(SpecError, match="distillation.models.root"):
        load()


def test_properties_are_told_and_a_named_file_is_read_as_spring_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = here("server.port=1", "application.properties")
    assert load().notes == (f"{other} is not read: only application.yml is.",)
    file = write(Path.cwd() / "etc", "server: {port: 5, servlet: {x: /}}", "application-prod.yml")
    monkeypatch.setenv("TANDEM_CONFIG", str(file))
    assert load().text("port") == "5"


def test_the_port_must_be_a_number() -> None:
    here("server: {port: many}", "application.yml")
    with pytest.raises(SpecError, match=r"application.yml: server.port"):
        load()


OUTPUT = "distillation: {output: {%s}}"


def test_the_models_folder_is_the_output_root_where_none_is_named() -> None:
    file = here(OUTPUT % "models: out/models", "application.yml")
    settings = load()
    assert settings.path("output_root") == Path.cwd() / "out" / "models"
    assert settings.values["output_root"].origin == f"{file}: distillation.output.models"
    assert settings.notes == ()


def test_what_moves_nothing_is_told(home: Path) -> None:
    file = here(OUTPUT % "root: /o, models: /m, logs: /l, checkpoints: /c", "application.yml")
    settings = load()
    assert settings.path("output_root") == Path("/o")
    assert [note.split(" moves nothing")[0] for note in settings.notes] == [
        f"{file}: distillation.output.{one}" for one in ("models", "logs", "checkpoints")
    ]
    assert "/o/<task>/final_model/" in settings.notes[0]
    here(OUTPUT % "logs: /l", "application.yml")
    [note] = load().notes
    assert f"{home}/runs/<task>/log.txt" in note


def test_the_hub_is_one_of_three_and_tells_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().text("hub") == "huggingface"
    monkeypatch.setenv("HF_ENDPOINT", "https://hf-mirror.com/")
    assert load().values["hub"].origin == "environment HF_ENDPOINT"
    assert load().text("hub") == "https://hf-mirror.com"
    here("hub: modelscope", "tandem.yaml")
    assert load().text("hub") == "modelscope"
    here("hub: baidu", "tandem.yaml")
    with pytest.raises(SpecError, match="Got: baidu"):
        load()


def test_a_mirror_of_the_settings_reaches_hugging_face_s_library() -> None:
    from tandem.config.hub import use_hub

    env = {"HF_ENDPOINT": "https://other"}
    use_hub(load(), env)
    assert env == {"HF_ENDPOINT": "https://other"}
    here("hub: https://hf-mirror.com", "tandem.yaml")
    use_hub(load(), env)
    assert env == {"HF_ENDPOINT": "https://hf-mirror.com"}
