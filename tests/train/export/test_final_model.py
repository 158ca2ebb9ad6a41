"""A model folder loads with no other file, and a bad one says why in one sentence."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from tandem.spec.errors import DiskFullError, StudentError
from tandem.train.export import final_model

from .models import CLASSES, make_student, save_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "final_model"
    return folder, save_model(folder, temperature=1.5)


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved[0], tmp_path / "copy")


def test_what_is_loaded_says_the_same_as_what_was_saved(saved):
    folder, student = saved
    loaded, config = final_model.load(folder)
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(images).logits_BK, student(images).logits_BK)
    assert not loaded.training
    assert config.classes == CLASSES
    assert (config.image_size, config.temperature) == (32, 1.5)
    assert config.mean == pytest.approx([0.485, 0.456, 0.406])
    names = {file.name for file in folder.iterdir()}
    assert names == {"model.safetensors", "config.json", "metrics.json", "README.md"}
    assert json.loads((folder / "metrics.json").read_text()) == {"accuracy": 0.5, "nll": None}
    assert final_model.size_bytes(folder) > 4 * 11_000_000


def test_saving_again_replaces_it_and_leaves_no_rubbish(tmp_path):
    folder = tmp_path / "final_model"
    save_model(folder, seed=0)
    second = save_model(folder, seed=1)
    loaded, _ = final_model.load(folder)
    assert torch.equal(loaded.state_dict()["net.fc.weight"], second.state_dict()["net.fc.weight"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["final_model"]


def test_a_disk_that_fills_up_leaves_the_old_model_whole(copy, monkeypatch):
    spec, student = make_student(copy, seed=3)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(final_model, "save_file", full)
    with pytest.raises(DiskFullError, match="disk is full"):
        final_model.save(student, copy, spec=spec, classes=CLASSES, metrics={}, card="")
    final_model.load(copy)
    assert [entry.name for entry in copy.parent.iterdir()] == ["copy"]


def test_a_model_card_can_be_replaced_later(copy):
    final_model.write_card(copy, "# 新\n")
    assert (copy / "README.md").read_text(encoding="utf-8") == "# 新\n"


def change(folder, **fields):
    config = json.loads((folder / "config.json").read_text())
    config |= fields
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"classes": ["a"]}, "classes"),
        ({"classes": ["a", "a", "b"]}, "a class comes twice"),
        ({"image_size": 10**9}, "image_size"),
        ({"temperature": 0}, "temperature"),
        ({"unknown": 1}, "unknown"),
        ({"format": "other"}, "format"),
        ({"classes": ["a", "b"]}, r"weights .* do not fit its config"),
        ({"student": {"type": "resnet", "size": "resnet34"}}, r"is missing"),
        ({"student": {"type": "nonsense", "size": "x"}}, r"is a nonsense.*Allowed: .*resnet"),
        ({"student": {"type": "resnet", "size": "resnet9000"}}, r"resnet9000.*Allowed"),
        ({"facts": {"stem": "another"}}, r"another.*but its code builds"),
        ({"mean": [0.5, 0.5, 0.5]}, "another normalisation"),
    ],
)
def test_a_config_that_does_not_fit_is_one_sentence(copy, fields, said):
    change(copy, **fields)
    with pytest.raises(StudentError, match=said) as caught:
        final_model.load(copy)
    assert "\n" not in str(caught.value)


def test_weights_to_fetch_or_run_are_never_looked_at(copy):
    student = {"type": "resnet", "size": "resnet18", "init": "pretrained", "path": "evil/hub-id"}
    change(copy, student=student)
    final_model.load(copy)


@pytest.mark.parametrize("harm", ["cut", "pickle", "extra", "missing", "no config", "not json"])
def test_a_damaged_folder_is_one_sentence(copy, harm):
    weights = copy / "model.safetensors"
    if harm == "cut":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif harm == "pickle":
        torch.save({"net.fc.weight": torch.zeros(1)}, weights)
    elif harm in ("extra", "missing"):
        state = load_file(weights)
        state = state | {"more": torch.zeros(1)} if harm == "extra" else state
        if harm == "missing":
            del state["net.fc.weight"]
        save_file(state, weights)
    elif harm == "no config":
        (copy / "config.json").unlink()
    else:
        (copy / "config.json").write_text("{")
    with pytest.raises(StudentError, match="copy") as caught:
        final_model.load(copy)
    assert "\n" not in str(caught.value)
