"""What a step does on a GPU, seen on a CPU: what it reads, how it is laid out and compiled."""

import copy
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import load_file
from torch.utils._python_dispatch import TorchDispatchMode

from tandem.spec.run import ExecutionSpec, OptimSpec
from tandem.train.engines import device
from tandem.train.engines.accelerate import learn
from tandem.train.engines.accelerate.optim import make_optimizer
from tandem.train.engines.accelerate.optimizer_step import OptimizerStep
from tandem.train.engines.accelerate.trainer import Trainer
from tandem.train.engines.accelerate.training_state import _lay_out
from tests.train.engines.runs import events, run_here, weights

ATEN = torch.ops.aten
SMALL = {"optim__epochs": 1, "optim__batch_size": 8, "run__log_interval": 3}


class Reads(TorchDispatchMode):
    """Counts what would wait for a GPU: numbers read, and choices by a mask.

    Whole numbers and masks are the loader's: they are on the host whatever the device is.
    """

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is ATEN._local_scalar_dense.default and args[0].is_floating_point():
            self.found.append(str(func))
        masks = args[1] if func is ATEN.index.Tensor else ()
        by_mask = any(one is not None and one.dtype == torch.bool for one in masks)
        if by_mask and args[0].dtype != torch.bool:
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


def reads_as_on_a_gpu(trainer):
    """`Trainer._must_read` of a device that is not the CPU."""
    with patch.object(trainer, "device_context", device.DeviceContext(META, 0, 1, "fp32")):
        return MUST_READ(trainer)


META, MUST_READ = torch.device("meta"), Trainer._must_read


def test_a_step_reads_nothing_and_an_epoch_comes_to_the_same(spec_of, tmp_path):
    counted, lists = Reads(), []
    step, tolist = OptimizerStep.step, torch.Tensor.tolist

    def watched(*args):
        heard = lambda tensor: (lists.append(1), tolist(tensor))[1]  # noqa: E731
        with counted, patch.object(torch.Tensor, "tolist", heard):
            return step(*args)

    plain = spec_of(**SMALL, views__mixup=0.3)
    assert run_here(plain, tmp_path) == 0
    late = copy.deepcopy(plain)
    late["run"]["output_dir"] = str(tmp_path / "late")
    with (
        patch.object(Trainer, "_must_read", reads_as_on_a_gpu),
        patch.object(OptimizerStep, "step", watched),
    ):
        assert run_here(late, tmp_path) == 0
    assert not counted.found
    assert not lists
    assert weights(late) == weights(plain)
    one, other = events(plain, "epoch")[0], events(late, "epoch")[0]
    assert one["train_loss"] == other["train_loss"]
    assert one["train_accuracy"] == other["train_accuracy"]
    assert [e["values"] for e in events(plain, "metric")] == [
        e["values"] for e in events(late, "metric")
    ]


def test_weights_stay_as_they_were_before_a_loss_that_is_not_finite(spec_of, tmp_path):
    """Also where that is read some steps later."""
    spec = spec_of(**SMALL)
    accumulate, first = OptimizerStep._accumulate, []

    def spoilt(self, group, totals, position):
        sums = accumulate(self, group, totals, position)
        if position.step == 1:
            first.append({k: v.clone() for k, v in self.model.state_dict().items()})
            return sums * float("nan")
        return sums

    with (
        patch.object(Trainer, "_must_read", lambda self: len(self.unread) > 2),
        patch.object(OptimizerStep, "_accumulate", spoilt),
    ):
        assert run_here(spec, tmp_path) == 1
    assert "not finite" in events(spec, "failed")[0]["message"]
    (kept,) = sorted((Path(spec["run"]["output_dir"]) / "checkpoints").glob("*/model.safetensors"))
    for name, value in load_file(kept).items():
        if name.endswith(("weight", "bias")):
            assert torch.equal(value, first[0][name]), name


def test_a_compiled_student_learns_the_same_under_the_same_names(spec_of, tmp_path, monkeypatch):
    monkeypatch.setattr(learn, "COMPILER", "eager")
    plain = spec_of(**SMALL, optim__ema_decay=0.9)
    assert run_here(plain, tmp_path) == 0
    compiled = copy.deepcopy(plain)
    compiled["run"] |= {"output_dir": str(tmp_path / "compiled"), "compile": True}
    called = []
    compile_ = torch.nn.Module.compile
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda self, **k: (called.append(k), compile_(self, **k))
    )
    assert run_here(compiled, tmp_path) == 0
    assert called == [{"backend": "eager"}]
    assert weights(compiled) == weights(plain)


def test_channels_last_learns_and_its_averages_lie_as_the_weights():
    torch.manual_seed(0)
    net = torch.nn.Conv2d(4, 8, 3).to(memory_format=torch.channels_last)
    spec = OptimSpec(epochs=1, learning_rate=1e-2)
    optimizer = make_optimizer([net], spec)
    images = torch.randn(2, 4, 6, 6)

    def step(model, its):
        its.zero_grad()
        model(images).square().sum().backward()
        its.step()

    step(net, optimizer)
    other = copy.deepcopy(net)
    again = make_optimizer([other], spec)
    saved = copy.deepcopy(optimizer.state_dict())
    for state in saved["state"].values():  # as an attempt with channels first has left it
        state["exp_avg"] = state["exp_avg"].contiguous()
    again.load_state_dict(saved)
    _lay_out(again)
    assert again.state[other.weight]["exp_avg"].stride() == other.weight.stride()
    step(net, optimizer)
    step(other, again)
    assert torch.equal(net.weight, other.weight)


@pytest.mark.parametrize(
    ("asked", "on", "lies"),
    [
        ("auto", "cuda", True),
        ("auto", "cpu", False),
        ("channels_last", "cpu", True),
        ("contiguous", "cuda", False),
    ],
)
def test_how_a_student_lies_in_memory(asked, on, lies):
    spec = SimpleNamespace(run=ExecutionSpec(output_dir="x", memory_format=asked))
    assert learn.lies_channels_last(spec, torch.device(on)) is lies


def test_tf32_is_a_choice():
    kept = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        for chosen in (True, False):
            device.device_context(ExecutionSpec(output_dir="x", devices="cpu", tf32=chosen))
            assert torch.backends.cuda.matmul.allow_tf32 is chosen
            assert torch.backends.cudnn.allow_tf32 is chosen
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = kept
