"""How quick teacher and student are here: a few of the run's own batches, timed."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch

from tandem.train.cache import kept_bytes, lacking
from tandem.train.cache.teacher_calls import TeacherCalls
from tandem.train.data.loader import BatchPlan, batches, worker_count
from tandem.train.engines.accelerate.context import make_accelerator
from tandem.train.engines.accelerate.optim import make_optimizer
from tandem.train.engines.base import Pace, ResolvedRun
from tandem.train.engines.device import as_inputs, memory_megabytes
from tandem.train.types import Batch, ImageTable, RowIndices, Student

MOST_BATCHES = 10
MOST_SECONDS = 5.0
"""For each part, once it is warm: what is measured is told as an estimate."""


def measure(run: ResolvedRun, student: Student, questions: Sequence[TeacherCalls]) -> Pace:
    """Time a run's student, and what its teacher is asked. What their loading raises."""
    teacher_seconds, looks, size = 0.0, 0, 0
    for calls in questions:
        count = _looks(run, calls)
        size += kept_bytes(calls)
        looks += count
        if count:
            teacher_seconds += count * _look_seconds(calls)
    for calls in questions:
        calls.teacher.unload()
    step = _step_seconds(run, student)
    megabytes = memory_megabytes(run.device_context.device)
    validation = _validation_seconds(run, student)
    return Pace(step, validation, teacher_seconds, looks, size, megabytes)


def _looks(run: ResolvedRun, calls: TeacherCalls) -> int:
    if calls.setup.cache.mode == "on":
        return lacking(calls)
    # Asked in every step; what is measured on is asked once, as the others are.
    times = run.spec.optim.epochs if calls.table is run.splits.train else 1
    return len(calls.table) * times


def _look_seconds(calls: TeacherCalls) -> float:
    """One input in whole batches of the teacher, the decoding beside it included."""
    views, size = calls.request.view_count, calls.setup.batch_size
    rows = _some(len(calls.table), math.ceil(size * MOST_BATCHES / views))
    cut = calls.cut(np.repeat(rows, views), np.tile(np.arange(views), len(rows)))
    device = calls.setup.device
    return _seconds_of_one(_settled(len(batch[0]), device) for batch, _ in calls.stream(cut))


def _step_seconds(run: ResolvedRun, student: Student) -> float:
    """Forward, backward and update of the student itself, on batches as the loader gives them.

    What a loss adds to them is not in it: comparing with a cached teacher takes a few hundredths of
    a step (benchmarks/warm_cache.py).
    """
    context, optim = run.device_context, run.spec.optim
    accelerator = make_accelerator(context, [])
    optimizer = make_optimizer([student], optim)
    model, optimizer = accelerator.prepare(student.to(context.device).train(), optimizer)

    def step(batch: Batch) -> None:
        optimizer.zero_grad(set_to_none=True)
        output = model(as_inputs(batch.inputs, context.device))
        accelerator.backward(output.logits_BK.float().logsumexp(-1).mean())
        optimizer.step()

    rows = _some(len(run.splits.train), optim.batch_size * MOST_BATCHES)
    one = _seconds_of_one(_done(run, run.splits.train, rows, step))
    return one * min(optim.batch_size, len(run.splits.train)) * optim.grad_accum_steps


def _validation_seconds(run: ResolvedRun, student: Student) -> float:
    device = run.device_context.device
    student.eval()

    def look(batch: Batch) -> None:
        with torch.no_grad():
            student(as_inputs(batch.inputs, device))

    val = run.splits.val
    rows = _some(len(val), run.spec.optim.batch_size * MOST_BATCHES)
    return _seconds_of_one(_done(run, val, rows, look))


def _done(
    run: ResolvedRun,
    table: ImageTable,
    rows: RowIndices,
    work: Callable[[Batch], None],
) -> Iterator[int]:
    """How many rows each batch had that was worked on, in the first view of each."""
    spec, size = run.spec, run.spec.optim.batch_size
    parts = [rows[at : at + size] for at in range(0, len(rows), size)]
    plan: BatchPlan = [(part, np.zeros_like(part)) for part in parts]
    stream = batches(
        table,
        run.train_views if table is run.splits.train else run.val_views,
        plan,
        image_size=spec.data.image_size,
        max_pixels=spec.data.max_image_pixels,
        workers=worker_count(spec.data.workers),
    )
    for batch in stream:
        work(batch)
        yield _settled(len(batch.labels_B), run.device_context.device)


def _seconds_of_one(done: Iterable[int]) -> float:
    """The mean over all batches but the first, which loads and compiles; of a lone one, its own."""
    began = time.perf_counter()
    stream = iter(done)
    first = next(stream)
    warm = time.perf_counter()
    rows = 0
    for count in itertools.islice(stream, MOST_BATCHES):
        rows += count
        if time.perf_counter() - warm > MOST_SECONDS:
            break
    now = time.perf_counter()
    return (now - warm) / rows if rows else (warm - began) / first


def _settled(rows: int, device: torch.device) -> int:
    """The rows of a batch, once what was asked of a GPU about them is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return rows


def _some(count: int, most: int) -> RowIndices:
    """At most so many rows, spread evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
