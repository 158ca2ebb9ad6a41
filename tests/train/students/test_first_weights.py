"""Initial weights: three schemes that differ, and pretrained ones from files, checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from tandem.spec.errors import StudentError
from tandem.spec.run import StudentSpec
from tandem.train.registry import find
from tandem.train.types import Student


def make(size: str = "resnet18", classes: int = 10, image_size: int = 32, **spec) -> Student:
    torch.manual_seed(0)
    kind = "resnet" if size.startswith("resnet") else "vit"
    return find("students", kind).make(StudentSpec(size=size, **spec), classes, image_size)


@pytest.mark.parametrize("size", ["resnet18", "vit-tiny"])
def test_the_three_schemes_draw_different_weights(size):
    name = {"resnet18": "net.layer3.0.conv1.weight", "vit-tiny": "net.blocks.3.mlp.fc1.weight"}
    spread = {
        init: float(make(size, init=init).state_dict()[name[size]].std())
        for init in ("random", "kaiming", "xavier")
    }
    values = sorted(spread.values())
    assert values[1] / values[0] > 1.1
    assert values[2] / values[1] > 1.1


def test_kaiming_and_xavier_have_their_textbook_spread():
    weight = "net.layer3.0.conv1.weight"  # 128 -> 256 channels, 3 x 3
    kaiming = make(init="kaiming").state_dict()[weight].std()
    xavier = make(init="xavier").state_dict()[weight].std()
    assert float(kaiming) == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    assert float(xavier) == pytest.approx((2 / ((128 + 256) * 9)) ** 0.5, rel=0.02)


def test_the_same_seed_draws_the_same_weights():
    one, other = make().state_dict(), make().state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_pretrained_weights_come_from_a_file(tmp_path: Path, suffix):
    weights = timm.create_model("resnet18", num_classes=10).state_dict()
    path = tmp_path / f"weights{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    student = make(init="pretrained", path=str(path))
    assert torch.equal(
        student.net.state_dict()["layer4.1.conv2.weight"], weights["layer4.1.conv2.weight"]
    )
    assert torch.equal(student.net.state_dict()["fc.weight"], weights["fc.weight"])
    assert student.notes == ()


def test_a_head_of_other_classes_is_replaced_and_said(tmp_path: Path):
    weights = timm.create_model("resnet18", num_classes=7).state_dict()
    save_file(weights, tmp_path / "w.safetensors")
    student = make(init="pretrained", path=str(tmp_path / "w.safetensors"))
    assert student.eval()(torch.rand(1, 3, 32, 32)).logits_BK.shape == (1, 10)
    assert torch.equal(student.net.state_dict()["conv1.weight"], weights["conv1.weight"])
    assert "7 classes" in student.notes[0]
    assert "10" in student.notes[0]


def test_a_timm_folder_brings_its_own_normalisation(tmp_path: Path):
    weights = timm.create_model("resnet18", num_classes=10).state_dict()
    save_file(weights, tmp_path / "model.safetensors")
    config = {"architecture": "resnet18", "pretrained_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    student = make(init="pretrained", path=str(tmp_path))
    assert tuple(student.mean) == (0.5, 0.5, 0.5)
    assert student.input_std.flatten().tolist() == [0.25] * 3


def test_a_student_of_ours_is_a_pretrained_start(tmp_path: Path):
    first = make(init="xavier")
    first.normalise_with((0.4, 0.4, 0.4), (0.2, 0.2, 0.2))
    save_file(first.state_dict(), tmp_path / "model.safetensors")
    second = make(init="pretrained", path=str(tmp_path))
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(first.eval()(images).logits_BK, second.eval()(images).logits_BK)


def test_a_vit_of_another_image_size_is_resampled(tmp_path: Path):
    weights = timm.create_model("vit_tiny_patch16_224", num_classes=10).state_dict()
    save_file(weights, tmp_path / "w.safetensors")
    student = make("vit-tiny", init="pretrained", path=str(tmp_path / "w.safetensors"))
    state = student.net.state_dict()
    assert state["pos_embed"].shape == (1, 65, 192)
    assert torch.equal(state["blocks.0.attn.qkv.weight"], weights["blocks.0.attn.qkv.weight"])


def test_pretrained_without_a_path_says_where_to_give_one():
    with pytest.raises(StudentError, match=r"--student_path"):
        make(init="pretrained")


def test_weights_of_another_size_name_the_keys(tmp_path: Path):
    weights = timm.create_model("resnet34", num_classes=10).state_dict()
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(StudentError, match=r"not those of resnet18.*layer1\.2\."):
        make(init="pretrained", path=str(tmp_path / "w.safetensors"))


def test_weights_of_another_shape_name_both(tmp_path: Path):
    weights = timm.create_model("resnet18", num_classes=10).state_dict()
    weights["conv1.weight"] = torch.zeros(64, 3, 3, 3)
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(StudentError, match=r"conv1\.weight.*\(64, 3, 3, 3\), not \(64, 3, 7, 7\)"):
        make(init="pretrained", path=str(tmp_path / "w.safetensors"))


class Trap:
    """Unpickling it would create a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path: Path):
    torch.save({"conv1.weight": Trap(tmp_path / "ran")}, tmp_path / "w.pth")
    with pytest.raises(StudentError, match=r"not readable as weights"):
        make(init="pretrained", path=str(tmp_path / "w.pth"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x80\x02}q\x00."])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_broken_file_is_a_sentence(tmp_path: Path, content, suffix):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(StudentError, match=r"w\.(safetensors|pth)"):
        make(init="pretrained", path=str(path))


def test_a_missing_file_and_an_empty_folder_are_sentences(tmp_path: Path):
    with pytest.raises(StudentError, match="do not exist"):
        make(init="pretrained", path=str(tmp_path / "gone.pth"))
    with pytest.raises(StudentError, match="holds no weights"):
        make(init="pretrained", path=str(tmp_path))


@pytest.mark.parametrize("name", ["nobody/nothing", "hf_hub:nobody/nothing", "timm/bad name"])
def test_a_hub_id_that_cannot_be_had_is_a_sentence(monkeypatch, name):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(StudentError, match="the hub does not give"):
        make(init="pretrained", path=name)
