"""The first stage of a run with LoRA: the teacher itself learns from the labelled pictures.

A Qwen-VL learns to answer the question of label scoring with the right code; an image encoder
learns with a linear head on its pooled tokens, which starts as its probe (Kumar et al. 2022: a head
fitted first distorts the features least). Two adapters learn from half of the labels each, so that
every label can be answered, calibrated and measured by the one that has not learnt from it.
"""

from __future__ import annotations

import json
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
from tandem.train.knowledge.probe import Probe, stratified_folds
from tandem.train.lora import fit_checkpoint
from tandem.train.lora.adapted_teachers import AdaptedHfText, AdaptedHfVision, AdaptedQwenVL
from tandem.train.lora.adapter_heads import (
    AdapterTrainer,
    EncoderAdapterTrainer,
    LanguageAdapterTrainer,
)
from tandem.train.lora.adapter_task import (
    Adaptable,
    AdaptedTeacher,
    AdapterTask,
    whole_views,
)
from tandem.train.lora.fit_checkpoint import FitState
from tandem.train.lora.fit_loop import AdapterFit
from tandem.train.lora.two_adapters import BOTH, TwoAdapters
from tandem.train.registry import find
from tandem.train.teachers.family import family_of
from tandem.train.teachers.hf_text import HfTextTeacher
from tandem.train.teachers.qwen_vl import QwenVLTeacher
from tandem.train.types import (
    UNLABELLED,
    ImageTable,
    ProgressReporter,
    RowIndices,
    Signals,
)

STATE_FILE = "tandem.json"  # written last: a folder without it is not finished
VERSION = 2
"""One adapter on four fifths of the labels was 1."""


class _State(TypedDict):
    """What `STATE_FILE` holds."""

    key: str
    loss_of_each_epoch: list[list[float]]
    """One adapter's, then the other's."""
    temperature: float
    held_out_accuracy: float
    probe_accuracy: float


def adapt(
    spec: RunSpec,
    device: torch.device,
    table: ImageTable,
    views: Views,
    folder: Path,
    progress: ProgressReporter,
    group_N: RowIndices | None = None,
) -> AdaptedTeacher:
    """The teacher with two adapters, each fitted on half of the labelled rows.

    `group_N` names rows that stay in one half together (the frames of a clip); else each is alone.
    The adapters are PEFT folders below `folder`; what the same settings wrote is read, not trained
    again, and what was stopped or killed in between goes on where it was, with the same result.
    DataError without labels, TeacherError for a target that does not exist, NumericError for a loss
    that is not finite.
    """
    half_N = _halves(table, np.arange(len(table)) if group_N is None else group_N, spec.run.seed)
    tasks = [_task(spec, device, table, views, half_N, half) for half in (0, 1)]
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):  # one process of a run trains, the others find it done
        state = _finished(folder, _key(tasks[0]))
        if state is None:
            state = _fitted(tasks, device, folder, progress, group_N)
            write_bytes(folder / STATE_FILE, [memoryview(json.dumps(state).encode())])
        else:
            progress.notice(t("The teacher's adapter is read from {folder}.", folder=folder))
        for one in _folders(folder):
            fit_checkpoint.forget(one)
    return AdaptedTeacher(
        TwoAdapters(_open(tasks[0], device, _folders(folder)[0]), _folders(folder)),
        # A row that the first has learnt from is the second one's to answer.
        np.where(half_N == BOTH, BOTH, 1 - half_N),
        state["temperature"],
        state["held_out_accuracy"],
        state["probe_accuracy"],
    )


def _folders(folder: Path) -> tuple[Path, Path]:
    return folder / "half-0", folder / "half-1"


