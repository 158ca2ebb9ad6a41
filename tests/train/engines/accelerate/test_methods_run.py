"""Methods with modules of their own, through whole runs: trained, and exported without them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tandem.train.export import final_model
from tandem.train.export.onnx_model import to_onnx
from tests.train.engines.runs import run_here


def epochs(folder: Path) -> list[dict]:
    lines = (folder / "run" / "events.jsonl").read_text().splitlines()
    return [one for one in map(json.loads, lines) if one["type"] == "epoch"]


@pytest.mark.parametrize(
    ("changes", "term", "head"),
    [
        ({"feature_loss": "mgd"}, "feature_mgd", "heads.feature_mgd.layers.0.weight"),
        ({"soft_loss": "ofa"}, "ofa", "heads.ofa.exits.0.0.weight"),
    ],
)
def test_its_module_is_trained_and_left_behind(spec_of, tmp_path: Path, changes, term, head):
    spec = spec_of(loss=changes, data__image_size=64, optim__epochs=1)
    assert run_here(spec, tmp_path) == 0
    assert all(one["terms"][term] > 0 for one in epochs(tmp_path))
    folder = tmp_path / "run"
    assert not [k for k in load_file(folder / "final_model" / "model.safetensors") if "heads" in k]
    [saved] = (folder / "checkpoints").glob("*/model.safetensors")
    assert head in load_file(saved)


def test_two_heads_answer_together_wherever_the_model_goes(spec_of, tmp_path: Path):
    spec = spec_of(
        loss={"soft_loss": "dho", "distillation_type": "logit"},
        optim__epochs=1,
        report__baseline=True,
    )
    assert run_here(spec, tmp_path) == 0
    folder = tmp_path / "run" / "final_model"
    student, config = final_model.load(folder)
    assert config.student.dual_head
    inputs = student.example(3)
    with torch.no_grad():
        answer = student(inputs)
        labels_BK = student.classifier()(answer.pooled_BD)
        taught_BK = student.dual_head.classifier(answer.pooled_BD)
        expected = 0.5 * labels_BK.softmax(1) + 0.5 * (taught_BK / 0.5).softmax(1)
    assert torch.allclose(answer.logits_BK.softmax(1), expected, atol=1e-5)
    assert not torch.allclose(labels_BK.softmax(1), expected, atol=1e-3)
    import onnxruntime

    file = to_onnx(folder, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    [logits] = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
    chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert chance == pytest.approx(expected.numpy(), abs=1e-4)
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["baseline"] is not None


def test_a_head_that_nobody_teaches_is_refused(spec_of, tmp_path: Path, capsys):
    spec = spec_of(loss={"soft_loss": "dho", "hard_label_weight": 0.0})
    assert run_here(spec, tmp_path) == 2
    captured = capsys.readouterr()
    assert (
        "Of two heads one learns from labels, and nothing here does." in captured.out + captured.err
    )
