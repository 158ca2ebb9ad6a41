"""LoRA: the teacher learns an easy task, says it afterwards, and is read back as it was."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tandem.spec.errors import DataError, NumericError, TeacherError
from tandem.spec.run import DataSpec, ExecutionSpec, LoraSpec, RunSpec, TeacherSpec, ViewSpec
from tandem.train.data.augment import Views
from tandem.train.knowledge.own import OwnLogits
from tandem.train.lora.fit_teacher import adapt, no_better_than_guessing
from tandem.train.lora.two_adapters import BOTH, CrossFitLogits
from tandem.train.types import SilentProgress
from tests.train.teachers.folders import (
    CPU,
    build_encoder,
    coloured_table,
    open_teacher,
    random_images,
)


class Listener(SilentProgress):
    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, message: str, warning: bool = False) -> None:
        self.notices.append(message)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    table = coloured_table(tmp_path_factory.mktemp("coloured"))
    views = ViewSpec(count=2)
    return SimpleNamespace(table=table, views=Views.draw(table, views), view_spec=views)


def adapted(
    lesson,
    path,
    folder: Path,
    *,
    teacher=None,
    watcher=None,
    table=None,
    seed=0,
    group_N=None,
    whole=False,
    **lora,
):
    """The adapted teacher; `whole`: with the rest that `adapt` gives."""
    lora = {"rank": 8, "learning_rate": 1e-2, "epochs": 6, "batch_size": 4} | lora
    given = {"image_size": 56, "label_orders": 2, "probe_folds": 3, "precision": "fp32"}
    spec = RunSpec(
        task_id="lora",
        data=DataSpec(dataset="coloured", workers=0),
        teacher=TeacherSpec(path=str(path), **(given | (teacher or {}))),
        lora=LoraSpec(**lora),
        views=lesson.view_spec,
        run=ExecutionSpec(output_dir=folder, seed=seed),
    )
    watcher = watcher or SilentProgress()
    found = adapt(spec, CPU, table or lesson.table, lesson.views, folder, watcher, group_N)
    return found if whole else found.teacher


def shown(lesson, teacher):
    rows = np.arange(len(lesson.table))
    side = teacher.image_size
    images = [
        lesson.table.shown(lesson.views, row, lesson.views.params(row, [0]), side, 10**8)[0]
        for row in rows.tolist()
    ]
    return teacher.signals(torch.from_numpy(np.stack(images)).float() / 255)


def accuracy(signals, rows=slice(None), knowledge=CrossFitLogits(1.0)) -> float:
    said = knowledge.logits(signals, None)
    truth = torch.arange(len(said)) % 3
    return float((said.argmax(1) == truth)[rows].float().mean())


def test_a_qwen_learns_to_answer(checkpoints, lesson, tmp_path):
    watcher = Listener()
    folder = tmp_path / "teacher"
    teacher = adapted(lesson, checkpoints["qwen2_5_vl"], folder, watcher=watcher, epochs=12)
    state = json.loads((folder / "tandem.json").read_text())
    for losses in state["loss_of_each_epoch"]:
        assert losses[-1] < 0.9 * losses[0]
    assert state["held_out_accuracy"] > 0.75
    assert state["temperature"] != 1.0
    assert "36 labelled samples it did not learn from" in watcher.notices[-1]
    signals = shown(lesson, teacher)
    assert accuracy(signals, slice(36, None)) > 0.75  # without a label in the table
    before = shown(lesson, untaught(checkpoints["qwen2_5_vl"], lesson))
    assert accuracy(before, knowledge=OwnLogits("label_scoring")) < 0.7
    assert torch.equal(before.tokens_BHWD, signals.tokens_BHWD)  # its tower was not adapted


def untaught(path, lesson):
    from tandem.train.knowledge.label_scoring import LabelScoring

    spec = TeacherSpec(path=str(path), image_size=56, precision="fp32")
    return LabelScoring(open_teacher(path, image_size=56), spec, lesson.table.classes)


def test_an_encoder_learns_with_a_head(checkpoints, lesson, tmp_path):
    path = checkpoints["dinov2"]
    teacher = adapted(lesson, path, tmp_path, learning_rate=1e-3, epochs=2)
    assert "logits" in teacher.gives
    signals = shown(lesson, teacher)
    assert accuracy(signals, slice(36, None)) > 0.9
    plain = open_teacher(path, image_size=56)
    images = random_images(2, 56)
    assert not torch.equal(plain.signals(images).tokens_BHWD, teacher.signals(images).tokens_BHWD)
    assert plain.fingerprint != teacher.fingerprint


@pytest.mark.parametrize("name", ["qwen3_vl", "siglip"])
def test_a_finished_adapter_is_read_and_not_trained_again(checkpoints, lesson, tmp_path, name):
    first = adapted(lesson, checkpoints[name], tmp_path, epochs=1)
    written = (tmp_path / "half-1" / "adapter_model.safetensors").stat().st_mtime_ns
    watcher = Listener()
    second = adapted(lesson, checkpoints[name], tmp_path, epochs=1, watcher=watcher)
    assert "is read from" in watcher.notices[0]
    assert (tmp_path / "half-1" / "adapter_model.safetensors").stat().st_mtime_ns == written
    one, two = shown(lesson, first), shown(lesson, second)
    assert torch.equal(one.logits_BK, two.logits_BK)
    assert torch.equal(one.tokens_BHWD, two.tokens_BHWD)
    assert (first.fingerprint, first.logits_key) == (second.fingerprint, second.logits_key)
    first.unload()
    assert torch.equal(shown(lesson, first).logits_BK, one.logits_BK)


def test_another_setting_or_a_stop_in_the_middle_trains_anew(checkpoints, lesson, tmp_path):
    path = checkpoints["vit"]
    first = adapted(lesson, path, tmp_path, epochs=1).fingerprint
    (tmp_path / "tandem.json").unlink()
    (tmp_path / "half-0" / "head.safetensors").unlink()
    watcher = Listener()
    again = adapted(lesson, path, tmp_path, epochs=1, watcher=watcher).fingerprint
    assert again == first  # seeded: the same weights, bit for bit
    assert adapted(lesson, path, tmp_path, epochs=1, seed=1, watcher=watcher).fingerprint != first
    assert not any("is read from" in one for one in watcher.notices)


def names_in(folder):
    with safe_open(folder / "half-0" / "adapter_model.safetensors", framework="pt") as file:
        return list(file.keys())


def test_targets_layers_and_bias_decide_what_is_adapted(checkpoints, lesson, tmp_path):
    path = checkpoints["qwen2_5_vl"]
    tower = tmp_path / "tower"
    teacher = adapted(
        lesson, path, tower, target_modules=["qkv", "q_proj"], layers="1-2", epochs=1,
        bias="lora_only",
    )  # fmt: skip
    names = names_in(tower)
    assert any("visual.blocks.2.attn.qkv.lora_A" in name for name in names)
    assert any("language_model.layers.1.self_attn.q_proj.lora_B" in name for name in names)
    assert any(name.endswith("qkv.base_layer.bias") or "qkv.bias" in name for name in names)
    assert not any(".0." in name or ".3." in name for name in names)
    images = random_images(2, 56)
    plain = open_teacher(path, image_size=56).signals(images)
    assert not torch.equal(plain.tokens_BHWD, teacher.signals(images).tokens_BHWD)
    assert not torch.equal(plain.pooled_BD, teacher.signals(images).pooled_BD)


@pytest.mark.parametrize(
    ("name", "precision", "bias"),
    [("qwen2_5_vl", "int4", "none"), ("vit", "int8", "all"), ("wide_vit", "int4", "none")],
)
def test_adapters_on_quantized_weights(checkpoints, lesson, tmp_path, name, precision, bias):
    path = build_encoder(name, tmp_path / "v") if name == "wide_vit" else checkpoints[name]
    teacher = adapted(lesson, path, tmp_path, teacher={"precision": precision}, bias=bias, epochs=1)
    logits = shown(lesson, teacher).logits_BK
    assert torch.isfinite(logits).all()
    teacher.unload()
    assert torch.equal(shown(lesson, teacher).logits_BK, logits)


def test_a_target_that_does_not_exist_is_refused_with_those_that_do(checkpoints, lesson, tmp_path):
    with pytest.raises(TeacherError) as error:
        adapted(lesson, checkpoints["qwen2_5_vl"], tmp_path, target_modules=["wq", "v_proj"])
    sentence = str(error.value)
    assert "no layer wq for LoRA" in sentence
    assert all(name in sentence for name in ("q_proj", "o_proj", "qkv", "all-linear"))
    assert not (tmp_path / "tandem.json").exists()


@pytest.mark.parametrize("name", ["dinov2", "qwen2_5_vl"])
def test_a_row_is_answered_by_the_adapter_that_has_not_learnt_from_it(
    checkpoints, lesson, tmp_path, name
):
    path = checkpoints[name]
    both = adapted(lesson, path, tmp_path, whole=True, epochs=2, learning_rate=1e-3)
    labelled = lesson.table.labels_N >= 0
    assert (both.fold_N[~labelled] == BOTH).all()
    assert sorted(np.bincount(both.fold_N[labelled])) == [18, 18]
    signals = shown(lesson, both.teacher)
    first_NK, second_NK = signals.logits_BK.chunk(2, 1)
    assert not torch.equal(first_NK, second_NK)
    folds = torch.from_numpy(both.fold_N)
    logits_NK = CrossFitLogits(2.0).logits(signals, both.fold_N)
    assert torch.equal(logits_NK[folds == 0], first_NK[folds == 0] / 2)
    assert torch.equal(logits_NK[folds == 1], second_NK[folds == 1] / 2)
    mean = (first_NK / 2).softmax(1) + (second_NK / 2).softmax(1)
    torch.testing.assert_close(logits_NK.softmax(1)[folds == BOTH], (mean / 2)[folds == BOTH])
    # What the adapters were measured with is what the student is given.
    right = (logits_NK.argmax(1).numpy() == lesson.table.labels_N)[labelled].mean()
    assert right == pytest.approx(both.accuracy)


def test_frames_of_a_clip_stay_in_one_half(checkpoints, lesson, tmp_path):
    clips = np.arange(len(lesson.table)) // 6  # three frames of each class a clip: none is pure
    labels = np.where(np.arange(len(lesson.table)) < 36, clips % 2, -1)
    table = replace(lesson.table, labels_N=labels, classes=("a", "b"))
    both = adapted(
        lesson, checkpoints["vit"], tmp_path, whole=True, table=table, group_N=clips, epochs=1
    )
    for clip in range(6):
        assert len(set(both.fold_N[clips == clip].tolist())) == 1
    assert set(both.fold_N.tolist()) == {0, 1, BOTH}


@pytest.mark.parametrize("layers", ["0-9", "3-1", "some"])
def test_layers_that_do_not_exist_are_refused(checkpoints, lesson, tmp_path, layers):
    with pytest.raises(TeacherError, match=f"Got: {layers}.*Allowed: all, 0-1"):
        adapted(lesson, checkpoints["qwen2_5_vl"], tmp_path, layers=layers)


def test_a_loss_that_is_not_finite_stops(checkpoints, lesson, tmp_path):
    folder = shutil.copytree(checkpoints["qwen2_5_vl"], tmp_path / "broken")
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][0] = float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(NumericError, match="not finite at step 0 of epoch 1"):
        adapted(lesson, folder, tmp_path / "teacher")
    assert not (tmp_path / "teacher" / "tandem.json").exists()


def test_labels_of_one_class_are_refused(checkpoints, lesson, tmp_path):
    labels = lesson.table.labels_N.copy()
    labels[labels > 0] = -1
    one_class = replace(lesson.table, labels_N=labels)
    with pytest.raises(DataError, match="at least two classes; there are 1"):
        adapted(lesson, checkpoints["vit"], tmp_path, table=one_class)


@pytest.mark.parametrize(
    ("right", "labels", "warns"),
    [(0.0, [0, 1, 2], True), (0.5, [0, 0, 1, 1], True), (0.75, [0, 0, 1, 1], False),
     (0.7, [0, 0, 0, 1], True), (0.5, [1, 1], False)],
)  # fmt: skip
def test_a_teacher_no_better_than_guessing_is_told(right, labels, warns):
    said = no_better_than_guessing(right, np.array(labels))
    assert (said is not None) == warns
    assert said is None or "commonest class" in said
