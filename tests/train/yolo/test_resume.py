"""A detector that goes on where data or settings are others than they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.spec.errors import OutputFolderError, StoppedError
from tests.train.yolo.drawn import write_yolo
from tests.train.yolo.runs import run, spec_of


def test_other_boxes_and_batches_are_told_and_other_classes_refused(tmp_path: Path) -> None:
    data, out = write_yolo(tmp_path / "data", train=12, val=4), tmp_path / "run"
    with pytest.raises(StoppedError):
        run(spec_of(data, out, optim__epochs=4), lambda count, stop: count == 3 and stop.ask())
    names = data / "data.yaml"
    yaml = names.read_text()
    names.write_text(yaml.replace("disc", "moon"))
    with pytest.raises(OutputFolderError, match=r"classes of its data differ \(new: moon; gone"):
        run(spec_of(data, out, optim__epochs=4))
    names.write_text(yaml)
    label = data / "labels" / "train" / "0000.txt"
    label.write_text(label.read_text() + "0 0.5 0.5 0.3 0.3\n")
    changes = {"optim__epochs": 3, "optim__batch_size": 6, "optim__learning_rate": 1e-4}
    ear = run(spec_of(data, out, yolo__final_rate=1.0, **changes))
    said = "\n".join(ear.notices)
    assert "train: 0 added, 0 gone, 0 with other content, 1 with another label" in said
    assert "The batches of epoch 2 are others now: it begins again." in said
    assert [one["epoch"] for one in ear.said("epoch")] == [2, 3]
    assert [one["step"] for one in ear.said("metric")] == [3, 4, 5, 6]
    assert ear.said("metric")[-1]["values"]["learning_rate"] == pytest.approx(1e-4)
