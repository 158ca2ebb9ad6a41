"""What only a GPU can show. These run where there is one, and say why where there is none."""

import pytest
import torch

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
