"""The service of the annotation jobs' tests, which has a real trained model."""

from datetime import UTC, datetime

import pytest

from tandem.spec.report import DataReport, ReportedMetrics, RunReport, StudentReport, TeacherReport
from tandem.train.pipeline import report
from tests.server.annotation.conftest import model, service, until
from tests.train.export.models import CLASSES, run_spec

__all__ = ["model", "service", "until"]


@pytest.fixture
def reported(home, service):
    """TASK_1's run with its report, as `train.report` writes it; its data has been taken away."""
    folder = home / "runs" / "TASK_1"
    spec = run_spec(folder)
    (folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
    metrics = {"accuracy": 0.715, "latency_milliseconds": 1.5}
    student = StudentReport(
        type="resnet", size="resnet18", parameters=11_178_051, size_bytes=44_000_000, epochs=1,
        seconds=1, measured=ReportedMetrics(metrics=metrics), best_epoch=1,
    )  # fmt: skip
    teacher = TeacherReport(
        name="q", parameters=1, fingerprint="f", knowledge="probe", forwards=1,
        measured=ReportedMetrics(metrics={"accuracy": 0.9}),
    )  # fmt: skip
    data = DataReport(
        dataset="pets", val_dataset="pets", classes=CLASSES, train_images=4, labelled_images=4,
        val_images=4,
    )  # fmt: skip
    said = RunReport(
        at=datetime.now(UTC), device="cpu", seconds=1, student=student, teacher=teacher,
        data=data, spec=spec,
    )  # fmt: skip
    report.write(folder, said)
    return folder
