"""What a run will take: measured in earlier runs like it, or computed, and which of the two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.datasets.uploads import hash_of
from tandem.server.db.dataset_tables import DatasetRow
from tandem.server.db.tables import Attempt, DelFlag, History, Job, Task
from tandem.server.host import machine
from tandem.spec.i18n import t
from tandem.spec.plugins.students import activations_megabytes, memory_megabytes, sizes
from tandem.spec.run import RunSpec

Device = Literal["cpu", "cuda"]
MOST_RUNS = 50


@dataclass(frozen=True)
class EarlierRun:
    """One run of the same student, batch and image size on the same sort of device."""

    task_id: str
    dataset: str
    megabytes: float | None
    epoch_seconds: float | None


@dataclass(frozen=True)
class Estimate:
    megabytes: float | None
    memory_basis: str
    device: Device
    seconds: float | None
    time_basis: str


def estimate(context: Context, spec: RunSpec) -> Estimate:
    """By the latest run like it."""
    device = device_of(spec)
    with context.database.read() as session:
        runs = _earlier(session, spec, device)
        megabytes, memory_basis = _memory(spec, runs, device)
        seconds, time_basis = _time(session, spec, runs)
    return Estimate(megabytes, memory_basis, device, seconds, time_basis)


def device_of(spec: RunSpec) -> Device:
    """Where it would run here."""
    if spec.run.devices == "cpu":
        return "cpu"
    return "cuda" if isinstance(spec.run.devices, list) or machine.gpus() else "cpu"


def _earlier(session: Session, spec: RunSpec, device: Device) -> list[EarlierRun]:
    """The newest first, with their figures from the data base."""
    slots = (
        Attempt.devices.contains("gpu:") if device == "cuda" else Attempt.devices.contains("cpu")
    )
    similar = (
        select(Task.task_id, Task.dataset_id, Job.spec)
        .join(Job, Job.task_id == Task.task_id)
        .where(
            Task.del_flag == DelFlag.NORMAL,
            Task.student_model_size == spec.student.size,
            Task.batch_size == spec.optim.batch_size,
            Task.current_epoch > 0,
            Job.spec.is_not(None),
            select(Attempt.id).where(Attempt.task_id == Task.task_id, slots).exists(),
        )
        .order_by(Task.id.desc())
        .limit(MOST_RUNS)
    )
    rows = session.execute(similar).all()
    like = {task_id: dataset for task_id, dataset, text in rows if _is_like(spec, text or "")}
    figures = (
        select(History.task_id, func.max(History.memory_usage), func.avg(History.epoch_time))
        .where(History.task_id.in_(like))
        .group_by(History.task_id)
    )
    measured = {task_id: basis for task_id, *basis in session.execute(figures)} if like else {}
    found = []
    for task_id, dataset in like.items():
        megabytes, seconds = measured.get(task_id, (None, None))
        found.append(
            EarlierRun(
                task_id,
                dataset or "",
                float(megabytes) if megabytes else None,
                float(seconds) if seconds else None,
            )
        )
    return found


def _is_like(spec: RunSpec, text: str) -> bool:
    try:
        other = RunSpec.model_validate_json(text)
    except ValueError:  # another version's
        return False
    same = (other.data.image_size, other.run.precision, other.mode, other.student.type)
    return same == (spec.data.image_size, spec.run.precision, spec.mode, spec.student.type)


def _memory(spec: RunSpec, runs: list[EarlierRun], device: Device) -> tuple[float | None, str]:
    measured = next((one for one in runs if one.megabytes), None)
    if measured is not None:
        basis = t(
            "Measured in {task}: the same student, batch and image size.", task=measured.task_id
        )
        return measured.megabytes, basis
    millions = sizes(spec.student.type).get(spec.student.size)
    if millions is None:
        return None, t("No run of this student has been measured, and its size is not known.")
    # Half precision is what `auto` comes to on a GPU; figures are kept in two bytes then.
    half = device == "cuda" and spec.run.precision != "fp32"
    activations = activations_megabytes(spec, 2 if half else 4)
    if activations is None:
        basis = t(
            "An estimate from {millions} million parameters: weights, gradients and the optimizer. "
            "The pictures of a batch and the teacher come on top.",
            millions=millions,
        )
        return memory_megabytes(millions), basis
    basis = t(
        "An estimate from {millions} million parameters (weights, gradients and the optimizer) and "
        "the activations of {batch} samples in a batch. The teacher comes on top.",
        millions=millions,
        batch=spec.optim.batch_size,
    )
    return round(memory_megabytes(millions) + activations, 1), basis


def _time(session: Session, spec: RunSpec, runs: list[EarlierRun]) -> tuple[float | None, str]:
    timed = [one for one in runs if one.epoch_seconds]
    for one in timed:
        if one.dataset == spec.data.dataset and one.epoch_seconds:
            basis = t("Measured in {task}: the same student and data.", task=one.task_id)
            return round(one.epoch_seconds * spec.optim.epochs, 1), basis
    mine = _samples(session, spec.data.dataset)
    for one in timed:
        theirs = _samples(session, one.dataset)
        if mine and theirs and one.epoch_seconds:
            seconds = one.epoch_seconds * mine / theirs * spec.optim.epochs
            basis = t(
                "Scaled from {task}, which learnt {theirs} samples an epoch; here are {mine}.",
                task=one.task_id,
                theirs=theirs,
                mine=mine,
            )
            return round(seconds, 1), basis
    return None, t("Not known: no run of this student, batch and image size was measured here.")


def _samples(session: Session, dataset: str) -> int | None:
    if not dataset or Path(dataset).is_absolute():
        return None
    found = select(DatasetRow.samples).where(DatasetRow.name_hash == hash_of(dataset))
    return session.scalar(found)
