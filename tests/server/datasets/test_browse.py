"""What a data set holds is shown with its labels, whatever its layout, and nothing else is."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

from tandem.data.inspection import index as reading
from tests.data import make


def shown(client, name: str, **query) -> dict:
    answer = client.get(f"/api/v1/datasets/{name}/samples", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def image(client, name: str, split: str, index: int, what: str = "picture") -> Image.Image:
    answer = client.get(f"/api/v1/datasets/{name}/samples/{split}/{index}/{what}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return Image.open(io.BytesIO(answer.content))


def test_images_of_classes_by_page_split_and_label(client, datasets):
    make.classification(datasets / "pets")
    first = shown(client, "pets", page_size=2)
    assert (first["total"], first["splits"]) == (4, {"train": 4, "val": 2})
    assert [one["truth"]["label"] for one in first["items"]] == ["cat", "cat"]
    second = shown(client, "pets", page_size=2, page=2)["items"]
    assert [(one["index"], one["truth"] and one["truth"]["label"]) for one in second] == [
        (2, "dog"),
        (3, None),
    ]
    dogs = shown(client, "pets", split="val", label="dog")
    assert [one["name"] for one in dogs["items"]] == ["val/dog/4.png"]
    assert dogs["total"] == 1
    seen = np.asarray(image(client, "pets", "val", dogs["items"][0]["index"]).convert("RGB"))
    kept = np.asarray(Image.open(datasets / "pets/val/dog/4.png").convert("RGB"))
    assert np.array_equal(seen, kept)
    said = client.get("/api/v1/datasets/pets/stats").json()
    assert said["classes"] == [
        {"label": "cat", "counts": {"train": 2, "val": 1}},
        {"label": "dog", "counts": {"train": 1, "val": 1}},
    ]
    assert (said["unlabelled"], said["total"], said["measured"]) == (1, 6, 6)
    assert said["sizes"] == [{"width": 40, "height": 30, "count": 6}]


def test_what_is_added_is_shown_at_once(client, datasets, own_process):
    make.classification(datasets / "pets")
    assert shown(client, "pets")["total"] == 4
    make.draw(datasets / "pets/train/dog/more.png", [], 20)
    assert shown(client, "pets")["total"] == 5


def test_boxes_and_outlines_are_in_pixels(client, datasets):
    make.yolo(datasets / "boxes")
    items = shown(client, "boxes")["items"]
    boxes = {one["label"]: one["box"] for one in items[0]["truth"]["boxes"]}
    assert boxes == {"cat": [4, 5, 16, 20], "dog": [10, 2, 20, 10]}
    assert items[1]["truth"]["boxes"] == []
    assert (items[0]["width"], items[0]["height"]) == (40, 30)
    assert shown(client, "boxes", label="cat")["total"] == 1
    make.yolo_polygons(datasets / "rings")
    rings = shown(client, "rings")["items"][0]["truth"]["boxes"][0]["outlines"]
    assert rings == [[list(point) for point in make.TRIANGLE]]


def masks(root: Path) -> None:
    for split in ("train", "val"):
        make.draw(root / "images" / split / "a.png", [], 1)
        mask = np.zeros((30, 40), np.uint8)
        mask[:10, :20] = 1 if split == "train" else 2
        (root / "masks" / split).mkdir(parents=True)
        Image.fromarray(mask).save(root / "masks" / split / "a.png")
    make.write(root / "classes.txt", "background\ncat\ndog\n")


def test_masks_come_in_colours_on_a_clear_ground(client, datasets):
    masks(datasets / "masks")
    item = shown(client, "masks", label="cat")["items"][0]
    assert item["truth"]["has_mask"]
    assert shown(client, "masks", label="dog")["total"] == 0
    drawn = np.asarray(image(client, "masks", "train", 0, "mask").convert("RGBA"))
    assert drawn.shape == (30, 40, 4)
    assert drawn[5, 5, 3] > 0
    assert drawn[20, 30, 3] == 0


def test_masks_that_go_uncounted_are_said(client, datasets, monkeypatch):
    masks(datasets / "masks")
    monkeypatch.setattr(reading._OpenBudget, "__init__", lambda self: vars(self).update(left=1))
    said = shown(client, "masks")
    assert said["message"].startswith("Only the first 1 of 2 masks")
    assert shown(client, "masks", split="val", label="dog")["total"] == 0


def test_a_check_sees_what_was_written_over_in_place(client, datasets):
    """As many files as are not watched one by one: their times and sizes stay as they were."""
    table = make.write(datasets / "says/train.csv", "text,label\ngood,yes\n")
    assert shown(client, "says")["items"][0]["text"] == "good"
    seen = table.stat()
    table.write_text("text,label\nwell,yes\n")
    os.utime(table, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert shown(client, "says")["items"][0]["text"] == "good"
    assert client.post("/api/v1/datasets/says/check").status_code == 202
    assert shown(client, "says")["items"][0]["text"] == "well"


def test_texts_and_instructions_are_their_words(client, datasets):
    make.write(datasets / "says/train.csv", f"text,label\ngood,yes\n{'x' * 5000},no\n")
    items = shown(client, "says")["items"]
    assert [(one["text"][:4], one["truth"]["label"]) for one in items] == [
        ("good", "yes"),
        ("xxxx", "no"),
    ]
    assert len(items[1]["text"]) == 2000
    assert client.get("/api/v1/datasets/says/samples/train/0/picture").status_code == 404
    row = {"instruction": "say", "output": "this"}
    make.write(datasets / "asks/train.jsonl", json.dumps(row) + "\n")
    assert shown(client, "asks")["items"][0]["text"] == "say\nthis"
    assert client.get("/api/v1/datasets/asks/stats").json()["unlabelled"] == 0


def test_a_clip_is_its_middle_frame(client, datasets):
    for label in ("left", "right"):
        for frame in range(3):
            colour = (frame * 100, 0, 0)
            file = datasets / "clips/train" / label / "c" / f"{frame}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 10), colour).save(file)
    item = shown(client, "clips", label="right")["items"][0]
    assert (item["width"], item["height"], item["truth"]["label"]) == (20, 10, "right")
    seen = image(client, "clips", "train", item["index"]).convert("RGB")
    assert seen.getpixel((5, 5)) == (100, 0, 0)


def test_faulty_sets_show_what_can_be_shown(client, datasets):
    make.classification(datasets / "pets")
    (datasets / "pets/train/cat/0.png").write_bytes(b"no picture")
    assert shown(client, "pets")["total"] == 3
    make.draw(datasets / "loose/train/a.png", [], 1)
    loose = shown(client, "loose")
    assert "no folder for each class" in loose["message"]
    assert [(one["name"], one["truth"]) for one in loose["items"]] == [("train/a.png", None)]
    assert image(client, "loose", "train", 0).size == (40, 30)


def test_nothing_outside_is_shown(client, datasets, tmp_path):
    secret = make.draw(tmp_path / "secret.png", [], 3)
    make.classification(datasets / "pets")
    assert shown(client, "pets")["total"] == 4
    inner = datasets / "pets/train/cat/0.png"
    inner.unlink()
    inner.symlink_to(secret)  # after its place was noted
    assert client.get("/api/v1/datasets/pets/samples/train/0/picture").status_code == 404
    again = shown(client, "pets")
    assert "leads out" in again["message"]
    assert "train/cat/0.png" not in [one["name"] for one in again["items"]]
    for hostile in ("..", "%2e%2e", ".hidden", "pets%2f..%2f..", "none", "pets%00"):
        for rest in ("samples", "stats", "samples/train/0/picture", "samples/train/0/mask"):
            answer = client.get(f"/api/v1/datasets/{hostile}/{rest}")
            assert answer.status_code in (403, 404), (hostile, rest, answer.text)
    for path in ("train/99/picture", "..%2f/0/picture", "val/-1/picture", "nosuch/0/mask"):
        assert client.get(f"/api/v1/datasets/pets/samples/{path}").status_code == 404
    assert client.get("/api/v1/datasets/pets/samples?split=nosuch").status_code == 404
    assert client.get("/api/v1/datasets/pets/samples?label=horse").status_code == 404
