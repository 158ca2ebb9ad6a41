"""A teacher that would mislead is known before the first step, and dealt with as was asked."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tandem.train.knowledge.teacher_check import _judged
from tests.train.engines.runs import events, run_here
from tests.train.kinds.said import refusal, report
from tests.train.teachers.test_own_head import classifier

COLOURS = ("blue", "green", "red")


@pytest.fixture(scope="module")
def colours(tmp_path_factory) -> Path:
    """Noisy pictures in three colours: any pixel tells, and an untrained model does not."""
    root, random = tmp_path_factory.mktemp("colours"), np.random.default_rng(0)
    for split, count in (("train", 10), ("val", 4)):
        for channel, name in enumerate(reversed(COLOURS)):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                image = random.integers(0, 120, (24, 24, 3)).astype(np.uint8)
                image[..., channel] = random.integers(120, 255, (24, 24))
                Image.fromarray(image).save(root / split / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def bad_teacher(tmp_path_factory) -> Path:
    """Untrained, and sure of its classes: those of the data."""
    return classifier("vit", tmp_path_factory.mktemp("bad"), dict(enumerate(COLOURS)))


def spec(spec_of, colours, teacher, **what) -> dict:
    return spec_of(
        data={"dataset": str(colours), "image_size": 32},
        teacher={"path": str(teacher), "image_size": 32} | what,
        loss={"distillation_type": "logit"},
        optim__epochs=1,
        report__baseline=False,
        report__tensorboard=False,
    )


def said(one: dict, words: str) -> list[int]:
    """The numbers of the events that say so."""
    return [note["seq"] for note in events(one, "notice") if words in note["message"]]


def test_it_is_told_before_the_first_step_and_in_the_report(
    spec_of, colours, bad_teacher, tmp_path
):
    warned = spec(spec_of, colours, bad_teacher)
    assert run_here(warned, tmp_path) == 0
    check = report(warned)["teacher"]["check"]
    assert (check["samples"], check["harmful"], check["done"]) == (30, True, "warn")
    assert check["raw_accuracy"] > 0.9 > check["accuracy"]
    assert check["chance"] == pytest.approx(1 / 3)
    assert check["soft_label_factor"] == 1
    assert said(warned, "likely to mislead")[0] < events(warned, "epoch")[0]["seq"]
    card = Path(warned["run"]["output_dir"]) / "final_model" / "README.md"
    assert "likely to mislead" in card.read_text()


def test_its_soft_labels_are_scaled_by_what_it_knows(spec_of, colours, bad_teacher, tmp_path):
    scaled = spec(spec_of, colours, bad_teacher, if_harmful="scale")
    assert run_here(scaled, tmp_path) == 0
    check = report(scaled)["teacher"]["check"]
    beyond = max(0, check["accuracy"] - check["chance"])
    expected = beyond / (check["raw_accuracy"] - check["chance"])
    assert check["soft_label_factor"] == pytest.approx(expected)
    assert said(scaled, "is scaled by")
    # The loss is what its terms come to with these weights.
    epoch = events(scaled, "epoch")[0]
    weights = report(scaled)["spec"]["loss"]
    total = weights["hard_label_weight"] * epoch["terms"]["cross_entropy"]
    total += weights["soft_label_weight"] * expected * epoch["terms"]["kl_div"]
    assert epoch["train_loss"] == pytest.approx(total, rel=1e-4)


def test_or_nothing_is_trained(spec_of, colours, bad_teacher, tmp_path, capsys):
    stopped = spec(spec_of, colours, bad_teacher, if_harmful="stop")
    assert "would mislead the student" in refusal(stopped, tmp_path, capsys)
    assert not events(stopped, "epoch")


def test_a_teacher_that_knows_the_classes_is_left_alone(spec_of, colours, tmp_path):
    """The same network with a probe on its features, which do tell colours."""
    teacher = classifier("vit", tmp_path / "teacher")
    good = spec(spec_of, colours, teacher, if_harmful="stop")
    assert run_here(good, tmp_path) == 0
    check = report(good)["teacher"]["check"]
    assert (check["harmful"], check["done"], check["soft_label_factor"]) == (False, "none", 1)
    assert check["accuracy"] > 0.9
    assert json.dumps(check)


def test_an_adapter_that_knows_less_than_a_probe_is_not_used(
    spec_of, colours, small_teacher, tmp_path
):
    """A language model that has learnt nothing, whose tower does tell colours."""
    given = spec(spec_of, colours, small_teacher, image_size=56)
    given["lora"] = {"rank": 2, "epochs": 1, "batch_size": 32, "learning_rate": 1e-9}
    assert run_here(given, tmp_path) == 0
    assert report(given)["teacher"]["knowledge"] == "probe"
    assert said(given, "the probe is taken, and the adapter is not used")


def test_a_difference_that_chance_explains_is_no_harm():
    raw = np.ones(40, bool)
    nearly = raw.copy()
    nearly[:3] = False
    assert not _judged(nearly, raw, 0.25, "stop").harmful
    nearly[:9] = False
    assert _judged(nearly, raw, 0.25, "stop").harmful
    assert _judged(np.arange(40) < 10, np.arange(40) < 5, 0.25, "scale").soft_label_factor == 0
