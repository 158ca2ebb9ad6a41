"""LoRA's targets by the role of a layer, whatever a family calls it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import timm
import torch
import transformers as t
from torch import nn

from tandem.server.db.migrations.versions.r0001_contract import PRESETS
from tandem.spec.errors import TeacherError
from tandem.spec.run import LoraSpec
from tandem.train.demo.small_qwen import QwenShape, build_model, build_tokenizer
from tandem.train.pretrained.adapters import attach, choose_targets, linear_names
from tandem.train.pretrained.lora_roles import ROLES, role_of, roles_in

TEXT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "vocab_size": 40}  # fmt: skip
SEES = {**TEXT, "image_size": 32, "patch_size": 16} | {"mlp_ratio": 2}
SEES.pop("vocab_size")
MODELS: dict[str, Callable[[], nn.Module]] = {
    "bert": lambda: t.BertModel(t.BertConfig(**TEXT)),
    "roberta": lambda: t.RobertaModel(t.RobertaConfig(**TEXT)),
    "electra": lambda: t.ElectraModel(t.ElectraConfig(**TEXT, embedding_size=16)),
    "albert": lambda: t.AlbertModel(t.AlbertConfig(**TEXT, embedding_size=16)),
    "deberta": lambda: t.DebertaV2Model(t.DebertaV2Config(**TEXT)),
    "distilbert": lambda: t.DistilBertModel(
        t.DistilBertConfig(dim=16, n_layers=2, n_heads=2, hidden_dim=32, vocab_size=40)
    ),
    "vit": lambda: t.ViTModel(t.ViTConfig(**SEES)),
    "dinov2": lambda: t.Dinov2Model(t.Dinov2Config(**SEES)),
    "dinov3": lambda: t.DINOv3ViTModel(t.DINOv3ViTConfig(**SEES)),
    "siglip": lambda: t.SiglipVisionModel(t.SiglipVisionConfig(**SEES)),
    "clip": lambda: t.CLIPVisionModel(t.CLIPVisionConfig(**SEES)),
    "timm": lambda: timm.create_model("vit_tiny_patch16_224", depth=2, img_size=32),
    "qwen": lambda: build_model(QwenShape(), build_tokenizer()),
}
OWN = {
    "bert": ("query", "value"),
    "albert": ("query", "value"),
    "deberta": ("query_proj", "value_proj"),
    "distilbert": ("q_lin", "v_lin"),
    "timm": ("qkv",),
}


def chosen(model: nn.Module, *targets: str) -> tuple[list[str], list[str]]:
    told: list[str] = []
    lora = LoraSpec(rank=2, target_modules=list(targets))
    return choose_targets(model, lora, (("q_proj",),), told.append), told


def last(names: list[str]) -> set[str]:
    return {name.rpartition(".")[2] for name in names}


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset[0])
def test_the_four_presets_adapt_every_family(family: str, preset: tuple) -> None:
    torch.manual_seed(0)
    model = MODELS[family]()
    targets = preset[5].split()
    names, told = chosen(model, *targets)
    assert names
    adapted = attach(model, LoraSpec(rank=2), names)
    assert any(".lora_A." in name for name, _ in adapted.named_parameters())
    if family in OWN:
        assert "q_proj → " + OWN[family][0] in told[0]
    roles = {role_of(name) for name in names}
    for role in targets:
        missing_gate = role == "gate_proj" and family not in ("qwen",)
        assert role in roles or "qkv" in roles or missing_gate, (role, names)


@pytest.mark.parametrize(("family", "own"), OWN.items())
def test_q_and_v_are_the_layers_of_each_family(family: str, own: tuple[str, ...]) -> None:
    model = MODELS[family]()
    names, told = chosen(model, "q_proj", "v_proj")
    assert last(names) == set(own)
    assert len(told) == 1
    assert chosen(model, *own) == (names, [])  # its own names, and nothing to tell


def test_names_of_one_family_are_read_in_another() -> None:
    model = MODELS["distilbert"]()
    assert last(chosen(model, "query", "value")[0]) == {"q_lin", "v_lin"}
    assert last(chosen(model, "qkv")[0]) == {"q_lin", "k_lin", "v_lin"}
    assert last(chosen(MODELS["vit"](), "query", "value")[0]) == {"q_proj", "v_proj"}


def test_the_output_of_attention_is_not_that_of_the_mlp() -> None:
    model = MODELS["bert"]()
    attention, _ = chosen(model, "o_proj")
    mlp, _ = chosen(model, "down_proj")
    assert all(name.endswith("attention.output.dense") for name in attention)
    assert all(not name.endswith("attention.output.dense") for name in mlp)
    assert len(attention) == len(mlp) == 2


def test_a_gate_that_is_not_there_is_told() -> None:
    names, told = chosen(MODELS["bert"](), "q_proj", "gate_proj")
    assert last(names) == {"query"}
    assert "no gate_proj" in told[1]
    with pytest.raises(TeacherError, match="no layer gate_proj"):
        chosen(MODELS["bert"](), "gate_proj")


@pytest.mark.parametrize("name", ["q_prj", "attention", "lstm", "classifier"])
def test_what_is_neither_role_nor_layer_is_refused_with_both(name: str) -> None:
    model = MODELS["bert"]()
    with pytest.raises(TeacherError, match=f"no layer {name} ") as caught:
        chosen(model, "q_proj", name)
    assert {"q_proj", "o_proj", "query", "dense", "all-linear"} <= set(caught.value.allowed or ())
    assert "gate_proj" not in (caught.value.allowed or ())


def test_every_layer_of_every_family_has_a_role() -> None:
    for family, make in MODELS.items():
        names = [name for name in linear_names(make()) if "visual" not in name]
        assert {role_of(name) for name in names} - {None}, family
        assert set(roles_in(names)) <= set(ROLES)
