"""What the engines of detectors share, whichever loop learns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from tandem.spec.errors import SpecError
from tandem.spec.run import RunSpec
from tandem.train import kinds
from tandem.train.data.boxes import detection_splits
from tandem.train.detection.evaluation.evaluate import evaluate, letterboxed
from tandem.train.engines.base import ResolvedRun
from tandem.train.engines.stop import EvaluationStoppedError, StoppedEarlyError
from tandem.train.kinds.base import EvalResult, Kind
from tandem.train.types import Splits, Student


class DetectorEngine:
    """The parts of `engines.base.Engine` that are alike for one detector in one process."""

    def choose_kind(self, spec: RunSpec) -> Kind:
        if spec.kind not in (None, "detection"):
            raise SpecError(
                "The student {student} does not learn {kind}.",
                student=spec.student.type,
                kind=spec.kind,
                allowed=["detection"],
            )
        return kinds.find("detection")

    def check_data(self, spec: RunSpec, kind: Kind, splits: Splits) -> None:
        """Nothing: the kind has looked for boxes as it read."""

    def check_teacher(self, run: ResolvedRun) -> None:
        """Nothing: what it can be asked, the spec has settled."""

    def evaluate(self, run: ResolvedRun, student: Student) -> EvalResult:
        """One image at a time, as an exported file is used."""
        val = detection_splits(run.splits).val_boxes
        return evaluate(student, val, run.device_context.device, 1, run.stop, run.thresholds)

    def inputs(self, run: ResolvedRun, rows: Iterable[int], image_size: int) -> Iterator[Tensor]:
        train = detection_splits(run.splits).train_boxes
        for row in rows:
            canvas, _ = letterboxed(train, row, image_size)
            yield canvas[None]


def evaluated(run: ResolvedRun, student: Student, last_saved: str) -> EvalResult:
    """By COCO's rules, once: the loop's own quicker figures have chosen the best epoch."""
    device = run.device_context.device
    val = detection_splits(run.splits).val_boxes
    try:
        return evaluate(student.to(device), val, device, run.spec.optim.batch_size, run.stop)
    except EvaluationStoppedError:
        # All steps are done and saved: starting again only measures.
        raise StoppedEarlyError(
            "Stopped on request while measuring; the checkpoint {name} is kept.",
            name=last_saved or "-",
            fix="Start again with the same arguments to go on.",
        ) from None
