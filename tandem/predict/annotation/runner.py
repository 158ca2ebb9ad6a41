"""Runs a job to its end or its stop. A killed one goes on at the batch it was at."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from tandem.predict.annotation.classes import dataset_classes, map_classes
from tandem.predict.annotation.inputs import InputItem, InputListing
from tandem.predict.annotation.items_file import ItemOutcome, ItemsFile
from tandem.predict.annotation.label_writer import LabelWriter
from tandem.predict.annotation.results_file import ResultsFile
from tandem.predict.pipeline import AnsweredSource
from tandem.predict.predictor import Predictor, load
from tandem.spec.annotation import AnnotationSpec
from tandem.spec.errors import DataError, StoppedError
from tandem.train.sinks.emitter import Emitter

AnsweredBatch = list[AnsweredSource[InputItem]]
REPORT_SECONDS = 1.0
ProgressListener = Callable[[int, int, int], None]
"""Done, failed, and how many files there are."""


@dataclass
class AnnotationRun:
    """One job in this process."""

    spec: AnnotationSpec
    emitter: Emitter
    stop_asked: Callable[[], bool]
    listener: ProgressListener | None = None
    _reported_at: float = -REPORT_SECONDS

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
        known = dataset_classes(spec.dataset, kind) if spec.dataset is not None else ()
        labels = LabelWriter(spec, predictor, map_classes(predictor.classes, known), known)
        sources = InputListing(spec.input, spec.run_dir, kind, spec.video_every, labels.outputs)
        items = ItemsFile(spec.run_dir)
        try:
            with closing(ResultsFile(spec.run_dir, items.done)) as lines:
                self._go(predictor, sources, items, labels, lines)
            labels.close()
            self._report(items, sources, last=True)
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
        sources: InputListing,
        items: ItemsFile,
        labels: LabelWriter,
        lines: ResultsFile,
    ) -> None:
        """A batch begins where it would have without a break: the numbers are then the same."""
        size = self.spec.batch_size
        begins = items.done // size * size
        batches = predictor.stream(islice(iter(sources), begins, None), size, sources.open)
        for batch in batches:
            self._write(batch, items, labels, lines)
            self._report(items, sources)
            if self.stop_asked():
                batches.close()
                self._report(items, sources, last=True)
                raise StoppedError(
                    "Stopped after {done} items; it goes on from there.", done=items.done
                )

    def _write(
        self, batch: AnsweredBatch, items: ItemsFile, labels: LabelWriter, lines: ResultsFile
    ) -> None:
        done = [self._write_one(one, labels, lines) for one in batch if one[0].index >= items.done]
        # The items come last: one that is listed as done has its label and its line.
        lines.flush()
        items.add(done)

    def _write_one(
        self, answered: AnsweredSource[InputItem], labels: LabelWriter, lines: ResultsFile
    ) -> ItemOutcome:
        source, answer, size = answered
        label = problem = ""
        try:
            if isinstance(answer, DataError):
                raise answer
            label, line = labels.add(source, answer, size)
            lines.add(line)
        except DataError as fault:
            problem = fault.sentence()
        return ItemOutcome(source.index, source.name, problem, label)

    def _report(self, items: ItemsFile, sources: InputListing, *, last: bool = False) -> None:
        now = time.monotonic()
        if not last and now - self._reported_at < REPORT_SECONDS:
            return
        self._reported_at = now
        total = max(sources.count, items.done)
        values = {"succeeded": float(items.done - items.failed), "failed": float(items.failed)}
        self.emitter.emit("metric", epoch=1, step=items.done, total_steps=total, values=values)
        if self.listener is not None:
            self.listener(items.done, items.failed, total)


def _device(spec: AnnotationSpec) -> str:
    return spec.devices if isinstance(spec.devices, str) else f"cuda:{spec.devices[0]}"
