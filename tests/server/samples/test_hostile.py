"""A file of answers that somebody else has written: it opens nothing outside of the data sets."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tandem.server.samples import index as indexing

URL = "/api/v1/tasks/TASK_NEW/samples"


def labels(label: str | None) -> dict[str, Any]:
    return {"label": label, "confidence": None, "boxes": [], "has_mask": False, "top": []}


def line(row: int, name: str, **changes: Any) -> dict[str, Any]:
    return {
        "index": row,
        "name": name,
        "split": "val",
        "width": None,
        "height": None,
        "text": None,
        "truth": labels("a"),
        "answer": labels("b"),
        "score": 0.5,
        "right": False,
    } | changes


@pytest.fixture
def run(trained: Path) -> Iterator[Path]:
    folder = trained / "runs" / "TASK_NEW"
    folder.mkdir(exist_ok=True)
    yield folder
    (folder / "predictions.jsonl").unlink(missing_ok=True)


def write(run: Path, root: Path, *lines: dict[str, Any], **about: Any) -> None:
    head = {"kind": "classification", "root": str(root), "classes": ["a", "b"], "total": len(lines)}
    text = [json.dumps({"about": head | about}), *map(json.dumps, lines)]
    (run / "predictions.jsonl").write_text("\n".join(text) + "\n")


@pytest.fixture
def secret(trained: Path) -> Path:
    """A picture beside the data sets."""
    path = trained / "secret.png"
    Image.new("RGB", (8, 8)).save(path)
    return path


@pytest.mark.parametrize(
    "name", ["../../secret.png", "/etc/passwd", "{secret}", "link.png", "\0", "..", "."]
)
def test_names_that_lead_out_are_refused(
    shown: TestClient, run: Path, trained: Path, secret: Path, name: str
) -> None:
    root = trained / "datasets" / "shapes"
    if not (root / "link.png").is_symlink():
        (root / "link.png").symlink_to(secret)
    write(run, root, line(0, name.format(secret=secret)))
    assert shown.get(f"{URL}/0/picture").status_code in (403, 404)
    assert shown.get(URL).json()["items"][0]["width"] is None


@pytest.mark.parametrize("root", ["", "/", ".", "..", "datasets", "runs"])
def test_roots_that_are_no_dataset_are_refused(
    shown: TestClient, run: Path, trained: Path, secret: Path, root: str
) -> None:
    write(run, trained / root if root != "/" else Path("/"), line(0, secret.name))
    assert shown.get(f"{URL}/0/picture").status_code == 403


@pytest.mark.parametrize(
    "text", ["", "[]\n", "{}\n", "not json", '{"about": {"classes": 3}}\n', "\0\n" * 9]
)
def test_a_file_that_is_none_of_ours_is_as_if_there_were_none(
    shown: TestClient, run: Path, text: str
) -> None:
    (run / "predictions.jsonl").write_text(text)
    answer = shown.get(URL)
    assert (answer.status_code, answer.json()["available"]) == (200, False)
    assert shown.get(f"{URL}/0/picture").status_code == 404


def test_a_name_that_is_no_utf8_is_shown(shown: TestClient, run: Path, trained: Path) -> None:
    write(run, trained / "datasets" / "shapes", line(0, "val/\udce9.png"))
    assert shown.get(URL).json()["items"][0]["name"] == "val/�.png"
    assert shown.get(f"{URL}/0/picture").status_code == 404


def test_a_text_is_given_and_has_no_image(shown: TestClient, run: Path, trained: Path) -> None:
    write(run, trained / "datasets" / "shapes", line(0, "val.jsonl", text="很好 <b>"))
    assert shown.get(URL).json()["items"][0]["text"] == "很好 <b>"
    assert shown.get(f"{URL}/0/picture").status_code == 404


def test_samples_that_nobody_labelled_come_last_in_both_orders(
    shown: TestClient, run: Path, trained: Path
) -> None:
    unlabelled = {"truth": None, "score": None, "right": None}
    rows = [line(0, "x", **unlabelled), line(1, "y", score=0.1), line(2, "z", score=0.9)]
    write(run, trained / "datasets" / "shapes", *rows)
    for order, wanted in (("worst", [1, 2, 0]), ("best", [2, 1, 0])):
        items = shown.get(URL, params={"order": order}).json()["items"]
        assert [one["index"] for one in items] == wanted


def test_many_samples_are_read_once_and_paged_by_their_places(
    shown: TestClient, run: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    made = indexing._made

    def counted(path: Path) -> Any:
        reads.append(path)
        return made(path)

    monkeypatch.setattr(indexing, "_made", counted)
    root = trained / "datasets" / "shapes"
    write(run, root, *(line(row, f"{row}.png", score=row / 5000) for row in range(5000)))
    for page in (1, 100, 208):
        found = shown.get(URL, params={"page": page}).json()
        assert found["total"] == 5000
        assert found["items"][0]["index"] == (page - 1) * 24
    assert len(reads) == 1
    write(run, root, line(0, "new"))
    assert shown.get(URL).json()["items"][0]["name"] == "new"
    assert len(reads) == 2


def test_lines_of_one_class_are_found_alike_however_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text or a name that looks like the rest of a line is none."""
    classes = ["猫", 'a"b', "x\\", "]}"]
    bait = ',"truth":null,"answer":{"label":"x","score":1,"right":true}'
    rows = [
        line(0, "a.png", text=bait, truth=labels("猫"), answer=labels('a"b'), score=1e-06),
        line(1, f"{bait}.png", truth=None, score=None, right=None, answer=labels("x\\")),
        line(2, "c.png", truth=labels("]}"), answer=labels("猫"), right=True),
        line(3, "d.png", answer=labels("猫") | {"top": [{"label": "]}", "confidence": 0.5}]}),
    ]
    rows[3]["truth"] = labels(None) | {"boxes": [{"label": "猫"}]}
    file = tmp_path / "predictions.jsonl"
    about = {"about": {"kind": "classification", "classes": classes}}
    text = (json.dumps(one, separators=(",", ":")) for one in (about, *rows))
    file.write_text("\n".join(text) + "\n")
    light: list[bool] = []
    put = indexing._put_light
    monkeypatch.setattr(indexing, "_put_light", lambda *a: light.append(put(*a)) or light[-1])
    quick = indexing._made(file)
    monkeypatch.setattr(indexing, "_put_light", lambda *_: False)
    assert quick == indexing._made(file)
    assert light == [True, True, True, False]
    assert quick is not None
    assert quick.of_truth == {0: array("I", [0, 3]), 3: array("I", [2])}
    assert quick.of_answer == {0: array("I", [2, 3]), 1: array("I", [0]), 2: array("I", [1])}
    assert list(quick.worst_first) == [0, 2, 3, 1]
