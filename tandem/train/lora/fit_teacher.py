"""The first stage of a run with LoRA: the teacher itself learns from the labelled pictures.

A Qwen-VL learns to answer the question of label scoring with the right code; an image encoder
learns with a linear head on its pooled tokens, which starts as its probe (Kumar et al. 2022: a head
fitted first distorts the features least). A part of the labels is kept back for the temperature.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy

from tandem.spec.errors import DataError, NumericError, TeacherError
from tandem.spec.i18n import t
from tandem.spec.run import LoraSpec, RunSpec, TeacherSpec
from tandem.train.data.augment import Views
from tandem.train.data.loader import BatchPlan, batches, worker_count
from tandem.train.knowledge.calibrate import fit_temperature
from tandem.train.knowledge.label_scoring import LabelScoring
from tandem.train.lora.adapted_teachers import AdaptedHfText, AdaptedHfVision, AdaptedQwenVL
from tandem.train.lora.adapter_heads import (
    AdapterTrainer,
    EncoderAdapterTrainer,
    LanguageAdapterTrainer,
)
from tandem.train.registry import find
from tandem.train.teachers.family import family_of
from tandem.train.teachers.hf_text import HfTextTeacher
from tandem.train.teachers.hf_vision import HfVisionTeacher
from tandem.train.teachers.qwen_vl import QwenVLTeacher
from tandem.train.types import (
    UNLABELLED,
    Batch,
    ImageTable,
    ProgressReporter,
    RowIndices,
    Teacher,
)

STATE_FILE = "tandem.json"  # written last: a folder without it is not finished
LEAST_HELD_OUT = 10
WARM_UP = 0.1
MAX_GRAD_NORM = 1.0
Adaptable = QwenVLTeacher | HfVisionTeacher | HfTextTeacher


class _State(TypedDict, total=False):
    """What `STATE_FILE` holds."""

    key: str
    loss_of_each_epoch: list[float]
    temperature: float
    held_out_accuracy: float


@dataclass(frozen=True)
class AdapterTask:
    """What the adapter learns from."""

    spec: RunSpec
    table: ImageTable
    views: Views
    learn_n: RowIndices
    held_out_n: RowIndices
    base: Adaptable
    """The teacher before it learns, opened but not loaded."""

    @property
    def teacher(self) -> TeacherSpec:
        assert self.spec.teacher is not None
        return self.spec.teacher


def adapt(
    spec: RunSpec,
    device: torch.device,
    table: ImageTable,
    views: Views,
    folder: Path,
    progress: ProgressReporter,
) -> Teacher:
    """The teacher with an adapter fitted on the labelled rows; its signals carry `logits_BK`.

    The adapter is a PEFT folder, `folder`; one that the same settings wrote is read, not trained
    again. DataError without labels, TeacherError for a target that does not exist, NumericError
    for a loss that is not finite.
    """
    task = _task(spec, device, table, views)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):  # one process of a run trains, the others find it done
        state = _finished(folder, _key(task))
        if state is None:
            losses = _train(task, device, folder, progress)
            state = {"key": _key(task), "loss_of_each_epoch": losses}
            state.update(_calibrate(task, device, folder, progress))
            (folder / STATE_FILE).write_text(json.dumps(state), encoding="utf-8")
        else:
            progress.notice(t("The teacher's adapter is read from {folder}.", folder=folder))
    return _open(task, device, folder, state["temperature"])


def _task(spec: RunSpec, device: torch.device, table: ImageTable, views: Views) -> AdapterTask:
    assert spec.teacher is not None
    rows = np.flatnonzero(table.labels_N != UNLABELLED)
    if len(np.unique(table.labels_N[rows])) < 2:
        raise DataError(
            "LoRA adapts the teacher on labelled samples of at least two classes; there are {n}.",
            n=len(np.unique(table.labels_N[rows])),
            fix="Label some samples, or leave lora.rank at 0.",
        )
    held_out = _kept_back(table.labels_N[rows], spec.teacher.probe_folds, spec.run.seed)
    if held_out.sum() < LEAST_HELD_OUT or not spec.teacher.calibrate:
        held_out[:] = False
    base = find("teachers", family_of(spec.teacher)).make(spec.teacher, device)
    if not isinstance(base, Adaptable):
        raise TeacherError(
            "LoRA cannot adapt the teacher {name}.",
            name=spec.teacher.name or spec.teacher.path,
            allowed=["qwen_vl", "hf_vision", "hf_text"],
            fix="Set lora.rank to 0.",
        )
    return AdapterTask(spec, table, views, rows[~held_out], rows[held_out], base)


def _kept_back(labels_n: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.bool_]:
    """Every `folds`-th picture of each class, in a seeded order."""
    order = np.random.default_rng([seed, 7]).permutation(len(labels_n))
    kept = np.zeros(len(labels_n), dtype=bool)
    for cls in np.unique(labels_n):
        of_class = order[labels_n[order] == cls]
        kept[of_class[folds - 1 :: folds]] = True
    return kept


def _key(task: AdapterTask) -> str:
    """Changes with whatever changes the adapter."""
    spec = task.spec
    told = task.teacher.model_dump(include={"prompt", "label_orders", "probe_folds", "calibrate"})
    digest = blake2b(digest_size=16)
    what = [
        task.base.fingerprint,
        told,
        spec.lora.model_dump(),
        spec.run.seed,
        task.table.classes,
    ]
    digest.update(json.dumps([*what, task.views.fingerprint, task.views.count]).encode())
    digest.update(task.table.hashes_N.tobytes() + task.table.labels_N.tobytes())
    return digest.hexdigest()


def _finished(folder: Path, key: str) -> _State | None:
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    state: _State = json.loads(path.read_text(encoding="utf-8"))
    return state if state.get("key") == key else None


def _open(task: AdapterTask, device: torch.device, folder: Path, temperature: float) -> Teacher:
    checkpoint = task.base.checkpoint
    if isinstance(task.base, QwenVLTeacher):
        adapted = AdaptedQwenVL(checkpoint, task.teacher, device, folder)
        # It was trained on the bare scores: taking a prior off would undo what it learnt.
        return LabelScoring(
            adapted,
            task.teacher,
            task.table.classes,
            content_free=False,
            temperature=temperature,
        )
    given = (checkpoint, task.teacher, device, folder, temperature)
    reads = isinstance(task.base, HfTextTeacher)
    return AdaptedHfText(*given) if reads else AdaptedHfVision(*given)


def _train(
    task: AdapterTask, device: torch.device, folder: Path, progress: ProgressReporter
) -> list[float]:
    """Mean loss of each epoch."""
    (folder / STATE_FILE).unlink(missing_ok=True)
    # The student's own start must not depend on whether a teacher learnt before it.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(task.spec.run.seed)
        trainer = _adapter_trainer(task, progress)
        losses = _fit(task, trainer, progress)
    trainer.save(folder)
    task.base.unload()
    return losses


def _adapter_trainer(task: AdapterTask, progress: ProgressReporter) -> AdapterTrainer:
    lora, table, teacher = task.spec.lora, task.table, task.base
    if isinstance(teacher, QwenVLTeacher):
        return LanguageAdapterTrainer(teacher, lora, task.teacher, table.classes, progress.notice)
    pooled = [teacher.signals(batch.inputs).pooled_BD for batch in _once(task, progress)]
    pooled_nD = np.concatenate([one.cpu().numpy() for one in pooled if one is not None])
    teacher.unload()  # int4 weights that have answered on a CPU are packed so that none can learn
    labels_n = table.labels_N[task.learn_n]
    count = len(table.classes)
    return EncoderAdapterTrainer(teacher, lora, pooled_nD, labels_n, count, progress.notice)


def _once(task: AdapterTask, progress: ProgressReporter) -> Iterator[Batch]:
    """The rows to learn from, whole, in their order."""
    plan = _chunks(task.learn_n, task.teacher.batch_size)
    for number, batch in enumerate(_batches(task, plan)):
        progress.progress(t("The teacher looks at the labelled samples"), number, len(plan))
        yield batch


def _fit(task: AdapterTask, adapted: AdapterTrainer, progress: ProgressReporter) -> list[float]:
    """Mean loss of each epoch."""
    lora = task.spec.lora
    groups = adapted.parameters()
    optimizer = torch.optim.AdamW(
        [{"params": g["params"], "lr": lora.learning_rate * g["times"]} for g in groups],
        weight_decay=0.0,
    )
    per_epoch = math.ceil(len(task.learn_n) / lora.batch_size)
    total = per_epoch * lora.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, total))
    half = adapted.dtype == torch.float16
    scaler = torch.amp.GradScaler(adapted.device.type, enabled=half)
    adapted.train(True)
    losses, step = [], 0
    for epoch in range(lora.epochs):
        summed = 0.0
        for batch in _batches(task, _shuffled(task, lora, epoch)):
            loss = _step(adapted, batch, optimizer, scaler, step)
            if not math.isfinite(loss):
                raise _not_finite(epoch, step)
            schedule.step()
            summed, step = summed + loss * len(batch.labels_B), step + 1
            progress.progress(t("The teacher learns from the labels"), step, total)
        losses.append(summed / len(task.learn_n))
    adapted.train(False)
    return losses


def _step(
    adapted: AdapterTrainer,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    step: int,
) -> float:
    logits_BK = adapted.logits(batch.inputs, step)
    loss = cross_entropy(logits_BK, batch.labels_B.to(logits_BK.device))
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    for group in optimizer.param_groups:
        nn.utils.clip_grad_norm_(group["params"], MAX_GRAD_NORM)
    scaler.step(optimizer)
    scaler.update()
    return float(loss.detach())


def _rate(step: int, total: int) -> float:
    """Up over the first tenth, then down to nothing: a part of the learning rate."""
    up = max(1, round(WARM_UP * total))
    return min((step + 1) / up, (total - step) / max(1, total - up))


def _shuffled(task: AdapterTask, lora: LoraSpec, epoch: int) -> BatchPlan:
    """Each row once, in a view drawn anew each epoch."""
    random = np.random.default_rng([task.spec.run.seed, 11, epoch])
    rows = random.permutation(task.learn_n)
    views = random.integers(0, task.views.count, len(rows))
    size = lora.batch_size
    return [(rows[i : i + size], views[i : i + size]) for i in range(0, len(rows), size)]


def _chunks(rows: RowIndices, size: int) -> BatchPlan:
    parts = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [(part, np.zeros_like(part)) for part in parts]


def _batches(task: AdapterTask, plan: BatchPlan) -> Iterator[Batch]:
    data = task.spec.data
    yield from batches(
        task.table,
        task.views,
        plan,
        image_size=task.base.image_size,
        max_pixels=data.max_image_pixels,
        workers=worker_count(data.workers),
    )


def _calibrate(
    task: AdapterTask, device: torch.device, folder: Path, progress: ProgressReporter
) -> _State:
    """The temperature, and how often the adapted teacher is right on what was kept back."""
    rows = task.held_out_n
    if len(rows) == 0:
        return {"temperature": 1.0}
    teacher = _open(task, device, folder, 1.0)
    plan = _chunks(rows, task.teacher.batch_size)
    said = [teacher.signals(b.inputs).logits_BK for b in _batches(task, plan)]
    logits_NK = np.concatenate([part.cpu().numpy() for part in said if part is not None])
    teacher.unload()
    labels = task.table.labels_N[rows]
    right = float((logits_NK.argmax(1) == labels).mean())
    progress.notice(
        t(
            "The adapted teacher is right on {right} of {count} labelled samples it did not learn "
            "from.",
            right=f"{right:.1%}",
            count=len(rows),
        )
    )
    if (warning := no_better_than_guessing(right, labels)) is not None:
        progress.notice(warning, warning=True)
    return {"temperature": fit_temperature(logits_NK, labels), "held_out_accuracy": right}


def no_better_than_guessing(right: float, labels_n: NDArray[np.int64]) -> str | None:
    """A warning where always naming the commonest class of `labels_n` is as often right.

    `right` is the share of them that the adapted teacher names; one class alone says nothing.
    """
    counts_K = np.bincount(labels_n)
    guessed = float(counts_K.max() / len(labels_n))
    if right > guessed or guessed == 1:
        return None
    return t(
        "The adapted teacher is no better than naming the commonest class each time ({share}): "
        "its soft labels mislead the student. Train without it (lora.rank 0 takes a probe), or "
        "give it more labels or lora.epochs.",
        share=f"{guessed:.1%}",
    )


def _not_finite(epoch: int, step: int) -> NumericError:
    return NumericError(
        "The loss of the teacher's adapter is not finite at step {step} of epoch {epoch}.",
        step=step,
        epoch=epoch + 1,
        fix="Lower lora.learning_rate, or use teacher.precision bf16 or fp32.",
    )
