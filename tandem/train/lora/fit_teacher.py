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
from typing import Any, Protocol

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tandem.spec.errors import DataError, NumericError
from tandem.spec.i18n import t
from tandem.spec.run import LoraSpec, RunSpec, TeacherSpec
from tandem.train.data.augment import Views
from tandem.train.data.loader import Plan, batches, worker_count
from tandem.train.knowledge.calibrate import fit_temperature
from tandem.train.knowledge.label_scoring import LabelScoring
from tandem.train.lora.adapted_teachers import AdaptedHfText, AdaptedHfVision, AdaptedQwenVL
from tandem.train.lora.adapter_heads import EncoderLearner, QwenLearner
from tandem.train.registry import find
from tandem.train.teachers.family import HF_TEXT, QWEN_VL, checkpoint_of, family_of
from tandem.train.types import UNLABELLED, ImageTable, ProgressReporter, Teacher

STATE_FILE = "tandem.json"  # written last: a folder without it is not finished
LEAST_HELD_OUT = 10
WARM_UP = 0.1
MAX_GRAD_NORM = 1.0
Rows = NDArray[np.int64]


class AdapterTrainer(Protocol):
    """A teacher with fresh adapters in it."""

    teacher: Any

    def parameters(self) -> list[dict[str, Any]]:
        """Groups for the optimizer, each with a multiple of the learning rate."""
        ...

    def train(self, on: bool) -> None:
        """Dropout on or off."""
        ...

    def logits(self, images_BCHW: Tensor, step: int) -> Tensor:
        """(B, K) with gradient."""
        ...

    def save(self, folder: Path) -> None:
        """A PEFT folder, and what else the adapted teacher reads."""
        ...


@dataclass(frozen=True)
class Lesson:
    """What the adapter learns from."""

    spec: RunSpec
    table: ImageTable
    views: Views
    learn_n: Rows
    held_out_n: Rows
    base: Any
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
    lesson = _lesson(spec, device, table, views)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):  # one process of a run trains, the others find it done
        state = _finished(folder, _key(lesson))
        if state is None:
            losses = _train(lesson, device, folder, progress)
            state = {"key": _key(lesson), "loss_of_each_epoch": losses}
            state |= _calibrate(lesson, device, folder, progress)
            (folder / STATE_FILE).write_text(json.dumps(state), encoding="utf-8")
        else:
            progress.notice(t("The teacher's adapter is read from {folder}.", folder=folder))
    return _open(lesson, device, folder, state["temperature"])


def _lesson(spec: RunSpec, device: torch.device, table: ImageTable, views: Views) -> Lesson:
    assert spec.teacher is not None
    rows = np.flatnonzero(table.labels_N != UNLABELLED)
    if len(np.unique(table.labels_N[rows])) < 2:
        raise DataError(
            "LoRA adapts the teacher on labelled pictures of at least two classes; there are {n}.",
            n=len(np.unique(table.labels_N[rows])),
            fix="Label some pictures, or leave lora.rank at 0.",
        )
    held_out = _kept_back(table.labels_N[rows], spec.teacher.probe_folds, spec.run.seed)
    if held_out.sum() < LEAST_HELD_OUT or not spec.teacher.calibrate:
        held_out[:] = False
    base = find("teachers", family_of(spec.teacher)).make(spec.teacher, device)
    return Lesson(spec, table, views, rows[~held_out], rows[held_out], base)


def _kept_back(labels_n: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.bool_]:
    """Every `folds`-th picture of each class, in a seeded order."""
    order = np.random.default_rng([seed, 7]).permutation(len(labels_n))
    kept = np.zeros(len(labels_n), dtype=bool)
    for cls in np.unique(labels_n):
        of_class = order[labels_n[order] == cls]
        kept[of_class[folds - 1 :: folds]] = True
    return kept


def _key(lesson: Lesson) -> str:
    """Changes with whatever changes the adapter."""
    spec = lesson.spec
    told = lesson.teacher.model_dump(include={"prompt", "label_orders", "probe_folds", "calibrate"})
    digest = blake2b(digest_size=16)
    what = [
        lesson.base.fingerprint,
        told,
        spec.lora.model_dump(),
        spec.run.seed,
        lesson.table.classes,
    ]
    digest.update(json.dumps([*what, lesson.views.fingerprint, lesson.views.count]).encode())
    digest.update(lesson.table.hashes_N.tobytes() + lesson.table.labels_N.tobytes())
    return digest.hexdigest()


def _finished(folder: Path, key: str) -> dict[str, Any] | None:
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return state if state.get("key") == key else None


def _open(lesson: Lesson, device: torch.device, folder: Path, temperature: float) -> Teacher:
    checkpoint, family = checkpoint_of(lesson.teacher), family_of(lesson.teacher)
    if family == QWEN_VL:
        adapted = AdaptedQwenVL(checkpoint, lesson.teacher, device, folder)
        # It was trained on the bare scores: taking a prior off would undo what it learnt.
        return LabelScoring(
            adapted,
            lesson.teacher,
            lesson.table.classes,
            content_free=False,
            temperature=temperature,
        )
    given = (checkpoint, lesson.teacher, device, folder, temperature)
    return AdaptedHfText(*given) if family == HF_TEXT else AdaptedHfVision(*given)


