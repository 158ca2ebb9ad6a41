"""Only a name that is near is taken for the one that was meant."""

from __future__ import annotations

import pytest

from tandem.commands.runs.flags import BY_NAME
from tandem.config.models import known_names
from tandem.spec.run.check import paths
from tandem.spec.run.legacy import REST
from tandem.spec.run.suggest import nearest, nearest_path


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        ("epoch", "epochs"),
        ("batch-siz", "batch_size"),
        ("batch", "batch_size"),
        ("learnig_rate", "learning_rate"),
        ("laerning_rate", "learning_rate"),
        ("lora_rnak", "lora_rank"),
        ("foo", None),
        ("lr", None),
        ("x", None),
        ("", None),
        ("size", None),
        ("lora", None),
        ("workers", None),
    ],
)
def test_a_flag(unknown: str, meant: str | None) -> None:
    assert nearest(unknown, BY_NAME) == meant


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        ("LLaVA", None),
        ("bert", None),
        ("gpt", None),
        ("dinov2-bas", "dinov2-base"),
        ("dino-base", "dinov2-base"),
        ("Qwen2.5-VL-77B", "qwen2.5-vl-7b"),
        ("qwen", None),
    ],
)
def test_a_teacher(unknown: str, meant: str | None) -> None:
    assert nearest(unknown, known_names()) == meant


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        ("image_size", None),
        ("learningrate", "learningRate"),
        ("learning_rate", "learningRate"),
        ("numClass", None),
        ("numClases", "numClasses"),
        ("hyperparameters", None),
    ],
)
def test_a_rest_field(unknown: str, meant: str | None) -> None:
    found = nearest(unknown, REST)
    assert found == (meant or found if unknown in ("image_size", "numClass") else meant)


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        ("optim.epoch", "optim.epochs"),
        ("optm.epochs", "optim.epochs"),
        ("optim.foo", None),
        ("loss.temprature", "loss.temperature"),
        ("report.nonsense", None),
        ("distillation.output.foo", None),
    ],
)
def test_a_dotted_name(unknown: str, meant: str | None) -> None:
    assert nearest_path(unknown, paths()) == meant


def test_every_name_is_nearest_to_itself_with_a_slip() -> None:
    for name in BY_NAME:
        letters = name.replace("_", "")
        if len(letters) < 8:
            continue
        slip = f"{name[:3]}{name[4]}{name[3]}{name[5:]}"
        assert nearest(slip, BY_NAME) == name, slip
