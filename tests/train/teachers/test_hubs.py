"""Teachers fetched from ModelScope, and from a mirror of Hugging Face's hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tandem.spec.errors import TeacherError
from tandem.train.pretrained import modelscope
from tandem.train.pretrained.checkpoint import find
from tests.train.teachers.folders import build_encoder, open_teacher, random_images
from tests.train.teachers.hub_server import Hub, serving

NAME = "modelscope:owner/Tiny.1"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


@pytest.fixture
def cache(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """ModelScope's cache, empty."""
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MODELSCOPE_DOMAIN", hub.address)
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build_encoder("vit", tmp_path_factory.mktemp("vit"))
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "modeling.py").write_text("raise SystemExit")
    return folder


def test_a_model_of_modelscope_answers_as_its_folder(hub: Hub, cache: Path, vit: Path) -> None:
    hub.publish("owner/Tiny.1", vit)
    fetched, local = open_teacher(Path(NAME), image_size=32), open_teacher(vit, image_size=32)
    images = random_images(2, 32)
    assert torch.equal(fetched.signals(images).tokens_BHWD, local.signals(images).tokens_BHWD)
    folder = cache / "models" / "owner" / "Tiny___1"  # where ModelScope's own tools look
    assert sorted(one.name for one in folder.iterdir()) == [
        "config.json", "model.safetensors", "preprocessor_config.json",
    ]  # fmt: skip
    asked = len(hub.asked)
    assert modelscope.fetch(NAME) == folder
    assert len(hub.asked) == asked  # it is asked once


def test_what_modelscope_s_tools_fetched_is_found(hub: Hub, cache: Path) -> None:
    folder = cache / "owner" / "Tiny___1"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert find(NAME).folder == folder
    assert hub.asked == []


def test_an_interrupted_file_goes_on_where_it_stopped(hub: Hub, cache: Path, vit: Path) -> None:
    hub.publish("owner/Tiny.1", vit)
    hub.cut = {"model.safetensors"}
    with pytest.raises(TeacherError, match="it goes on where it stopped"):
        modelscope.fetch(NAME)
    assert not (cache / "models" / "owner" / "Tiny___1").exists()
    folder = modelscope.fetch(NAME)
    assert any(asked and "bytes=" in asked for _, asked in hub.asked)
    name = "model.safetensors"
    assert (folder / name).read_bytes() == (vit / name).read_bytes()


def test_a_file_that_is_not_what_was_stated_is_refused(hub: Hub, cache: Path, vit: Path) -> None:
    hub.publish("owner/Tiny.1", vit)
    hub.wrong_sum = True
    with pytest.raises(TeacherError, match="is not what its SHA-256 says"):
        modelscope.fetch(NAME)
    assert not (cache / "models" / "owner" / "Tiny___1").exists()


def test_a_model_that_is_not_there_and_a_hub_that_is_not(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TeacherError, match="There is no model owner/Tiny.1 on ModelScope"):
        find(NAME)
    monkeypatch.setenv("MODELSCOPE_DOMAIN", "http://127.0.0.1:9")
    with pytest.raises(TeacherError, match="cannot be fetched from ModelScope"):
        find(NAME)


@pytest.mark.parametrize("name", ["../x.json", "a/b.json", "..", "x.json/../../y.json"])
def test_a_name_that_leads_elsewhere_is_not_fetched(hub: Hub, cache: Path, name: str) -> None:
    hub.models["owner/Tiny.1"] = {"config.json": b"{}", name: b"evil"}
    folder = modelscope.fetch(NAME)
    assert [one.name for one in folder.iterdir()] == ["config.json"]


def test_a_mirror_of_hugging_face_is_asked(
    hub: Hub, vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish("owner/tiny", vit)
    constants = "huggingface_hub.constants."
    monkeypatch.setattr(constants + "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants + "HF_HUB_CACHE", str(tmp_path))
    # HF_ENDPOINT, as the library reads it when it is imported.
    monkeypatch.setattr(constants + "ENDPOINT", hub.address)
    template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants + "HUGGINGFACE_CO_URL_TEMPLATE", template)
    checkpoint = find("owner/tiny")
    assert checkpoint.model_type == "vit"
    assert set(checkpoint.tensor_files.values()) == {"model.safetensors"}
    assert hub.asked
    with pytest.raises(TeacherError, match="neither as a folder here nor on the hub"):
        assert find("owner/other").config
