"""`tandem predict -o` and `tandem annotate`, as a person calls them."""

import json

import numpy as np
import pytest

from tandem.commands.models.annotate import annotate, parse_thresholds
from tandem.commands.models.predict import predict
from tandem.data.faults import Faults
from tandem.data.registry import find
from tandem.spec.errors import UserInputError
from tests.predict.annotations import write_images
from tests.train.export.models import save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pets") / "final_model"
    save_model(folder)
    return str(folder)


@pytest.mark.parametrize("form", ["labelme", "csv", "labelstudio"])
def test_classes_are_written_and_read_back(model, tmp_path, form, capsys):
    write_images(tmp_path / "in", 5)
    said = predict_json(model, tmp_path / "in", capsys)
    assert predict(model, [tmp_path / "in"], form, output=tmp_path / "out") == 0
    read = find(form).make().content(tmp_path / "out", Faults(), "classification")
    found = {item.name.rpartition("/")[2]: item for item in read.train}
    assert len(found) == len(said) == 5
    for path, row in said.items():
        item = found[path]
        assert read.classes[item.label] == row["label"]
        assert item.confidence == pytest.approx(row["confidence"], abs=1e-6)


def predict_json(model, folder, capsys):
    assert predict(model, [folder], "json") == 0
    rows = json.loads(capsys.readouterr().out)
    return {row["path"].rpartition("/")[2]: row for row in rows}


def test_annotate_runs_to_the_end_and_tells_what_failed(model, tmp_path, capsys):
    write_images(tmp_path / "in", 3)
    (tmp_path / "in" / "a" / "broken.png").write_bytes(b"x")
    assert annotate(model, tmp_path / "in", tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert "broken.png" in said
    assert "1 items failed" in said
    assert sorted(one.name for one in (tmp_path / "out").rglob("0*.json")) == [
        "0000.json", "0001.json", "0002.json",
    ]  # fmt: skip


def test_a_video_frame_by_frame(model, tmp_path, capsys):
    import av

    with av.open(str(tmp_path / "v.mp4"), "w") as video:
        stream = video.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            image = np.full((48, 64, 3), number * 20, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                video.mux(packet)
        for packet in stream.encode():
            video.mux(packet)
    assert predict(model, [tmp_path / "v.mp4"], "json", video_every=4) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["path"].rpartition("v/")[2] for row in rows] == [
        "000000.jpg", "000004.jpg", "000008.jpg",
    ]  # fmt: skip
    assert predict(model, [tmp_path / "v.mp4"], "labelme", output=tmp_path / "out") == 0
    assert len(list((tmp_path / "out" / "v").glob("*.json"))) == 10
    (tmp_path / "v.mp4").write_bytes(b"no video")
    assert predict(model, [tmp_path / "v.mp4"], "json") == 2
    assert "v.mp4" in capsys.readouterr().err


def test_thresholds_are_for_all_or_by_class():
    assert parse_thresholds([]) is None
    assert parse_thresholds(["0.5"]) == 0.5
    assert parse_thresholds(["a=b=0.5", "c=1"]) == {"a=b": 0.5, "c": 1.0}
    for wrong in (["x"], ["2"], ["nan"], ["0.5", "a=0.5"]):
        with pytest.raises(UserInputError):
            parse_thresholds(wrong)


def test_a_format_that_cannot_hold_it_is_refused(model, tmp_path, capsys):
    write_images(tmp_path / "in", 1)
    assert predict(model, [tmp_path / "in"], "voc", output=tmp_path / "out") == 2
    assert "cannot hold" in capsys.readouterr().err
    with pytest.raises(UserInputError, match="written into a folder"):
        predict(model, [tmp_path / "in"], "coco")
