"""Of every kind, `tandem evaluate` says of a run's model what the run's own report says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tandem.cli import app
from tandem.train.pipeline import report as reports
from tests.conftest import Specs, make_clips, make_texts
from tests.train.detection import runs as detection_runs
from tests.train.engines.runs import run_here
from tests.train.kinds import made
from tests.train.yolo.drawn import write_yolo

ONE_EPOCH = {"epochs": 1, "batch_size": 8, "learning_rate": 1e-3}
HOW_QUICK = {"latency_milliseconds", "throughput_images_per_second"}
"""Told by a run's report alone."""


def texts(folder: Path, spec_of: Specs) -> dict:
    student = {"type": "bert", "size": "bert-mini", "max_tokens": 16}
    return spec_of(data={"dataset": str(make_texts(folder))}, student=student, optim=ONE_EPOCH)


def clips(folder: Path, spec_of: Specs) -> dict:
    return spec_of(
        data={"dataset": str(make_clips(folder)), "image_size": 32},
        student={"type": "lstm", "size": "lstm-small", "frames": 3},
        optim=ONE_EPOCH,
    )


def masks(folder: Path, spec_of: Specs) -> dict:
    # Of another size than the student's: both count the pixels of the images as they lie there.
    data = made.masks(folder, train=6, val=4, size=72)
    return spec_of(
        data={"dataset": str(data), "image_size": 64},
        student={"type": "unet", "size": "small"},
        optim=ONE_EPOCH,
    )


def boxes(folder: Path, spec_of: Specs) -> dict:  # noqa: ARG001
    return detection_runs.spec_of(
        write_yolo(folder, train=16, val=8),
        folder.parent / "run",
        optim__epochs=4,
        optim__batch_size=4,
        optim__learning_rate=4e-3,
    )


@pytest.mark.parametrize(
    ("kind", "make", "figure"),
    [
        ("text", texts, "accuracy"),
        ("sequence", clips, "accuracy"),
        ("segmentation", masks, "miou"),
        ("detection", boxes, "map50"),
    ],
)
def test_it_says_what_the_report_says(
    kind: str, make: Callable[[Path, Specs], dict], figure: str, tmp_path: Path, spec_of: Specs
) -> None:
    spec = make(tmp_path / "data", spec_of)
    spec |= {"kind": kind, "mode": "direct", "teacher": None}
    spec["report"] = {"tensorboard": False, "baseline": False}
    assert run_here(spec, tmp_path) == 0
    reported = reports.read(tmp_path / "run")

    asked = ["evaluate", str(tmp_path / "run"), str(tmp_path / "data"), "--split", "val", "--json"]
    said = CliRunner().invoke(app, asked)
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout)
    assert (told["kind"], told["samples"]) == (kind, reported.data.val_images)
    measured, theirs = told["measured"], reported.student.measured
    # A temperature is fitted by a run alone.
    shared = {
        name
        for name in theirs.metrics
        if not name.endswith("_cross_fitted") and name not in HOW_QUICK
    }
    assert figure in shared <= measured["metrics"].keys()
    for name in shared:
        assert measured["metrics"][name] == pytest.approx(theirs.metrics[name], abs=1e-5), name
    assert measured["intervals"].keys() == theirs.intervals.keys() >= {figure}
    for name, ends in theirs.intervals.items():
        assert measured["intervals"][name] == pytest.approx(ends, abs=1e-5), name
    assert [one["class"] for one in measured["details"]["per_class"]] == reported.data.classes
