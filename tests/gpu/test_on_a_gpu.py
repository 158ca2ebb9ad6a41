"""What only a GPU can show. These run where there is one, and say why where there is none."""

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import load_file

from tandem.spec.run import ExecutionSpec
from tandem.train.engines.accelerate.optimizer_step import OptimizerStep
from tandem.train.engines.checkpoint_keeper import CheckpointKeeper
from tandem.train.engines.device import device_context
from tests.train.engines.runs import events, run_here, weights

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU"),
]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_run_learns_on_the_gpu_in_each_precision(spec_of, tmp_path, precision):
    spec = spec_of(run__devices=[0], run__precision=precision, optim__epochs=3)
    assert run_here(spec, tmp_path) == 0
    epochs = events(spec, "epoch")
    assert events(spec, "started")[0]["device"] == "cuda:0"
    assert epochs[-1]["train_loss"] < epochs[0]["train_loss"]
    assert epochs[-1]["memory_megabytes"] > 0


def test_gpu_and_cpu_learn_the_same_in_fp32(spec_of, tmp_path):
    said = {}
    for name, devices in (("cpu", "cpu"), ("gpu", [0])):
        spec = spec_of(run__devices=devices, run__precision="fp32", optim__epochs=1)
        spec["run"]["output_dir"] = str(tmp_path / name)
        assert run_here(spec, tmp_path) == 0
        said[name] = events(spec, "epoch")[0]["train_loss"]
    assert said["gpu"] == pytest.approx(said["cpu"], rel=2e-2)


@pytest.mark.parametrize("precision", ["bf16", "fp16", "int8", "int4"])
def test_the_teacher_in_each_precision(spec_of, tmp_path, precision):
    spec = spec_of(run__devices=[0], teacher__precision=precision, optim__epochs=1)
    assert run_here(spec, tmp_path) == 0
    assert weights(spec)


def test_a_batch_that_does_not_fit_is_cut(spec_of, tmp_path):
    """The real thing: so much of the GPU is taken that one batch cannot fit."""
    free, _ = torch.cuda.mem_get_info()
    taken = torch.empty(int(free - 1.5 * 2**30), dtype=torch.uint8, device="cuda")
    spec = spec_of(
        run__devices=[0],
        data__image_size=512,
        optim__batch_size=24,
        optim__epochs=1,
        loss={"distillation_type": "logit"},
        student={"type": "resnet", "size": "resnet101"},
    )
    assert run_here(spec, tmp_path) == 0
    assert any("Out of memory" in one["message"] for one in events(spec, "notice"))
    del taken


def test_the_gpu_that_is_named_is_the_one_that_computes(spec_of, tmp_path):
    """In a process of its own: CUDA reads once which GPUs it may show."""
    last = torch.cuda.device_count() - 1
    spec = spec_of(run__devices=[last], optim__epochs=1)
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(spec))
    code = (
        "import sys, os; from tandem.train.__main__ import main; code = main(sys.argv[1:]);"
        "import torch; print(torch.cuda.device_count(), os.environ['CUDA_VISIBLE_DEVICES']);"
        "sys.exit(code)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines()[-1].split() == [
        "1",
        os.environ.get("CUDA_VISIBLE_DEVICES", str(last)).split(",")[-1],
    ]
    assert events(spec, "started")[0]["device"] == "cuda:0"


def test_auto_is_a_precision_that_the_hardware_has():
    native = torch.cuda.get_device_capability()[0] >= 8
    context = device_context(ExecutionSpec(output_dir="x", devices=[0]))
    assert context.precision == ("bf16" if native else "fp16")


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="this machine has one GPU")
def test_two_gpus_in_any_order_learn_together(spec_of, tmp_path):
    spec = spec_of(run__devices=[1, 0], optim__epochs=2)
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(spec))
    subprocess.run([sys.executable, "-m", "tandem.train", str(file)], check=True)
    assert events(spec, "started")[0]["processes"] == 2
    assert weights(spec)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_waits_for_nothing(spec_of, tmp_path, monkeypatch, precision):
    """torch itself raises where a call within a step waits for the GPU."""
    step, taken = OptimizerStep.step, []

    def watched(*args):
        taken.append(1)
        if len(taken) < 3:  # the first ones allocate, and choose their kernels
            return step(*args)
        torch.cuda.set_sync_debug_mode("error")
        try:
            return step(*args)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(OptimizerStep, "step", watched)
    spec = spec_of(run__devices=[0], run__precision=precision, optim__epochs=2)
    assert run_here(spec, tmp_path) == 0
    assert len(taken) > 3


def test_a_compiled_student_has_the_same_names_and_learns(spec_of, tmp_path):
    spec = spec_of(run__devices=[0], run__compile=True, optim__epochs=2)
    assert run_here(spec, tmp_path) == 0
    epochs = events(spec, "epoch")
    assert epochs[-1]["train_loss"] < epochs[0]["train_loss"]
    file = Path(spec["run"]["output_dir"]) / "final_model" / "model.safetensors"
    assert not [name for name in load_file(file) if "_orig_mod" in name]


def test_a_run_with_channels_last_goes_on_with_channels_first(spec_of, tmp_path):
    last = {"run__devices": [0], "run__memory_format": "channels_last"}
    spec = spec_of(**last, optim__epochs=4, run__checkpoint_interval=1)
    with patch.object(CheckpointKeeper, "save_at_end", side_effect=KeyboardInterrupt):
        assert run_here(spec, tmp_path) == 130
    spec["run"]["memory_format"] = "contiguous"
    spec["optim"]["epochs"] = 5
    assert run_here(spec, tmp_path) == 0
    assert [one["epoch"] for one in events(spec, "epoch")] == [1, 2, 3, 4, 5]


def test_two_workers_stay_and_pin_what_they_load(spec_of, tmp_path, monkeypatch):
    seen = []
    prepare = OptimizerStep._prepare

    def watched(self, micro, draw):
        seen.append(micro.inputs.is_pinned())
        return prepare(self, micro, draw)

    monkeypatch.setattr(OptimizerStep, "_prepare", watched)
    spec = spec_of(run__devices=[0], data__workers=2, optim__batch_size=4, optim__epochs=2)
    assert run_here(spec, tmp_path) == 0
    assert seen
    assert all(seen)
