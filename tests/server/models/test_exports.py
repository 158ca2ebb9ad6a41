"""Exports: a real one in a process of its own, one at a time, and what a restart makes of it."""

import json

import onnx

from tandem.server.models import exports
from tandem.spec.exports import FORMATS
from tests.extras import needs_ultralytics

V1 = "/api/v1/models/TASK_1/exports"


def test_a_model_is_written_measured_and_downloaded(service, reported, until):
    client = service()
    before = client.get(V1).json()
    assert [one["format"] for one in before["formats"]] == ["onnx", "int8"]
    assert all(one["possible"] and one["licence"] is None for one in before["formats"])
    assert before["items"] == []
    begun = client.post(V1, json={"format": "onnx"})
    assert (begun.status_code, begun.json()["status"]) == (202, "RUNNING")
    second = client.post(V1, json={"format": "int8"})
    assert second.status_code == 409
    assert "under way" in second.json()["detail"]
    assert client.get(f"{V1}/onnx/download").status_code == 404

    def ended():
        (one,) = client.get(V1).json()["items"]
        return one if one["status"] != "RUNNING" else None

    one = until(ended)
    assert one["status"] == "DONE", one["message"]
    assert one["file"] == "model.onnx"
    assert one["latency_milliseconds"] > 0
    assert one["accuracy"] is None  # its data is gone
    assert one["ended_at"] >= one["started_at"]
    file = client.get(f"{V1}/onnx/download")
    assert file.headers["content-disposition"].endswith('filename="pets-onnx.onnx"')
    assert len(file.content) == one["size_bytes"]
    onnx.checker.check_model(onnx.load_model_from_string(file.content))
    (kept,) = client.get("/api/v1/models").json()["items"][0]["exports"]
    assert (kept["format"], kept["size_bytes"]) == ("onnx", one["size_bytes"])
    (reported / "exports" / "model.onnx").unlink()
    gone = client.get(f"{V1}/onnx/download")
    assert gone.status_code == 404
    assert "no longer there" in gone.json()["detail"]


def running(folder, **more):
    """The state that a server left which was killed while an export ran."""
    (folder / "exports").mkdir()
    one = {
        "format": "onnx", "status": "RUNNING", "file": None, "size_bytes": None, "accuracy": None,
        "latency_milliseconds": None, "message": None, "started_at": "2026-01-01T00:00:00",
        "ended_at": None, "pid": 2**22 + 1, "born": "1 boot",
    }  # fmt: skip
    (folder / "exports" / ".exports.json").write_text(json.dumps({"onnx": one | more}))


def test_one_whose_process_has_gone_has_failed_and_can_be_asked_again(service, reported):
    client = service()
    running(reported)
    (one,) = client.get(V1).json()["items"]
    assert one["status"] == "FAILED"
    assert "ended without a word" in one["message"]
    assert one["ended_at"]
    assert client.get(V1).json()["items"] == [one]


def test_one_that_ended_well_while_no_server_watched_is_done(service, reported):
    client = service()
    running(reported)
    (reported / "exports" / "model.onnx").write_bytes(b"12345")
    said = {"format": "onnx", "file": "model.onnx", "size_bytes": 5,
            "measured": {"metrics": {"accuracy": 0.5, "latency_milliseconds": 2.0}}}  # fmt: skip
    (reported / "exports" / ".onnx.out").write_text(json.dumps(said))
    (one,) = client.get(V1).json()["items"]
    assert (one["status"], one["accuracy"], one["latency_milliseconds"]) == ("DONE", 50, 2)
    assert client.get(f"{V1}/onnx/download").content == b"12345"


def test_what_it_said_last_is_the_reason(service, reported):
    client = service()
    running(reported)
    (reported / "exports" / ".onnx.err").write_text("warning\nThere is no room.\n")
    (one,) = client.get(V1).json()["items"]
    assert one["message"] == "There is no room."


def test_what_cannot_be_written_is_refused_with_its_fix(service, home):
    client = service()  # a model without a run
    by_name = {one["format"]: one for one in client.get(V1).json()["formats"]}
    assert by_name["int8"]["possible"] is False
    assert "--calibration" in by_name["int8"]["fix"]
    for format, said in (("int8", "--calibration"), ("coreml", "cannot be written as coreml")):
        refused = client.post(V1, json={"format": format})
        assert refused.status_code == 422
        assert said in refused.json()["detail"]
    assert client.post(V1, json={"format": "../x"}).status_code == 422
    assert client.get(f"{V1}/..%2f..%2fspec/download").status_code in (404, 422)
    assert not (home / "runs" / "TASK_1" / "exports").exists()


def test_a_detectors_formats_say_what_they_need_and_that_they_are_agpl(home, tmp_path):
    config = {"kind": "detection", "classes": ["a"], "student": {"type": "yolov8"}}
    folder = tmp_path / "final_model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    by_name = {one["format"]: one for one in exports.formats(folder, "detection")}
    assert set(by_name) == set(FORMATS)
    assert "AGPL-3.0" in by_name["torchscript"]["licence"]
    for one in by_name.values():
        assert one["possible"] or (one["why"] and one["fix"])


def test_every_format_of_ultralytics_is_one_that_it_has():
    needs_ultralytics()
    from tandem.train.yolo import formats

    assert {one.name for one in FORMATS.values() if not one.is_own} <= set(formats.names())
