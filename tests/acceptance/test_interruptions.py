"""A stop in awkward moments, and numbers that are not."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tandem.train.engines.accelerate.trainer import Trainer
from tandem.train.students.resnet import ResNet
from tests.train.engines.runs import events, run_here, weights


def test_a_stop_in_the_middle_of_an_evaluation_ends_with_the_same_weights(
    spec_of: Callable[..., dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = spec_of()
    assert run_here(whole, tmp_path) == 0
    expected = weights(whole)
    stopped = spec_of()
    stopped["run"]["output_dir"] = str(tmp_path / "stopped")
    evaluate = Trainer._finish_epoch

    def interrupted(self: Trainer, rows: int, seconds: float) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        evaluate(self, rows, seconds)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_finish_epoch", interrupted)
        assert run_here(stopped, tmp_path) == 75
    assert not events(stopped, "epoch")
    assert events(stopped)[-1]["checkpoint"]
    assert run_here(stopped, tmp_path) == 0
    assert [one["epoch"] for one in events(stopped, "epoch")] == [1, 2]
    assert weights(stopped) == expected


def test_a_checkpoint_kept_after_a_loss_that_is_nan_holds_no_nan(
    spec_of: Callable[..., dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = ResNet.forward

    def broken(self: ResNet, images_BCHW: torch.Tensor, layers: tuple[int, ...] = ()) -> object:
        return forward(self, images_BCHW * float("nan") if self.training else images_BCHW, layers)

    monkeypatch.setattr(ResNet, "forward", broken)
    assert run_here(spec_of(), tmp_path) == 1
    (kept,) = (tmp_path / "run" / "checkpoints").glob("epoch-*")
    tensors = load_file(kept / "model.safetensors")
    assert all(one.isfinite().all() for one in tensors.values())


def test_a_gradient_that_is_nan_is_caught_before_it_spoils_the_weights(
    spec_of: Callable[..., dict],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    forward = ResNet.forward

    def steep(self: ResNet, images_BCHW: torch.Tensor, layers: tuple[int, ...] = ()) -> object:
        out = forward(self, images_BCHW, layers)
        if self.training:  # the root of zero: a finite value with a gradient that is not
            steep_BK = out.logits_BK + (out.logits_BK * 0).sqrt()
            return replace(out, logits_BK=steep_BK)
        return out

    monkeypatch.setattr(ResNet, "forward", steep)
    assert run_here(spec_of(), tmp_path) == 1
    told = capfd.readouterr().err
    assert len(told.splitlines()) == 1
    assert "gradient is not finite in epoch 1, step 1" in told
    (kept,) = (tmp_path / "run" / "checkpoints").glob("epoch-*")
    tensors = load_file(kept / "model.safetensors")
    assert all(one.isfinite().all() for one in tensors.values())
