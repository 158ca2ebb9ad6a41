"""How large a picture a teacher is shown, where nobody says."""

import json

import pytest

from tandem.spec.run import RunSpec
from tandem.train.kinds.detection import DetectionKind
from tandem.train.kinds.segmentation import SegmentationKind
from tandem.train.pipeline.resolve import _sized
from tandem.train.registry import find
from tests.train.teachers.folders import build_encoder, open_teacher


@pytest.mark.parametrize(
    ("processor", "side"),
    [
        ({"crop_size": {"height": 336, "width": 336}, "size": {"shortest_edge": 336}}, 336),
        ({"size": {"height": 384, "width": 384}}, 384),
        ({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}, 224),
        ({"size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": False}, 256),
        ({"size": 96}, 96),
        ({}, 32),  # the architecture's own
    ],
)
def test_an_encoder_sees_what_it_was_trained_with(tmp_path, processor, side):
    path = build_encoder("vit", tmp_path)
    normal = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (path / "preprocessor_config.json").write_text(json.dumps(normal | processor))
    (path / "processor_config.json").unlink(missing_ok=True)
    assert open_teacher(path).image_size == side
    assert open_teacher(path, image_size=64).image_size == 64


def test_a_language_models_tower_sees_224(checkpoints):
    assert open_teacher(checkpoints["qwen2_5_vl"]).image_size == 224


@pytest.mark.parametrize("kind", [DetectionKind, SegmentationKind])
def test_boxes_and_masks_are_shown_as_large_as_to_the_student(kind):
    spec = RunSpec.model_validate(
        {
            "task_id": "size",
            "data": {"dataset": "d", "image_size": 640},
            "teacher": {"path": "t"},
            "run": {"output_dir": "out"},
        }
    )
    sized = _sized(spec, kind())
    assert sized.teacher is not None
    assert sized.teacher.image_size == 640
    classes = find("kinds", "classification").make()
    assert _sized(spec, classes).teacher.image_size is None
    said = spec.model_copy(update={"teacher": spec.teacher.model_copy(update={"image_size": 224})})
    assert _sized(said, kind()).teacher.image_size == 224
