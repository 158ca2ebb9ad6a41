"""A detector's pages: the cells of its matrix, what it missed, what it found where nothing is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tandem.data.content import Item, Shape
from tandem.spec.run import RunSpec
from tandem.train.data.boxes import DetectionTable
from tandem.train.detection.evaluation.confusion import confusion
from tandem.train.predictions.boxes import BoxPredictions, above_threshold
from tandem.train.predictions.write import FILE, write
from tests.server.samples.conftest import Listed, know
from tests.train.yolo.drawn import CLASSES, write_yolo

TASK = "TASK_BOXES"
SQUARE, DISC = range(2)
NAMES = ("both right", "disc missed", "disc for square", "square in the air", "nobody looked")


@pytest.fixture
def boxes(client: TestClient, home: Path) -> np.ndarray:
    """A run whose detector answered this to five pictures; its matrix."""
    root = home / "datasets" / "boxes"
    if not root.is_dir():
        write_yolo(root, train=1, val=5)
    left, right = (0.0, 0.0, 20.0, 20.0), (30.0, 30.0, 60.0, 60.0)
    both = [Shape(SQUARE, left), Shape(DISC, right)]
    one, other = [*left, 0.9, SQUARE], [*right, 0.8, DISC]
    told = [[one, other], [one], [one, [*right, 0.8, SQUARE]], [one], [one]]
    items = [
        Item(f"images/val/{row:04d}.png".encode(), 64, 64, shapes=shapes)
        for row, shapes in enumerate([both, both, both, [], None])
    ]
    split = DetectionTable(root, items, CLASSES, np.zeros((5, 16), np.uint8), 10**6)
    found = [np.array(rows, float) for rows in told]
    kept = above_threshold(found, CLASSES, dict.fromkeys(CLASSES, 0.5))
    said = confusion(split, kept)
    spec = {
        "task_id": TASK,
        "mode": "direct",
        "kind": "detection",
        "data": {"root": str(root.parent), "dataset": "boxes"},
        "student": {"type": "yolov8", "size": "yolov8n"},
        "run": {"output_dir": str(home / "runs" / TASK)},
    }
    folder = home / "runs" / TASK
    folder.mkdir(exist_ok=True)
    answers = BoxPredictions(split, kept, np.array([1.0, 2 / 3, 0.5, 0.0]), said.pairs_N)
    write(folder, RunSpec.model_validate(spec), split, answers)  # type: ignore[arg-type]
    know(client, TASK)
    return said.count_KK


def rows(listed: Listed, **asked: str) -> set[str]:
    return {NAMES[one["index"]] for one in listed(TASK, **asked)["items"]}


def test_each_cell_opens_the_images_that_it_counts(boxes: np.ndarray, listed: Listed) -> None:
    assert boxes.tolist() == [[3, 0, 0], [1, 1, 1], [1, 0, 0]]
    square, disc = CLASSES
    assert rows(listed, truth=disc, answer=square) == {"disc for square"}
    assert rows(listed, truth=disc, answer=disc) == {"both right"}
    assert rows(listed, truth=disc, nothing="answer") == {"disc missed"}
    assert rows(listed, nothing="truth", answer=square) == {"square in the air"}
    assert rows(listed, truth=square, nothing="answer") == set()
    assert rows(listed, nothing="answer") == {"disc missed"}
    assert rows(listed, truth=disc) == set(NAMES[:3])
    assert listed(TASK)["has_nothing"]
    assert listed(TASK)["message"] is None, "masks, which boxes have none of, are not missed"


@pytest.mark.parametrize(
    ("task", "asked"),
    [
        (TASK, {"nothing": "truth", "truth": "disc"}),
        ("TASK_CLASSES", {"nothing": "answer"}),
        (TASK, {"nothing": "both"}),
    ],
)
def test_nothing_is_no_class(
    shown: TestClient, boxes: np.ndarray, task: str, asked: dict[str, str]
) -> None:
    answer = shown.get(f"/api/v1/tasks/{task}/samples", params=asked)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["nothing"]


def test_answers_of_an_earlier_release_have_no_pairs(
    boxes: np.ndarray, listed: Listed, home: Path
) -> None:
    file = home / "runs" / TASK / FILE
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    del lines[0]["about"]["pairs"]
    for line in lines:
        line.pop("pairs", None)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert not listed(TASK)["has_nothing"]
    assert rows(listed, truth=CLASSES[DISC], answer=CLASSES[SQUARE]) == set(NAMES[:3])
