"""An imported model is among the completed ones, and works."""

from tandem.predict.predictor import load
from tandem.predict.serve import answer
from tests.predict.test_importing import onnx_file


def test_an_imported_model_is_a_completed_task(service, home):
    client = service()
    root = home / "models"
    root.mkdir()
    onnx_file(root / "x.onnx")
    asked = {"path": "x.onnx", "name": "colours", "classes": ["r", "g", "b"], "accuracy": 80}
    made = client.post("/api/v1/models/import", json=asked)
    assert made.status_code == 201, made.text
    task = made.json()["taskId"]
    listed = client.get("/model-distillation/completed-models?minAccuracy=75").json()["data"]
    assert [(one["taskId"], one["taskName"]) for one in listed] == [(task, "colours")]
    one = client.get(f"/api/v1/models/{task}").json()
    assert (one["classes"], one["imported"], one["here"]) == (["r", "g", "b"], True, True)
    assert one["files"] == [{"path": "model.onnx", "size_bytes": one["size_bytes"]}]
    formats = client.get(f"/api/v1/models/{task}/exports").json()["formats"]
    assert not any(each["possible"] for each in formats)
    image = home / "datasets" / "new" / "a" / "0001.png"
    tried = answer(load(root / "colours" / "model.onnx"), {"path": str(image), "name": "x.png"})
    assert tried["answer"]["label"] in ("r", "g", "b")
    said = {"taskId": task, "inputDir": "new"}
    assert client.post("/model-distillation/inference/submit", params=said).status_code == 200
    assert client.post("/api/v1/models/import", json=asked).status_code == 409
    for path in ("../x.onnx", "/etc/passwd"):
        refused = client.post("/api/v1/models/import", json=asked | {"path": path, "name": "n"})
        assert refused.status_code == 403
    (root / "bad.onnx").write_bytes(b"junk")
    refused = client.post("/api/v1/models/import", json={"path": "bad.onnx", "name": "n"})
    assert 400 <= refused.status_code < 500
    assert "bad.onnx was not imported" in refused.text
    assert not (root / "n").exists()
