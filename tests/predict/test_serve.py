"""What a resident model says, kind by kind, without its process."""

import pytest

from tandem.predict.answers import DetectedBox, Detections
from tandem.predict.predictor import load
from tandem.predict.serialize import MOST_BOXES, serialize
from tandem.predict.serve import answer
from tests.extras import needs_ultralytics
from tests.predict.test_kinds import NAMES, draw, save


def test_boxes_are_told_by_their_sides(tmp_path):
    needs_ultralytics()
    save(tmp_path / "m", "detection", NAMES, type="yolov8", size="yolov8n")
    draw(tmp_path)
    file = tmp_path / "0.png"
    model = load(tmp_path / "m", "cpu", 0.0)
    said = answer(model, {"path": str(file), "name": "x.png"})
    (whole,) = model.predict(file)
    assert (said["width"], said["height"]) == (90, 60)
    assert len(said["answer"]["boxes"]) == min(len(whole.found), MOST_BOXES)
    assert said["answer"]["boxes"]
    for told, found in zip(said["answer"]["boxes"], whole.found, strict=False):
        left, top, right, bottom = found.box
        assert told["box"] == pytest.approx([left, top, right - left, bottom - top], abs=0.02)
        assert (told["label"], told["confidence"]) == (found.label, found.confidence)


def test_a_box_is_left_top_width_height():
    found = Detections((DetectedBox("circle", 0.5, (10.0, 20.0, 30.0, 60.0)),), 80, 90)
    (box,) = serialize(found)["boxes"]
    assert box == {
        "label": "circle", "box": [10, 20, 20, 40], "confidence": 0.5, "outlines": None,
    }  # fmt: skip


def test_clips_want_a_video_and_a_play_list_is_none(tmp_path):
    save(tmp_path / "m", "sequence", NAMES, type="lstm", size="lstm-small")
    draw(tmp_path)
    model = load(tmp_path / "m", "cpu")
    refused = answer(model, {"path": str(tmp_path / "0.png"), "name": "x.png"})
    assert "has learnt clips, and one picture is none" in refused["problem"]
    trick = tmp_path / "x.mp4"
    trick.write_text(f"ffconcat version 1.0\nfile {tmp_path / '0.png'}\n")
    assert "has learnt clips" in answer(model, {"path": str(trick), "name": "x.mp4"})["problem"]
