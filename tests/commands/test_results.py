"""predict, report and export, on a model that a run could have written."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from tandem.cli import app
from tandem.commands.guard import guarded
from tandem.spec.report import DataReport, ReportedMetrics, RunReport, StudentReport
from tandem.spec.run import RunSpec
from tandem.train.export import final_model
from tandem.train.pipeline import report
from tandem.train.registry import find

CLASSES = ("cat", "dog")


@pytest.fixture
def run(home: Path) -> Path:
    """A finished run `runs/job`: a ResNet that has learnt nothing, and its report."""
    folder = home / "runs" / "job"
    folder.mkdir(parents=True)
    spec = RunSpec.model_validate(
        {
            "task_id": "job",
            "mode": "direct",
            "data": {"dataset": "d", "image_size": 32},
            "student": {"type": "resnet", "size": "resnet18"},
            "run": {"output_dir": folder},
        }
    )
    (folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
    torch.manual_seed(0)
    student = find("students", "resnet").make(spec.student, 2, 32)
    metrics = {"accuracy": 0.75, "latency_milliseconds": 1.5}
    final_model.save(
        student, folder / "final_model", spec=spec, classes=CLASSES, metrics=metrics, card=""
    )
    said = StudentReport(
        type="resnet", size="resnet18", parameters=11_000_000, size_bytes=1, epochs=1, seconds=1,
        measured=ReportedMetrics(metrics=metrics), best_epoch=1,
    )  # fmt: skip
    data = DataReport(
        dataset="d", val_dataset="d", classes=list(CLASSES), train_images=4, labelled_images=4,
        val_images=4,
    )  # fmt: skip
    at = datetime.now(UTC)
    report.write(
        folder, RunReport(at=at, device="cpu", seconds=1, student=said, data=data, spec=spec)
    )
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("b.png", "a.png"):
        Image.new("RGB", (20, 30), (200, 10, 10)).save(folder / name)
    return folder


def tandem(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def test_predict_says_label_confidence_and_probabilities(run: Path, images: Path) -> None:
    for model in ("job", run, run / "final_model"):
        done = tandem("predict", model, images, "--json")
        assert done.exit_code == 0
        rows = json.loads(done.stdout)
        assert [Path(row["path"]).name for row in rows] == ["a.png", "b.png"]
        for row in rows:
            assert set(row["probabilities"]) == set(CLASSES)
            assert row["confidence"] == max(row["probabilities"].values())
            assert row["probabilities"][row["label"]] == row["confidence"]
    table = list(csv.DictReader(tandem("predict", "job", images, "--csv").stdout.splitlines()))
    assert [row["label"] for row in table] == [row["label"] for row in rows]
    assert {"path", "label", "confidence", *CLASSES} == table[0].keys()


def test_predict_goes_on_after_a_file_that_is_no_image(run: Path, images: Path) -> None:
    (images / "c.png").write_text("no picture")
    done = tandem("predict", "job", images, "--json")
    assert done.exit_code == 2
    assert "c.png" in done.stderr
    assert len(json.loads(done.stdout)) == 2


def test_report_prints_the_run_s_figures(run: Path) -> None:
    said = tandem("report", "job").stdout
    assert "resnet18" in said
    assert "0.750" in said
    assert str(run / "final_model") in said
    assert json.loads(tandem("report", run, "--json").stdout)["student"]["size"] == "resnet18"


def test_export_writes_an_onnx_file_that_predicts_alike(
    run: Path, images: Path, tmp_path: Path
) -> None:
    target = tmp_path / "m.onnx"
    assert "m.onnx" in tandem("export", "job", "-o", target).stdout
    ours = json.loads(tandem("predict", "job", images, "--json").stdout)
    theirs = json.loads(tandem("predict", target, images, "--json").stdout)
    for one, other in zip(ours, theirs, strict=True):
        assert one["label"] == other["label"]
        assert one["confidence"] == pytest.approx(other["confidence"], abs=1e-4)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["report", "nojob"], "There is no run or model nojob"),
        (["predict", "nojob", "."], "There is no run or model nojob"),
        (["export", "job", "--format", "tflite", "-o", "x"], "Allowed: onnx, int8."),
        (["report", "job", "--send"], "It is not known where to deliver the run"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    run: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(lambda: app(words)) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert says in said[0]


def test_a_run_that_has_not_finished_has_no_report(run: Path) -> None:
    (run / "report.json").unlink()
    with pytest.raises(Exception, match="it has not finished"):
        tandem("report", "job")
