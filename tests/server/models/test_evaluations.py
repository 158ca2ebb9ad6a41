"""A model measured on a data set of the service, in a process of its own."""

from __future__ import annotations

from PIL import Image

from tests.train.export.models import CLASSES

V1 = "/api/v1/models/TASK_1/evaluations"


def test_a_model_is_measured_on_a_labelled_dataset(service, home, until):
    client = service()
    for number, name in enumerate((CLASSES[0], CLASSES[2], "unknown")):
        for split in ("train", "test"):
            folder = home / "datasets" / "pets" / split / name
            folder.mkdir(parents=True)
            Image.new("RGB", (40, 40), (60 * number, 90, len(split))).save(folder / "0.png")
    assert client.get(V1).json() == {"items": []}
    none = client.post(V1, json={"dataset": "nowhere"})
    assert (none.status_code, none.json()["errors"][0]["field"]) == (422, "dataset")
    assert client.post(V1, json={"dataset": "../runs"}).status_code == 403
    begun = client.post(V1, json={"dataset": "pets", "split": "test"})
    assert (begun.status_code, begun.json()["status"]) == (202, "RUNNING")
    assert client.post(V1, json={"dataset": "pets"}).status_code == 409

    def ended():
        (one,) = client.get(V1).json()["items"]
        return one if one["status"] != "RUNNING" else None

    one = until(ended)
    assert one["status"] == "DONE", one["message"]
    found = one["result"]
    assert (found["split"], found["samples"], found["left_out"]) == ("test", 2, 1)
    assert 0 <= found["measured"]["metrics"]["accuracy"] <= 1
    assert len(found["measured"]["intervals"]["accuracy"]) == 2
    assert any("unknown" in note for note in found["notes"])


def test_one_that_cannot_be_measured_says_why(service, home, until):
    client = service()
    (home / "datasets" / "empty" / "train").mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(home / "datasets" / "empty" / "train" / "0.png")
    assert client.post(V1, json={"dataset": "empty"}).status_code == 202

    def ended():
        (one,) = client.get(V1).json()["items"]
        return one if one["status"] != "RUNNING" else None

    one = until(ended)
    assert (one["status"], one["result"]) == ("FAILED", None)
    assert one["message"]
