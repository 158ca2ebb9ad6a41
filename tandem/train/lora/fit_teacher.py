"""The first stage of a run with LoRA: the teacher itself learns from the labelled pictures.

A Qwen-VL learns to answer the question of label scoring with the right code; an image encoder
learns with a linear head on its pooled tokens, which starts as its probe (Kumar et al. 2022: a head
fitted first distorts the features least). A part of the labels is kept back for the temperature.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from tandem.spec.errors import DataError, TeacherError
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.train.cache.disk import write_bytes
from tandem.train.data.augment import Views
from tandem.train.knowledge.calibrate import fit_temperature
from tandem.train.knowledge.label_scoring import LabelScoring
from tandem.train.knowledge.probe import Probe
from tandem.train.lora import fit_checkpoint
from tandem.train.lora.adapted_teachers import AdaptedHfText, AdaptedHfVision, AdaptedQwenVL
from tandem.train.lora.adapter_heads import (
    AdapterTrainer,
    EncoderAdapterTrainer,
    LanguageAdapterTrainer,
)
from tandem.train.lora.adapter_task import Adaptable, AdapterTask, whole_views
from tandem.train.lora.fit_checkpoint import FitState
from tandem.train.lora.fit_loop import AdapterFit
from tandem.train.registry import find
from tandem.train.teachers.family import family_of
from tandem.train.teachers.hf_text import HfTextTeacher
from tandem.train.teachers.qwen_vl import QwenVLTeacher
from tandem.train.types import (
    UNLABELLED,
    Batch,
    ImageTable,
    ProgressReporter,
    Teacher,
)

STATE_FILE = "tandem.json"  # written last: a folder without it is not finished
LEAST_HELD_OUT = 10


class _State(TypedDict, total=False):
    """What `STATE_FILE` holds."""

    key: str
    loss_of_each_epoch: list[float]
    temperature: float
    held_out_accuracy: float


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
    again, and one that was stopped or killed in between goes on where it was, with the same result.
    DataError without labels, TeacherError for a target that does not exist, NumericError
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
            write_bytes(folder / STATE_FILE, [memoryview(json.dumps(state).encode())])
        else:
            progress.notice(t("The teacher's adapter is read from {folder}.", folder=folder))
        fit_checkpoint.forget(folder)
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
    begun = _begun(task, folder, progress)
    # The student's own start must not depend on whether a teacher learnt before it.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(task.spec.run.seed)
        trainer = _adapter_trainer(task, progress, goes_on=begun is not None)
        fit = AdapterFit(task, trainer, folder, _key(task), progress)
        if begun is not None:
            fit.restore(begun)
            progress.notice(
                t("The teacher's adapter goes on from epoch {epoch}.", epoch=fit.position.epoch + 1)
            )
        losses = fit.run()
    trainer.save(folder)
    task.base.unload()
    return losses


def _begun(task: AdapterTask, folder: Path, progress: ProgressReporter) -> FitState | None:
    """What an attempt before this one has left of the fit, if it was of this adapter."""
    try:
        return fit_checkpoint.load(folder, _key(task))
    except fit_checkpoint.DamagedFitError as error:
        progress.notice(
            t("A checkpoint is damaged and is passed over: {path}.", path=error), warning=True
        )
        return None


def _adapter_trainer(
    task: AdapterTask, progress: ProgressReporter, *, goes_on: bool
) -> AdapterTrainer:
    """`goes_on`: the head comes from a checkpoint, so that nothing need be looked at for it."""
    lora, table, teacher = task.spec.lora, task.table, task.base
    if isinstance(teacher, QwenVLTeacher):
        return LanguageAdapterTrainer(teacher, lora, task.teacher, table.classes, progress.notice)
    if goes_on:
        return EncoderAdapterTrainer(teacher, lora, len(table.classes), progress.notice)
    pooled = [teacher.signals(batch.inputs).pooled_BD for batch in _once(task, progress)]
    pooled_nD = np.concatenate([one.cpu().numpy() for one in pooled if one is not None])
    teacher.unload()  # int4 weights that have answered on a CPU are packed so that none can learn
    labels_n = table.labels_N[task.learn_n]
    count = len(table.classes)
    probe = Probe.fit(pooled_nD, labels_n, num_classes=count, folds=5, seed=0)
    return EncoderAdapterTrainer(teacher, lora, count, progress.notice, probe)


def _once(task: AdapterTask, progress: ProgressReporter) -> Iterator[Batch]:
    """The rows to learn from, whole, in their order."""
    plan = whole_views(task.learn_n, task.teacher.batch_size)
    for number, batch in enumerate(task.batches(plan)):
        progress.progress(t("The teacher looks at the labelled samples"), number, len(plan))
        yield batch


def _calibrate(
    task: AdapterTask, device: torch.device, folder: Path, progress: ProgressReporter
) -> _State:
    """The temperature, and how often the adapted teacher is right on what was kept back."""
    rows = task.held_out_n
    if len(rows) == 0:
        return {"temperature": 1.0}
    teacher = _open(task, device, folder, 1.0)
    plan = whole_views(rows, task.teacher.batch_size)
    said = [teacher.signals(b.inputs).logits_BK for b in task.batches(plan)]
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