def _halves(table: ImageTable, group_N: RowIndices, seed: int) -> RowIndices:
    """(N,) the half of each labelled row, 0 or 1, of every class alike; `BOTH` without a label."""
    half_N = np.full(len(table), BOTH, np.int64)
    rows = np.flatnonzero(table.labels_N != UNLABELLED)
    if len(np.unique(table.labels_N[rows])) < 2:
        raise DataError(
            "LoRA adapts the teacher on labelled samples of at least two classes; there are {n}.",
            n=len(np.unique(table.labels_N[rows])),
            fix="Label some samples, or leave lora.rank at 0.",
        )
    groups, first, of_group = np.unique(group_N[rows], return_index=True, return_inverse=True)
    half_N[rows] = stratified_folds(table.labels_N[rows][first], 2, seed)[of_group]
    for half in (0, 1):
        if len(np.unique(table.labels_N[half_N == half])) < 2:
            raise DataError(
                "LoRA adapts the teacher on each half of the labels, so that each can be checked "
                "on the other; {n} labelled samples are too few.",
                n=len(groups),
                fix="Label two samples or more of two classes, or leave lora.rank at 0.",
            )
    return half_N


def _task(
    spec: RunSpec,
    device: torch.device,
    table: ImageTable,
    views: Views,
    half_N: RowIndices,
    half: int,
) -> AdapterTask:
    assert spec.teacher is not None
    base = find("teachers", family_of(spec.teacher)).make(spec.teacher, device)
    if not isinstance(base, Adaptable):
        raise TeacherError(
            "LoRA cannot adapt the teacher {name}.",
            name=spec.teacher.name or spec.teacher.path,
            allowed=["qwen_vl", "hf_vision", "hf_text"],
            fix="Set lora.rank to 0.",
        )
    learn_n, held_out_n = np.flatnonzero(half_N == half), np.flatnonzero(half_N == 1 - half)
    return AdapterTask(spec, table, views, learn_n, held_out_n, half, base)


def _key(task: AdapterTask) -> str:
    """Changes with whatever changes the adapter."""
    spec = task.spec
    told = task.teacher.model_dump(include={"prompt", "label_orders", "probe_folds", "calibrate"})
    digest = blake2b(digest_size=16)
    what = [
        VERSION,
        task.base.fingerprint,
        told,
        spec.lora.model_dump(),
        spec.run.seed,
        task.table.classes,
        task.half,
    ]
    digest.update(json.dumps([*what, task.views.fingerprint, task.views.count]).encode())
    digest.update(task.table.hashes_N.tobytes() + task.table.labels_N.tobytes())
    digest.update(task.learn_n.tobytes())
    return digest.hexdigest()


def _finished(folder: Path, key: str) -> _State | None:
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    state: _State = json.loads(path.read_text(encoding="utf-8"))
    return state if state.get("key") == key else None


def _fitted(
    tasks: list[AdapterTask],
    device: torch.device,
    folder: Path,
    progress: ProgressReporter,
    group_N: RowIndices | None,
) -> _State:
    """Fit both, and measure each on the half that it has not seen."""
    (folder / STATE_FILE).unlink(missing_ok=True)
    table, spec = tasks[0].table, tasks[0].spec
    rows = np.sort(np.concatenate([tasks[0].learn_n, tasks[1].learn_n]))
    pooled_nD = _pooled(tasks[0], rows, progress)
    labels_n = table.labels_N[rows]
    losses, logits, labels = [], [], []
    for task, one in zip(tasks, _folders(folder), strict=True):
        one.mkdir(exist_ok=True)
        mine = np.isin(rows, task.learn_n)
        losses.append(_train(task, device, one, progress, pooled_nD[mine]))
        logits.append(_held_out_logits(task, device, one))
        labels.append(table.labels_N[task.held_out_n])
    logits_nK, truth_n = np.concatenate(logits), np.concatenate(labels)
    assert spec.teacher is not None
    folds = spec.teacher.probe_folds
    groups = rows if group_N is None else group_N[rows]
    return _State(
        key=_key(tasks[0]),
        loss_of_each_epoch=losses,
        temperature=fit_temperature(logits_nK, truth_n) if spec.teacher.calibrate else 1.0,
        held_out_accuracy=_told(logits_nK, truth_n, progress),
        probe_accuracy=_probe_accuracy(pooled_nD, labels_n, groups, folds, len(table.classes)),
    )


