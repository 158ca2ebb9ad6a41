"""Runs a job to its end or its stop. A killed one goes on at the batch it was at."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from tandem.predict.annotation.classes import mapped, of_dataset
from tandem.predict.annotation.items import Done, Items
from tandem.predict.annotation.lines import Lines
from tandem.predict.annotation.results import Results
from tandem.predict.annotation.sources import Source, Sources
from tandem.predict.answers import Answer
from tandem.predict.predictor import Predictor, load
from tandem.spec.annotation import AnnotationSpec
from tandem.spec.errors import DataError, StoppedError
from tandem.train.sinks.emitter import Emitter

Batch = list[tuple[Source, Answer | DataError, tuple[int, int]]]
TELL_SECONDS = 1.0
Tell = Callable[[int, int, int], None]
"""Done, failed, and how many files there are."""


@dataclass
class Job:
    """One job in this process."""

    spec: AnnotationSpec
    emitter: Emitter
    stop_asked: Callable[[], bool]
    listener: Tell | None = None
    _told_at: float = -TELL_SECONDS

    def run(self) -> tuple[int, int]:
        """All of it, or what is left: (done, failed).

        Raises StoppedError once asked to stop and the batch is written; DataError where the
        input, the classes or the format will not do; StudentError without a model.
        """
        began = time.monotonic()
        spec = self.spec
        self.emitter.emit(
            "started", total_epochs=1, device=str(spec.devices), processes=1, pid=os.getpid()
        )
        predictor = load(spec.model, _device(spec), spec.threshold)
        kind = predictor.config.kind
        known = of_dataset(spec.dataset, kind) if spec.dataset is not None else ()
        results = Results(spec, predictor, mapped(predictor.classes, known), known)
        sources = Sources(spec.input, spec.run_dir, kind, spec.video_every)
        items = Items(spec.run_dir)
        try:
            with closing(Lines(spec.run_dir, items.done)) as lines:
                self._go(predictor, sources, items, results, lines)
            results.close()
            self._tell(items, sources, last=True)
        finally:
            items.close()
        self.emitter.emit(
            "finished",
            seconds=time.monotonic() - began,
            metrics={"processed": items.done, "failed": items.failed},
        )
        return items.done, items.failed

    def _go(
        self,
        predictor: Predictor,
        sources: Sources,
        items: Items,
        results: Results,
        lines: Lines,
    ) -> None:
        """A batch begins where it would have without a break: the numbers are then the same."""
        size = self.spec.batch_size
        begins = items.done // size * size
        batches = predictor.stream(islice(iter(sources), begins, None), size, sources.open)
        for batch in batches:
            self._write(batch, items, results, lines)
            self._tell(items, sources)
            if self.stop_asked():
                batches.close()
                self._tell(items, sources, last=True)
                raise StoppedError(
                    "Stopped after {done} items; it goes on from there.", done=items.done
                )

    def _write(self, batch: Batch, items: Items, results: Results, lines: Lines) -> None:
        done = []
        for source, answer, size in batch:
            if source.index < items.done:
                continue
            label, problem = "", answer.sentence() if isinstance(answer, DataError) else ""
            if not isinstance(answer, DataError):
                try:
                    label, line = results.add(source, answer, size)
                    lines.add(line)
                except DataError as refusal:
                    problem = refusal.sentence()
            done.append(Done(source.index, source.name, problem, label))
        lines.flush()
        items.add(done)

    def _tell(self, items: Items, sources: Sources, *, last: bool = False) -> None:
        now = time.monotonic()
        if not last and now - self._told_at < TELL_SECONDS:
            return
        self._told_at = now
        total = max(sources.count, items.done)
        values = {"succeeded": float(items.done - items.failed), "failed": float(items.failed)}
        self.emitter.emit("metric", epoch=1, step=items.done, total_steps=total, values=values)
        if self.listener is not None:
            self.listener(items.done, items.failed, total)


def _device(spec: AnnotationSpec) -> str:
    return spec.devices if isinstance(spec.devices, str) else f"cuda:{spec.devices[0]}"
