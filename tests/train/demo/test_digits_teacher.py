"""The small teacher: taught through its own tower, read by the code that reads a real one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tandem.spec.run import TeacherSpec
from tandem.train.demo import digits, digits_teacher, small_qwen
from tandem.train.knowledge.probe import Probe
from tandem.train.registry import find
from tandem.train.types import Signals

SHORT = digits_teacher.TeacherRecipe(epochs=10)


@pytest.fixture(scope="module")
def data() -> digits.Digits:
    return digits.load()


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, data: digits.Digits) -> Path:
    return digits_teacher.make_teacher(tmp_path_factory.mktemp("home") / "teacher", data, SHORT)


def pooled(folder: Path, data: digits.Digits) -> Tensor:
    """As the engine gets it: the registered teacher, from the folder."""
    spec = TeacherSpec(path=str(folder), image_size=digits_teacher.PIXELS, precision="fp32")
    teacher = find("teachers", "qwen_vl").make(spec, torch.device("cpu"))
    images = torch.from_numpy(data.images_NHW)[:, None] / 255
    images = F.interpolate(images, size=(56, 56), mode="bicubic", antialias=True).clamp(0, 1)
    parts = [teacher.signals(one.expand(-1, 3, -1, -1)) for one in images.split(256)]
    return torch.cat([part.pooled_BD for part in parts])


def probe_accuracy(folder: Path, data: digits.Digits) -> float:
    """On val, of the engine's probe fitted on a hundred train labels."""
    features = pooled(folder, data)
    labels = np.full(len(data.labels_N), -1)
    known = np.flatnonzero(~data.is_val_N)[:100]
    labels[known] = data.labels_N[known]
    probe = Probe.fit(features.numpy(), labels, num_classes=10, folds=5, seed=0)
    logits = probe.logits(Signals(pooled_BD=features[data.is_val_N]), None)
    return float((logits.argmax(1).numpy() == data.labels_N[data.is_val_N]).mean())


def test_it_knows_the_digits_and_an_untaught_one_does_not(
    taught: Path, data: digits.Digits, tmp_path: Path
) -> None:
    shape = digits_teacher.SHAPE
    untaught = small_qwen.build(
        tmp_path / "untaught",
        depth=shape.depth,
        hidden=shape.hidden,
        full_attention=shape.full_attention,
        text_hidden=shape.text_hidden,
    )
    knows, guesses = probe_accuracy(taught, data), probe_accuracy(untaught, data)
    assert knows > 0.8
    assert knows > guesses + 0.1


def test_it_is_an_ordinary_checkpoint_folder(taught: Path) -> None:
    names = {path.name for path in taught.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= names
    assert [path.name for path in taught.parent.iterdir()] == ["teacher"]


def test_no_val_image_is_learnt_from(data: digits.Digits, tmp_path: Path) -> None:
    recipe = digits_teacher.TeacherRecipe(epochs=1)
    data = digits.Digits(data.images_NHW[:400], data.labels_N[:400], data.is_val_N[:400])
    blank = data.images_NHW.copy()
    blank[data.is_val_N] = 0
    labels = data.labels_N.copy()
    labels[data.is_val_N] = 0
    blind = replace(data, images_NHW=blank, labels_N=labels)
    one = digits_teacher.make_teacher(tmp_path / "one", data, recipe) / "model.safetensors"
    other = digits_teacher.make_teacher(tmp_path / "other", blind, recipe) / "model.safetensors"
    assert one.read_bytes() == other.read_bytes()


def test_a_teacher_that_is_there_is_not_taught_again(taught: Path, data: digits.Digits) -> None:
    before = (taught / "model.safetensors").stat().st_mtime_ns
    digits_teacher.make_teacher(taught, data, SHORT)
    assert (taught / "model.safetensors").stat().st_mtime_ns == before
