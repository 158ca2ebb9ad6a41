"""A split is a new data set; the one it comes from stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.server.datasets.checking import Checker
from tests.data import make
from tests.server.datasets.test_browse import masks, shown


def split(client, source: str, **body):
    return client.post(f"/api/v1/datasets/{source}/split", json=body)


def worked(client) -> None:
    while Checker(client.app.state.context)._check_one():
        pass


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()
    }


def images(folder: Path) -> None:
    for number in range(16):
        label = "cat" if number % 2 else "dog"
        make.draw(folder / "train" / label / f"{number}.png", [], number)


def texts(folder: Path) -> None:
    rows = "".join(f"words {n},{'yes' if n % 2 else 'no'}\n" for n in range(16))
    make.write(folder / "train.csv", f"text,label\n{rows}")


@pytest.mark.parametrize("made", [images, texts])
def test_a_split_is_made_and_checked_and_its_source_untouched(client, datasets, made):
    made(datasets / "all")
    before = files(datasets / "all")
    answer = split(client, "all", name="halves", val_ratio=0.25, seed=3)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["id"], answer.json()["status"]) == ("halves", "CHECKING")
    worked(client)
    done = client.get("/api/v1/datasets/halves").json()
    assert (done["status"], done["items"]) == ("READY", {"train": 12, "val": 4}), done
    assert shown(client, "halves", split="val")["total"] == 4
    assert files(datasets / "all") == before


def test_yolo_and_masks_keep_their_labels(client, datasets):
    make.yolo(datasets / "boxes")
    masks(datasets / "masks")
    for name in ("boxes", "masks"):
        assert split(client, name, name=f"{name} 2", val_ratio=0.4).status_code == 202
    worked(client)
    for name in ("boxes", "masks"):
        old = client.get(f"/api/v1/datasets/{name}/stats").json()
        new = client.get(f"/api/v1/datasets/{name} 2/stats").json()
        sums = [{c["label"]: sum(c["counts"].values()) for c in one["classes"]}
                for one in (old, new)]  # fmt: skip
        assert sums[0] == sums[1]
        assert old["total"] == new["total"]


def test_names_that_lead_out_or_are_taken_are_refused(client, datasets):
    images(datasets / "all")
    for name in ("../out", "a/b", ".hidden", "", "x\0", "dot."):
        assert split(client, "all", name=name).status_code == 422, name
    assert split(client, "all", name="all").status_code == 409
    assert split(client, "all", name="new", val_ratio=1.5).status_code == 422
    assert split(client, "..%2f", name="new").status_code in (403, 404)
    assert [one.name for one in datasets.iterdir()] == ["all"]


def test_a_split_that_cannot_be_says_why_and_one_that_was_deleted_stays_away(client, datasets):
    make.draw(datasets / "loose/train/a.png", [], 1)
    assert split(client, "loose", name="new").status_code == 202
    worked(client)
    said = client.get("/api/v1/datasets/new").json()
    assert said["status"] == "FAULTY"
    assert "no folder for each class" in said["message"]
    images(datasets / "all")
    assert split(client, "all", name="gone").status_code == 202
    assert client.delete("/api/v1/datasets/gone").status_code == 204
    worked(client)
    assert not (datasets / "gone").exists()


def test_a_split_goes_on_after_the_server_was_killed(client, datasets):
    images(datasets / "all")
    split(client, "all", name="halves", val_ratio=0.25)
    left = datasets / ".halves.4711"
    left.mkdir()
    worked(client)
    assert client.get("/api/v1/datasets/halves").json()["status"] == "READY"
    assert not left.exists()
