"""What a folder holds is seen by names, and the same as the full reader says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tandem.data.reading.folder_listing import MOST_NAMES
from tandem.data.registry import recognise
from tandem.server.datasets.look import look
from tests.data import make
from tests.data.packed.test_torchvision_sets import cifar10, mnist

LAYOUTS = {
    "yolo": ["data.yaml", "images/train/1.jpg", "labels/train/1.txt"],
    "coco": ["annotations/train.json", "images/train/1.jpg"],
    "voc": ["Annotations/1.xml", "JPEGImages/1.jpg"],
    "labelme": ["train/1.jpg", "train/1.json"],
    "segmentation": ["images/train/1.jpg", "masks/train/1.png"],
    "sequence": ["train/left/clip/0.jpg", "train/right/clip/0.jpg", "val/left/clip/0.jpg"],
    "text": ["train.csv", "val.csv"],
    "instruction": ["train.jsonl"],
    "caption": ["train/1.jpg", "train/1.txt"],
    "classification": ["train/cat/1.jpg", "train/dog/1.jpg", "val/cat/1.jpg"],
}
CONTENTS = {
    "data.yaml": "train: images/train\nnames: [a]\n",
    "train/1.json": '{"shapes": [], "imagePath": "1.jpg"}',
    "1.json": '{"shapes": [], "imagePath": "1.jpg"}',
    "train.csv": "text,label\na,b\n",
    "train.jsonl": '{"instruction": "say", "output": "a"}\n',
}


def laid_out(folder: Path, names: list[str]) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(CONTENTS.get(name, ""), encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_layout_is_seen_as_its_reader_would(kind: str, tmp_path: Path):
    folder = laid_out(tmp_path / "one", LAYOUTS[kind])
    assert look(folder).type == recognise(folder).name == kind


@pytest.mark.parametrize("name", sorted(make.ALL))
def test_every_layout_is_seen_as_its_reader_says(name: str, tmp_path: Path):
    make.ALL[name](tmp_path / "one")
    assert look(tmp_path / "one").type == recognise(tmp_path / "one").name == name


def test_videos_and_loose_layouts_are_seen(tmp_path: Path):
    assert look(laid_out(tmp_path / "a", ["train/left/1.mp4"])).type == "sequence"
    assert look(laid_out(tmp_path / "b", ["1.jpg", "1.json"])).type == "labelme"
    assert look(laid_out(tmp_path / "c", ["1.jpg", "metadata.csv"])).type == "caption"
    assert look(laid_out(tmp_path / "d", ["readme.md"])).type == "unknown"
    assert look(tmp_path / "absent").type == "unknown"


def test_a_look_at_what_is_hostile_ends(tmp_path: Path):
    os.mkfifo(tmp_path / "train.jsonl")
    assert look(tmp_path).type == "text"
    (tmp_path / "train.jsonl").unlink()
    (tmp_path / "train.jsonl").write_text("[" * 200_000)
    assert look(tmp_path).type == "text"


def test_a_huge_folder_is_not_read_to_its_end(tmp_path: Path):
    laid_out(tmp_path, [f"train/cat/{number}.jpg" for number in range(MOST_NAMES + 50)])
    laid_out(tmp_path, ["train/dog/1.jpg"])
    seen = look(tmp_path)
    assert (seen.files, seen.more) == (MOST_NAMES, True)


def test_the_old_list_says_the_layouts_that_the_trainer_reads(client, datasets):
    for name in ("csv", "labelstudio", "yolo"):
        make.ALL[name](datasets / name)
    answer = client.get("/model-distillation/datasets").json()["data"]
    assert {one["value"]: one["type"] for one in answer} == {
        one: one for one in ("csv", "labelstudio", "yolo")
    }


def test_what_cannot_be_trained_on_says_so(client, datasets):
    laid_out(datasets / "one", ["train/cat/1.jpg"])
    laid_out(datasets / "only-val", ["val/cat/1.jpg", "val/dog/1.jpg"])
    laid_out(datasets / "strange", ["readme.md"])
    laid_out(datasets / "top", ["cat/1.jpg", "dog/2.jpg"])
    answer = client.get("/model-distillation/datasets").json()["data"]
    said = {one["value"]: (one["type"], one["description"]) for one in answer}
    assert said["top"] == ("classification", "2 classes, 2 training pictures")
    assert said["strange"][0] == "unknown"
    for name in ("one", "only-val", "strange"):
        assert said[name][1].startswith("cannot be trained on: ")


def test_torchvisions_folders_are_listed(client, datasets):
    cifar10(datasets / "cifar10")
    mnist(datasets / "mnist")
    answer = client.get("/model-distillation/datasets").json()["data"]
    assert {one["value"]: one["type"] for one in answer} == dict.fromkeys(
        ("cifar10", "mnist"), "torchvision"
    )
    assert not any("cannot be trained" in one["description"] for one in answer)
    for name, classes in (("cifar10", 2), ("mnist", 2)):
        client.post(f"/api/v1/datasets/{name}/check", json={})
        assert client.get(f"/api/v1/datasets/{name}").json()["type"] == "torchvision", classes


def test_what_it_could_also_be_is_shown_and_chosen(client, datasets):
    make.sequence(datasets / "clips")
    (seen,) = client.get("/api/v1/datasets").json()
    assert (seen["type"], seen["could_be"]) == ("sequence", ["classification"])
    chosen = client.post("/api/v1/datasets/clips/check", json={"type": "classification"}).json()
    assert (chosen["type"], chosen["could_be"]) == ("classification", ["sequence"])
    assert recognise(datasets / "clips").name == "classification"
    again = client.post("/api/v1/datasets/clips/check", json={"type": None}).json()
    assert again["type"] == "sequence"
    assert not (datasets / "clips" / "meta.json").exists()
    refused = client.post("/api/v1/datasets/clips/check", json={"type": "clips"})
    assert refused.status_code == 422
    assert "There is no data format" in refused.text
