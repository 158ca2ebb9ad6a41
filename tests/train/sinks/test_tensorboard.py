"""The curves that a person finds in TensorBoard."""

import errno

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tandem.spec.errors import SpecError
from tandem.spec.run import ReportSpec
from tandem.train.sinks.assemble import sinks
from tandem.train.sinks.emitter import Emitter


def test_losses_accuracy_rate_and_evaluations_are_curves(tmp_path, capsys):
    emitter = Emitter(tmp_path, "T", sinks(ReportSpec()))
    emitter.emit("metric", epoch=1, step=7, total_steps=8, values={"loss": 0.75})
    for number in (1, 2):
        emitter.emit(
            "epoch",
            epoch=number,
            total_epochs=2,
            train_loss=1 / number,
            terms={"kl_div": 0.5},
            val_accuracy=0.5,
            learning_rate=0.01,
            seconds=1.0,
            images_per_second=10.0,
        )
    emitter.emit("evaluation", who="student", dataset="d", samples=5, metrics={"ece": 0.125})
    emitter.close()
    curves = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(p.step, p.value) for p in curves.Scalars("loss/train")] == [(1, 1.0), (2, 0.5)]
    assert [(p.step, p.value) for p in curves.Scalars("step/loss")] == [(7, 0.75)]
    assert [(p.step, p.value) for p in curves.Scalars("student/ece")] == [(2, 0.125)]
    assert {"loss/kl_div", "accuracy/val", "learning_rate"} <= set(curves.Tags()["scalars"])
    assert "Epoch 2/2" in capsys.readouterr().out
    assert "Epoch 2/2" in (tmp_path / "log.txt").read_text()


def test_a_bad_address_is_refused_before_anything_is_written():
    with pytest.raises(SpecError, match="no web address"):
        sinks(ReportSpec(api_base_url="localhost:8080"))


def test_a_full_disk_ends_the_curves_and_says_so(tmp_path, monkeypatch):
    emitter = Emitter(tmp_path, "T", sinks(ReportSpec()))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter.add_scalar", full)
    for step in (1, 2):
        emitter.emit("metric", epoch=1, step=step, total_steps=2, values={"loss": 0.75})
    emitter.close()
    said = (tmp_path / "events.jsonl").read_text()
    assert said.count('"type":"metric"') == 2
    assert said.count("TensorBoard's curves end here: the disk is full.") == 1
