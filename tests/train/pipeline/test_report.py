"""The report says plainly what the teacher was worth; no name in it acts as Markdown."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from tandem.spec.report import (
    BaselineReport,
    DataReport,
    ReportedMetrics,
    RunReport,
    StudentReport,
    TeacherReport,
)
from tandem.train.pipeline import report as reports
from tandem.train.pipeline.model_card import plain, render
from tests.train.export.models import run_spec, save_model

CLASSES = ["猫", "![x](http://evil/a.png)", "<script>alert(1)</script>\n# Huge | cell"]


@pytest.fixture(autouse=True)
def _english(monkeypatch):
    monkeypatch.setenv("TANDEM_LANG", "en")


def measured(accuracy):
    rows = [
        {"class": name, "precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
        for name in CLASSES
    ]
    matrix = [[2, 1, 0], [0, 2, 7], [0, 0, 2]]
    return ReportedMetrics(
        metrics={"accuracy": accuracy, "f1": 0.5},
        details={"per_class": rows, "confusion_matrix": matrix},
    )


def report(folder, student=0.986, baseline=None, teacher=0.95, won=50, lost=5):
    return RunReport(
        at=datetime(2026, 11, 21, tzinfo=UTC),
        device="cpu",
        seconds=20.0,
        teacher=teacher
        and TeacherReport(
            name="qwen|`rm`",
            parameters=669_000_000,
            fingerprint="f",
            knowledge="probe",
            temperature=1.25,
            measured=measured(teacher),
            forwards=1297,
        ),
        student=StudentReport(
            type="resnet",
            size="resnet18",
            parameters=11_178_051,
            size_bytes=44_800_000,
            measured=measured(student),
            best_epoch=8,
            epochs=10,
            seconds=16.0,
        ),
        baseline=baseline
        and BaselineReport(
            measured=measured(baseline),
            epochs=10,
            seconds=12.0,
            only_student_right=won,
            only_baseline_right=lost,
        ),
        agreement=0.97,
        data=DataReport(
            dataset="digits",
            val_dataset="digits",
            classes=CLASSES,
            train_images=1297,
            labelled_images=100,
            val_images=500,
            notes=["val held out"],
        ),
        spec=run_spec(folder),
    )


def test_a_teacher_that_helped(tmp_path):
    written = reports.write(tmp_path, report(tmp_path, baseline=0.897))
    assert written.verdict.helped is True
    assert written.verdict.sentence == "The teacher helped: 0.986 against 0.897 without it."
    assert written.verdict.warning is None
    assert reports.read(tmp_path) == written
    on_disk = json.loads((tmp_path / "report.json").read_text())
    assert on_disk["versions"]["torch"]
    assert on_disk["spec"]["student"]["size"] == "resnet18"


def test_a_teacher_that_did_not_help(tmp_path):
    found = reports.verdict(report(tmp_path, student=0.46, baseline=0.897, won=3, lost=200))
    assert found.helped is False
    assert found.sentence == "The teacher did not help: 0.460 against 0.897 without it."


def test_a_lead_that_chance_explains_is_no_help(tmp_path):
    found = reports.verdict(report(tmp_path, student=0.9, baseline=0.897, won=12, lost=10))
    assert found.helped is False
    assert found.sentence.startswith("The teacher did not help clearly: 0.900 against 0.897")


def test_a_teacher_worse_than_the_student_alone_is_a_warning(tmp_path):
    found = reports.verdict(report(tmp_path, baseline=0.897, teacher=0.6))
    assert "The teacher (0.600) is worse than the student without it (0.897)" in found.warning
    found = reports.verdict(report(tmp_path, teacher=0.6))
    assert "The teacher (0.600) is worse than its student (0.986)" in found.warning
    assert found.helped is None
    card = render(report(tmp_path).model_copy(update={"verdict": found}))
    assert "> **Warning: The teacher (0.600) is worse" in card


def test_without_a_teacher_nothing_is_claimed(tmp_path):
    found = reports.verdict(report(tmp_path, teacher=None))
    assert (found.helped, found.sentence, found.warning) == (None, None, None)
    assert "Teacher" not in render(report(tmp_path, teacher=None))


def test_the_card_names_what_a_person_must_know_and_replaces_the_models(tmp_path):
    save_model(tmp_path / "final_model")
    reports.write(tmp_path, report(tmp_path, baseline=0.897))
    card = (tmp_path / "final_model" / "README.md").read_text(encoding="utf-8")
    for said in (
        "The teacher helped: 0.986 against 0.897",
        "11.18 million parameters, 44.8 MB",
        "| accuracy | 0.986 | 0.897 | 0.950 |",
        "| class scores from | probe |",
        "| of these labelled | 100 |",
        "| agreement of the student with it | 0.970 |",
    ):
        assert said in card


def test_a_hostile_class_name_stays_a_name(tmp_path):
    card = render(report(tmp_path))
    assert "<script>" not in card
    assert "![x]" not in card
    assert "\n# Huge" not in card
    widths = {line.count(" | ") for line in card.splitlines() if line.startswith("| &lt;script")}
    assert widths == {4}
    assert r"qwen\|\`rm\`" in card
    assert len(plain("长" * 5000)) == 100


@pytest.mark.parametrize(
    ("won", "lost", "p"), [(0, 0, 1.0), (5, 5, 1.0), (8, 2, 0.109375), (10, 0, 2 / 1024)]
)
def test_chance_is_the_exact_sign_test(won, lost, p):
    assert reports.chance(won, lost) == pytest.approx(p)
    assert reports.chance(lost, won) == pytest.approx(p)


def test_agreement_and_who_alone_is_right():
    one, other = np.eye(3)[[0, 1, 2, 0]], np.eye(3)[[0, 2, 2, 1]]
    assert reports.agreement(one, other) == 0.5
    assert reports.agreement(None, other) is None
    assert reports.only_better(np.array([1.0, 0, 1, 0.5]), np.array([0, 1.0, 1, 0])) == (2, 1)


def with_f1(accuracy, by_class):
    rows = [
        {"class": name, "precision": 0.5, "recall": 0.5, "f1": f1, "support": 9}
        for name, f1 in zip(CLASSES, by_class, strict=True)
    ]
    mean = sum(by_class) / len(by_class)
    return ReportedMetrics(
        metrics={"accuracy": accuracy, "f1": mean},
        intervals={"accuracy": (accuracy - 0.02, accuracy + 0.02)},
        details={"per_class": rows},
    )


def test_a_gain_at_the_cost_of_rare_classes_is_told(tmp_path):
    made = report(tmp_path, baseline=0.897)
    student = made.student.model_copy(update={"measured": with_f1(0.95, (0.99, 0.3, 0.52))})
    baseline = made.baseline.model_copy(update={"measured": with_f1(0.9, (0.9, 0.7, 0.5))})
    found = reports.verdict(made.model_copy(update={"student": student, "baseline": baseline}))
    assert found.helped is True
    assert [one.name for one in found.worse] == [CLASSES[1]]
    assert [one.name for one in found.better] == [CLASSES[0]]
    assert "Macro-F1: 0.603 against 0.700." in found.sentence
    assert f"{CLASSES[1]} 0.70 → 0.30 (9)" in found.sentence
    assert "rare classes were lost" in found.warning


def test_the_verdict_is_that_of_the_test_split_where_there_is_one(tmp_path):
    made = report(tmp_path, baseline=0.897)
    student = made.student.model_copy(update={"test": with_f1(0.80, (0.8, 0.8, 0.8))})
    baseline = made.baseline.model_copy(
        update={"test": with_f1(0.90, (0.9, 0.9, 0.9)), "test_only_baseline_right": 30}
    )
    data = made.data.model_copy(update={"test_images": 300})
    made = made.model_copy(update={"student": student, "baseline": baseline, "data": data})
    found = reports.verdict(made)
    assert (found.helped, found.split) == (False, "test")
    assert found.sentence.startswith("On the 300 samples of the test split: The teacher did not")
    assert "0.800 (0.780–0.820)" in render(made)
