"""What goes wrong is said in one sentence, with the exit code of the contract."""

import pytest
import torch

from tandem.train.students.resnet import ResNet
from tests.train.engines.runs import events, run_here


def one_line(text: str) -> str:
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    return lines[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data__dataset": "/nowhere/at/all"}, ["/nowhere/at/all"]),
        ({"data__num_classes": 7}, ["7", "3"]),
        ({"teacher__path": "/nowhere/teacher"}, ["/nowhere/teacher"]),
        ({"student__size": "resnet19"}, ["resnet19", "resnet18"]),
        ({"run__devices": [0]}, ["GPU 0", "cpu"]),
        ({"run__precision": "fp16"}, ["fp16", "fp32"]),
        ({"optim__epochs": 0}, ["optim.epochs"]),
        ({"optim__learning_rate": -1}, ["optim.learning_rate"]),
        ({"loss__temperature": "NaN"}, ["loss.temperature"]),
        ({"optim__batch_size": 1}, ["optim.batch_size"]),
        ({"kind": "detection"}, ["classification", "detection"]),
        ({"loss__options": {"kl_div": {"warmth": 1}}}, ["warmth", "temperature"]),
        ({"teacher__knowledge": "none"}, ["kl_div", "logits"]),
    ],
)
def test_a_wrong_spec_ends_with_one_line_and_exit_2(spec_of, tmp_path, capfd, changes, words):
    if torch.cuda.is_available() and "run__devices" in changes:
        pytest.skip("this machine has a GPU 0")
    assert run_here(spec_of(**changes), tmp_path) == 2
    told = one_line(capfd.readouterr().err)
    assert all(word in told for word in words), told
    assert not (tmp_path / "run" / "final_model").exists()
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_loss_that_is_not_finite_names_the_term_and_keeps_a_checkpoint(spec_of, tmp_path, capfd):
    spec = spec_of(optim__learning_rate=1e18, optim__optimizer="sgd", optim__max_grad_norm=0)
    assert run_here(spec, tmp_path) == 1
    told = one_line(capfd.readouterr().err)
    assert "kl_div" in told or "feature_mse" in told or "cross_entropy" in told
    assert "step" in told
    assert events(spec)[-1]["failure_class"] == "code"
    kept = list((tmp_path / "run" / "checkpoints").glob("epoch-*"))
    assert kept


@pytest.fixture
def small_memory(monkeypatch):
    """A device that holds `room` images: the student raises what CUDA raises beyond."""
    room = {"images": 5}
    forward = ResNet.forward

    def limited(self, images_BCHW, layers=()):
        if self.training and len(images_BCHW) > room["images"]:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, images_BCHW, layers)

    monkeypatch.setattr(ResNet, "forward", limited)
    return room


def test_out_of_memory_halves_the_micro_batch_and_goes_on(spec_of, tmp_path, small_memory):
    spec = spec_of(data__image_size=64, optim__epochs=1)
    assert run_here(spec, tmp_path) == 0
    told = [one["message"] for one in events(spec, "notice") if one["level"] == "warning"]
    assert any("16 samples" in one and "8" in one for one in told)
    assert any("8 samples" in one and "4" in one for one in told)


def test_out_of_memory_at_one_image_fails_with_what_would_fit(
    spec_of, tmp_path, small_memory, capfd
):
    small_memory["images"] = 0
    assert run_here(spec_of(data__image_size=64), tmp_path) == 1
    assert "image_size" in one_line(capfd.readouterr().err)
    assert events(spec_of())[-1]["failure_class"] == "out_of_memory"
