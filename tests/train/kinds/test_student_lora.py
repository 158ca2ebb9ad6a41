"""LoRA in students: what learns, what is written, and what is merged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tandem.spec.errors import StudentError
from tandem.spec.run import LoraSpec, StudentSpec
from tandem.train.export import final_model
from tandem.train.lora import student_adapter
from tandem.train.pretrained.adapters import load_adapter
from tandem.train.registry import find
from tandem.train.types import Student
from tests.conftest import Specs
from tests.train.engines.runs import run_here
from tests.train.kinds.said import model, refusal

FEW = {"epochs": 1, "batch_size": 16, "learning_rate": 5e-3}
HEADS = {"bert": "classifier.", "vit": "net.head."}


def make(kind: str, size: str) -> Student:
    torch.manual_seed(0)
    spec = StudentSpec.model_validate({"type": kind, "size": size, "vocab_size": 60})
    return find("students", kind).make(spec, 2, 32)


def learning(student: Student) -> set[str]:
    return {name for name, one in student.named_parameters() if one.requires_grad}


def attached(kind: str, size: str, **lora: object) -> Student:
    student = make(kind, size)
    student_adapter.attach(student, LoraSpec.model_validate({"rank": 2, **lora}))
    return student


BOTH = pytest.mark.parametrize(("kind", "size"), [("bert", "bert-mini"), ("vit", "vit-tiny")])


@BOTH
def test_only_adapters_and_the_head_learn(kind: str, size: str) -> None:
    student = attached(kind, size)
    names = learning(student)
    assert any(".lora_A." in name for name in names)
    rest = {name for name in names if ".lora_" not in name}
    assert rest
    assert all(name.startswith(HEADS[kind]) for name in rest)
    before = {name: one.detach().clone() for name, one in student.named_parameters()}
    optimizer = torch.optim.SGD([one for one in student.parameters() if one.requires_grad], lr=1)
    for _ in range(2):  # adapters start at zero: the first step reaches one half of them
        student(student.example(2)).logits_BK.square().sum().backward()
        optimizer.step()
    moved = {n for n, one in student.named_parameters() if not torch.equal(one, before[n])}
    assert moved == names


@BOTH
def test_layers_are_those_asked_for(kind: str, size: str) -> None:
    for layers, expected in (("0-1", {0, 1}), ("2", {2})):
        names = [one for one in learning(attached(kind, size, layers=layers)) if ".lora_" in one]
        parts = [name.split(".") for name in names]
        numbers = {int(next(one for one in part if one.isdigit())) for part in parts}
        assert numbers == expected
    with pytest.raises(StudentError):
        attached(kind, size, layers="0-99")


@BOTH
def test_biases_learn_as_asked(kind: str, size: str) -> None:
    none, all_, own = (attached(kind, size, bias=one) for one in ("none", "all", "lora_only"))
    biases = [
        {name for name in learning(one) if name.endswith("bias")} for one in (none, all_, own)
    ]
    every = {name for name, _ in all_.named_parameters() if name.endswith("bias")}
    assert biases[0] == {name for name in every if name.startswith(HEADS[kind])}
    assert biases[1] == every
    assert biases[0] < biases[2] < every
    assert all("base_layer" in name or name.startswith(HEADS[kind]) for name in biases[2])


def spec_for(direct: Specs, data: Path, kind: str, out: Path, **changes: object) -> dict:
    return direct(
        data={"dataset": str(data), **({} if kind == "bert" else {"image_size": 32})},
        optim=FEW,
        run={"output_dir": str(out), "devices": "cpu", "save_checkpoints": False},
        **changes,
    )


@pytest.mark.parametrize(
    ("kind", "size", "biases"),
    # What a bias is does not hang on the network: one of pictures has the whole of them only.
    [("bert", "mini", ("none", "all", "lora_only")), ("vit", "vit-tiny", ("all",))],
    ids=["bert", "vit"],
)
def test_the_adapter_on_the_start_is_the_merged_model(
    kind: str,
    size: str,
    biases: tuple[str, ...],
    direct: Specs,
    texts: Path,
    shapes: Path,
    tmp_path: Path,
) -> None:
    data = texts if kind == "bert" else shapes
    student = {"type": kind, "size": size}
    started = spec_for(direct, data, kind, tmp_path / "start", student=student)
    assert run_here(started, tmp_path) == 0
    first = model(started)
    for bias in biases:
        spec = spec_for(
            direct,
            data,
            kind,
            tmp_path / bias,
            student={**student, "init": "pretrained", "path": str(first)},
            lora={"rank": 4, "bias": bias, "on": "student"},
        )
        assert run_here(spec, tmp_path) == 0
        _adapter_gives_the_merged(first, model(spec), kind)


def _adapter_gives_the_merged(first: Path, merged: Path, kind: str) -> None:
    written = json.loads((merged / "adapter" / "adapter_config.json").read_text())
    assert written["r"] == 4
    student, _ = final_model.load(first)
    final, _ = final_model.load(merged)
    inputs = student.example(3)
    with torch.no_grad():
        before = student(inputs).logits_BK
        adapted: Any = load_adapter(student, merged / "adapter").eval()
        # The head is no adapter: it is taken from the trained model.
        head = {
            name.removeprefix(HEADS[kind]): value
            for name, value in load_file(merged / "model.safetensors").items()
            if name.startswith(HEADS[kind])
        }
        inner: nn.Module = adapted.get_submodule(HEADS[kind].rstrip("."))
        inner.load_state_dict(head)
        said, right = adapted(inputs), final(inputs)
    assert not torch.allclose(before, right.logits_BK, atol=1e-3)
    torch.testing.assert_close(said.pooled_BD, right.pooled_BD, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(said.logits_BK, right.logits_BK, atol=1e-5, rtol=1e-4)
    assert not any("lora" in name for name in load_file(merged / "model.safetensors"))


def test_an_absent_layer_lists_those_that_are_there() -> None:
    with pytest.raises(StudentError, match=r"nonsense.*(dense|key|query|value)") as failure:
        attached("bert", "bert-mini", target_modules=["nonsense"])
    assert failure.value.exit_code == 2


def test_a_network_of_convolutions_says_what_could_be_adapted(
    direct: Specs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refusal(direct(lora={"rank": 4, "on": "student"}), tmp_path, capsys)
    assert "LoRA" in told
    for name in ("query", "value", "qkv", "vit", "bert"):
        assert name in told


def test_adapters_of_a_teacher_that_is_not_there_are_refused(
    direct: Specs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refusal(direct(lora={"rank": 4, "on": "teacher"}), tmp_path, capsys)
    assert "lora.on" in told
