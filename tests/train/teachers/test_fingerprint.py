"""The cache's key: it follows what changes the signals, and nothing else."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.train.teachers.folders import open_teacher


def edit(folder, name, change):
    """Change one tensor of a checkpoint."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors[name] = change(tensors[name])
    save_file(tensors, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("qwen2_5_vl", "visual.blocks.3.mlp.down_proj.weight"),
        ("qwen3_vl", "model.visual.blocks.0.attn.proj.bias"),
        ("dinov2", "encoder.layer.2.mlp.fc2.bias"),
    ],
)
def test_one_weight_changes_it(checkpoints, tmp_path, name, tensor):
    folder = shutil.copytree(checkpoints[name], tmp_path / name)
    before = open_teacher(folder).fingerprint
    assert before == open_teacher(checkpoints[name]).fingerprint
    edit(folder, tensor, lambda x: x + 1e-3)
    assert open_teacher(folder).fingerprint != before


def test_a_weight_of_the_language_model_does_not(checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints["qwen2_5_vl"], tmp_path / "q")
    before = open_teacher(folder).fingerprint
    edit(folder, "model.embed_tokens.weight", torch.zeros_like)
    assert open_teacher(folder).fingerprint == before


def test_size_precision_and_normalisation_change_it(checkpoints, tmp_path):
    path = checkpoints["qwen2_5_vl"]
    known = {
        open_teacher(path).fingerprint,
        open_teacher(path, image_size=112).fingerprint,
        open_teacher(path, precision="bf16").fingerprint,
    }
    folder = shutil.copytree(path, tmp_path / "q")
    processor = folder / "processor_config.json"
    processor.write_text(processor.read_text().replace("0.48145466", "0.5"))
    known.add(open_teacher(folder).fingerprint)
    assert len(known) == 4


def test_layers_asked_for_do_not(checkpoints):
    path = checkpoints["qwen2_5_vl"]
    assert open_teacher(path, layers=[1]).fingerprint == open_teacher(path).fingerprint