def _train(
    lesson: Lesson, device: torch.device, folder: Path, progress: ProgressReporter
) -> list[float]:
    """Mean loss of each epoch."""
    (folder / STATE_FILE).unlink(missing_ok=True)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(lesson.spec.run.seed)
        learner = _learner(lesson, progress)
        losses = _fit(lesson, learner, progress)
    learner.save(folder)
    learner.teacher.unload()
    return losses


def _learner(lesson: Lesson, progress: ProgressReporter) -> AdapterTrainer:
    lora, table, teacher = lesson.spec.lora, lesson.table, lesson.base
    if family_of(lesson.teacher) == QWEN_VL:
        return QwenLearner(teacher, lora, lesson.teacher, table.classes)
    pooled_nD = np.concatenate(
        [teacher.signals(b.inputs).pooled_BD.cpu().numpy() for b in _once(lesson, progress)]
    )
    teacher.unload()  # int4 weights that have answered on a CPU are packed so that none can learn
    labels_n = table.labels_N[lesson.learn_n]
    return EncoderLearner(teacher, lora, pooled_nD, labels_n, len(table.classes))


def _once(lesson: Lesson, progress: ProgressReporter) -> Iterator[Any]:
    """The rows to learn from, whole, in their order."""
    plan = _chunks(lesson.learn_n, lesson.teacher.batch_size)
    for number, batch in enumerate(_batches(lesson, plan)):
        progress.progress(t("The teacher looks at the labelled pictures"), number, len(plan))
        yield batch


def _fit(lesson: Lesson, adapted: AdapterTrainer, progress: ProgressReporter) -> list[float]:
    """Mean loss of each epoch."""
    lora = lesson.spec.lora
    groups = adapted.parameters()
    optimizer = torch.optim.AdamW(
        [{"params": g["params"], "lr": lora.learning_rate * g["times"]} for g in groups],
        weight_decay=0.0,
    )
    per_epoch = math.ceil(len(lesson.learn_n) / lora.batch_size)
    total = per_epoch * lora.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, total))
    half = adapted.teacher.dtype == torch.float16
    scaler = torch.amp.GradScaler(adapted.teacher.device.type, enabled=half)
    adapted.train(True)
    losses, step = [], 0
    for epoch in range(lora.epochs):
        summed = 0.0
        for batch in _batches(lesson, _shuffled(lesson, lora, epoch)):
            loss = _step(adapted, batch, optimizer, scaler, step)
            if not math.isfinite(loss):
                raise _not_finite(epoch, step)
            schedule.step()
            summed, step = summed + loss * len(batch.labels_B), step + 1
            progress.progress(t("The teacher learns from the labels"), step, total)
        losses.append(summed / len(lesson.learn_n))
    adapted.train(False)
    return losses


def _step(
    adapted: AdapterTrainer, batch: Any, optimizer: torch.optim.Optimizer, scaler: Any, step: int
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


def _shuffled(lesson: Lesson, lora: LoraSpec, epoch: int) -> Plan:
    """Each row once, in a view drawn anew each epoch."""
    random = np.random.default_rng([lesson.spec.run.seed, 11, epoch])
    rows = random.permutation(lesson.learn_n)
    views = random.integers(0, lesson.views.count, len(rows))
    size = lora.batch_size
    return [(rows[i : i + size], views[i : i + size]) for i in range(0, len(rows), size)]


def _chunks(rows: Rows, size: int) -> Plan:
    parts = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [(part, np.zeros_like(part)) for part in parts]


def _batches(lesson: Lesson, plan: Plan) -> Iterator[Any]:
    data = lesson.spec.data
    yield from batches(
        lesson.table,
        lesson.views,
        plan,
        image_size=lesson.base.image_size,
        max_pixels=data.max_image_pixels,
        workers=worker_count(data.workers),
    )


def _calibrate(
    lesson: Lesson, device: torch.device, folder: Path, progress: ProgressReporter
) -> dict[str, float]:
    """The temperature, and how often the adapted teacher is right on what was kept back."""
    rows = lesson.held_out_n
    if len(rows) == 0:
        return {"temperature": 1.0}
    teacher = _open(lesson, device, folder, 1.0)
    plan = _chunks(rows, lesson.teacher.batch_size)
    said = [teacher.signals(b.inputs).logits_BK for b in _batches(lesson, plan)]
    logits_NK = np.concatenate([part.cpu().numpy() for part in said if part is not None])
    teacher.unload()
    labels = lesson.table.labels_N[rows]
    right = float((logits_NK.argmax(1) == labels).mean())
    progress.notice(
        t(
            "The adapted teacher is right on {right} of {count} labelled pictures it did not learn "
            "from.",
            right=f"{right:.1%}",
            count=len(rows),
        )
    )
    return {"temperature": fit_temperature(logits_NK, labels), "held_out_accuracy": right}


def _not_finite(epoch: int, step: int) -> NumericError:
    return NumericError(
        "The loss of the teacher's adapter is not finite at step {step} of epoch {epoch}.",
        step=step,
        epoch=epoch + 1,
        fix="Lower lora.learning_rate, or use teacher.precision bf16 or fp32.",
    )
