"""What a YOLOv8 cannot do is refused in a sentence, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.spec.errors import DataError, SpecError, StudentError, TeacherError
from tests.train.yolo.drawn import write_yolo
from tests.train.yolo.runs import run, spec_of, untaught

DISTIL = {"mode": "distillation", "teacher": {"path": "nowhere"}}
BAD = {
    "optimizer": ({"optim__optimizer": "adagrad"}, "Ultralytics has no optimizer adagrad"),
    "scheduler": ({"optim__scheduler": "polynomial"}, "Ultralytics has no scheduler polynomial"),
    "rate": ({"optim__learning_rate": 2.0}, "optim.learning_rate of 0 to 1"),
    "mixup": ({"views": {"mixup": 0.5}}, "yolo.mosaic"),
    "small": ({"data__image_size": 32}, "64 px a side or more, not 32"),
    "half": ({"run__precision": "bf16"}, "does not learn in bf16 on this device"),
    "dropout": ({"student__dropout": 0.1}, "no dropout"),
    "smoothing": ({**DISTIL, "loss": {"label_smoothing": 0.1}}, "no label smoothing"),
    "attention": ({**DISTIL, "loss": {"attention_weight": 1.0}}, "loss.attention_weight is for"),
    "dkd": ({**DISTIL, "loss": {"soft_loss": "dkd"}}, "by kl_div, not by dkd"),
    "options": ({**DISTIL, "loss": {"options": {"dkd": {"beta": 1.0}}}}, "names dkd"),
    "nothing": (
        {**DISTIL, "loss": {"feature_weight": 0, "soft_label_weight": 0}},
        "No loss term with a weight above 0 asks the teacher",
    ),
    "knowledge": (
        {"mode": "distillation", "teacher": {"path": "nowhere", "knowledge": "label_scoring"}},
        "from a probe on the teacher's tokens, not from label_scoring",
    ),
    "kind": ({"kind": "segmentation"}, "does not learn segmentation"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_knob_that_cannot_be_honoured_is_refused(
    half_drawn: Path, tmp_path: Path, case: str
) -> None:
    changes, words = BAD[case]
    with pytest.raises(SpecError, match=words.replace(".", r"\.")) as refused:
        run(spec_of(half_drawn, tmp_path / "run", **changes))
    assert refused.value.exit_code == 2
    assert not (tmp_path / "run" / "final_model").exists()


def test_a_network_of_convolutions_has_nothing_for_lora(half_drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="it is no transformer"):
        run(spec_of(half_drawn, tmp_path / "run", lora={"rank": 4, "on": "student"}))


def test_several_processes_are_refused(
    half_drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    from tandem.spec.run import RunSpec
    from tandem.train.engines.device import device_context
    from tandem.train.yolo import settings

    spec = RunSpec.model_validate(spec_of(half_drawn, tmp_path / "run"))
    with pytest.raises(SpecError, match="in one process"):
        settings.check(spec, device_context(spec.run))


def test_a_teacher_that_lacks_a_class_is_refused_never_shifted(tmp_path: Path) -> None:
    other = write_yolo(tmp_path / "other", train=4, val=2)
    names = (other / "data.yaml").read_text().replace("disc", "ring")
    (other / "data.yaml").write_text(names)
    spec = spec_of(
        other,
        tmp_path / "run",
        mode="distillation",
        teacher={"path": str(untaught(tmp_path / "teacher", "yolov8n"))},
    )
    with pytest.raises(TeacherError, match="does not know these classes of the data: ring"):
        run(spec)


def test_a_split_without_a_box_is_named(tmp_path: Path) -> None:
    data = write_yolo(tmp_path / "data", train=4, val=2)
    for file in (data / "labels" / "train").iterdir():
        file.write_text("")
    with pytest.raises(DataError, match="No picture of the train split"):
        run(spec_of(data, tmp_path / "run"))


def test_each_knob_of_the_section_changes_what_ultralytics_is_told(tmp_path: Path) -> None:
    from tandem.spec.run import RunSpec, YoloSpec
    from tandem.train.engines.device import device_context
    from tandem.train.yolo import settings

    def told(**yolo: float) -> dict:
        spec = RunSpec.model_validate(spec_of(tmp_path, tmp_path, yolo=yolo))
        return settings.overrides(spec, device_context(spec.run), "", ["cat"])

    for name in YoloSpec.model_fields:
        other = 7 if name in ("close_mosaic_epochs", "nominal_batch_size") else 0.33
        assert told(**{name: other}) != told(), name


def test_a_digit_is_never_mirrored(tmp_path: Path) -> None:
    from tandem.spec.run import RunSpec
    from tandem.train.engines.device import device_context
    from tandem.train.yolo import settings

    spec = RunSpec.model_validate(spec_of(tmp_path, tmp_path))
    assert settings.overrides(spec, device_context(spec.run), "", ["cat", "7"])["fliplr"] == 0.0
    assert settings.overrides(spec, device_context(spec.run), "", ["cat", "dog"])["fliplr"] == 0.5