def _probe_accuracy(
    pooled_nD: NDArray[np.float32],
    labels_n: NDArray[np.int64],
    group_n: RowIndices,
    folds: int,
    classes: int,
) -> float:
    """How often a probe on the teacher's own features is right on rows that its fold left out."""
    _, first, of_group = np.unique(group_n, return_index=True, return_inverse=True)
    folds = min(folds, len(first))
    fold_n = stratified_folds(labels_n[first], folds, 0)[of_group]
    probe = Probe.fit(pooled_nD, labels_n, num_classes=classes, folds=folds, seed=0, fold_n=fold_n)
    said = probe.logits(Signals(pooled_BD=torch.from_numpy(pooled_nD)), fold_n).argmax(1).numpy()
    return float((said == labels_n).mean())


def _open(
    task: AdapterTask, device: torch.device, folder: Path
) -> LabelScoring | AdaptedHfVision | AdaptedHfText:
    """The teacher with one adapter; its class scores are not calibrated."""
    checkpoint = task.base.checkpoint
    if isinstance(task.base, QwenVLTeacher):
        adapted = AdaptedQwenVL(checkpoint, task.teacher, device, folder)
        # It was trained on the bare scores: taking a prior off would undo what it learnt.
        return LabelScoring(
            adapted,
            task.teacher,
            task.table.classes,
            content_free=False,
        )
    given = (checkpoint, task.teacher, device, folder)
    reads = isinstance(task.base, HfTextTeacher)
    return AdaptedHfText(*given) if reads else AdaptedHfVision(*given)


def _train(
    task: AdapterTask,
    device: torch.device,
    folder: Path,
    progress: ProgressReporter,
    pooled_nD: NDArray[np.float32],
) -> list[float]:
    """Mean loss of each epoch. `pooled_nD`: the bare teacher's features of what is learnt from."""
    begun = _begun(task, folder, progress)
    # The student's own start must not depend on whether a teacher learnt before it.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(task.spec.run.seed)
        trainer = _adapter_trainer(task, progress, pooled_nD)
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
    task: AdapterTask, progress: ProgressReporter, pooled_nD: NDArray[np.float32]
) -> AdapterTrainer:
    lora, table, teacher = task.spec.lora, task.table, task.base
    if isinstance(teacher, QwenVLTeacher):
        return LanguageAdapterTrainer(teacher, lora, task.teacher, table.classes, progress.notice)
    count = len(table.classes)
    probe = Probe.fit(pooled_nD, table.labels_N[task.learn_n], num_classes=count, folds=5, seed=0)
    return EncoderAdapterTrainer(teacher, lora, count, progress.notice, probe)


def _pooled(task: AdapterTask, rows: RowIndices, progress: ProgressReporter) -> NDArray[np.float32]:
    """(n, D): the bare teacher's features of these rows, whole, in their order."""
    plan = whole_views(rows, task.teacher.batch_size)
    pooled = []
    for number, batch in enumerate(task.batches(plan)):
        progress.progress(t("The teacher looks at the labelled samples"), number, len(plan))
        signals = task.base.signals(batch.inputs)
        assert signals.pooled_BD is not None
        pooled.append(signals.pooled_BD.cpu().numpy())
    task.base.unload()  # int4 weights that have answered on a CPU are packed so that none can learn
    return np.concatenate(pooled)


def _held_out_logits(task: AdapterTask, device: torch.device, folder: Path) -> NDArray[np.float32]:
    """What one adapter says of the half that it has not learnt from."""
    teacher = _open(task, device, folder)
    plan = whole_views(task.held_out_n, task.teacher.batch_size)
    said = [teacher.signals(batch.inputs).logits_BK for batch in task.batches(plan)]
    teacher.unload()
    return np.concatenate([part.cpu().numpy() for part in said if part is not None])


def _told(
    logits_nK: NDArray[np.float32], labels_n: NDArray[np.int64], progress: ProgressReporter
) -> float:
    right = float((logits_nK.argmax(1) == labels_n).mean())
    progress.notice(
        t(
            "The adapted teacher is right on {right} of {count} labelled samples it did not learn "
            "from.",
            right=f"{right:.1%}",
            count=len(labels_n),
        )
    )
    if (warning := no_better_than_guessing(right, labels_n)) is not None:
        progress.notice(warning, warning=True)
    return right


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
