"""What the page of samples asks: order, the cells of the confusion matrix, pictures, masks."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tandem.server.http.images import MASK_OPACITY

CLASSES, MASKS, NEW = "TASK_CLASSES", "TASK_MASKS", "TASK_NEW"
Listed = Callable[..., dict]


def report(home: Path, task_id: str) -> dict:
    found = json.loads((home / "runs" / task_id / "report.json").read_text())
    measured: dict = found["student"]["measured"]
    return measured


def image(client: TestClient, task_id: str, row: int, part: str = "picture", **params: object):
    return client.get(f"/api/v1/tasks/{task_id}/samples/{row}/{part}", params=params)


def test_the_worst_come_first_and_pages_meet_without_a_gap(listed: Listed) -> None:
    whole = listed(CLASSES, page_size=200)
    assert whole["available"]
    assert whole["score_name"] == "probability of the true class"
    scores = [one["score"] for one in whole["items"]]
    assert scores == sorted(scores)
    assert whole["total"] == len(scores) == 12
    paged = [one for page in (1, 2, 3) for one in listed(CLASSES, page=page, page_size=5)["items"]]
    assert paged == whole["items"]
    best = [one["score"] for one in listed(CLASSES, order="best")["items"]]
    assert best == sorted(scores, reverse=True)
    places = [one["index"] for one in listed(CLASSES, order="index")["items"]]
    assert places == list(range(12))
    assert listed(CLASSES, page=99)["items"] == []


def test_every_cell_of_the_confusion_matrix_opens_its_images(listed: Listed, trained: Path) -> None:
    matrix = report(trained, CLASSES)["details"]["confusion_matrix"]
    names = listed(CLASSES)["classes"]
    for row, truth in enumerate(names):
        for column, answer in enumerate(names):
            found = listed(CLASSES, truth=truth, answer=answer)
            assert found["total"] == matrix[row][column]
            for one in found["items"]:
                assert (one["truth"]["label"], one["answer"]["label"]) == (truth, answer)
                assert one["name"].split("/")[1] == truth
    assert listed(CLASSES, truth=names[0])["total"] == sum(matrix[0])
    assert listed(CLASSES, answer=names[1])["total"] == sum(one[1] for one in matrix)


def test_answers_are_those_that_the_report_counts(listed: Listed, trained: Path) -> None:
    accuracy = report(trained, CLASSES)["metrics"]["accuracy"]
    items = listed(CLASSES)["items"]
    assert listed(CLASSES, wrong=False)["total"] == round(accuracy * 12)
    assert listed(CLASSES, wrong=True)["total"] == 12 - round(accuracy * 12)
    for one in items:
        top = one["answer"]["top"]
        assert sum(each["confidence"] for each in top) == pytest.approx(1, abs=1e-4)
        assert top[0]["confidence"] == one["answer"]["confidence"]
        true = [each["confidence"] for each in top if each["label"] == one["truth"]["label"]]
        assert true == [one["score"]]
        assert one["right"] == (one["truth"]["label"] == one["answer"]["label"])


def test_an_image_is_that_of_its_sample(shown: TestClient, listed: Listed, trained: Path) -> None:
    for one in listed(CLASSES, page_size=3)["items"]:
        file = Image.open(trained / "datasets" / "shapes" / one["name"]).convert("RGB")
        assert (one["width"], one["height"]) == file.size
        answer = image(shown, CLASSES, one["index"], size=2048)
        assert answer.headers["x-content-type-options"] == "nosniff"
        drawn = Image.open(io.BytesIO(answer.content))
        assert (np.asarray(drawn) == np.asarray(file)).all()
        held = {"If-None-Match": answer.headers["etag"]}
        path = f"/api/v1/tasks/{CLASSES}/samples/{one['index']}/picture?size=2048"
        assert shown.get(path, headers=held).status_code == 304
    assert image(shown, CLASSES, 12).status_code == 404
    assert image(shown, CLASSES, -1).status_code == 404
    assert image(shown, CLASSES, 0, size=4000).status_code == 422
    assert image(shown, CLASSES, 0, "mask").status_code == 404


def test_masks_lie_on_their_images(shown: TestClient, listed: Listed, trained: Path) -> None:
    found = listed(MASKS)
    assert found["score_name"] == "mean IoU of the picture"
    assert found["message"] is None
    for one in found["items"]:
        assert one["truth"]["has_mask"]
        assert one["answer"]["has_mask"]
        drawn = image(shown, MASKS, one["index"], "mask", who="truth", size=64)
        there = np.asarray(Image.open(io.BytesIO(drawn.content)).convert("RGBA"))[..., 3]
        name = one["name"].replace("images", "masks")
        true = np.asarray(Image.open(trained / "datasets" / "masks" / name))
        assert there.shape == true.shape
        # The model saw it at half of its size: edges may be a pixel off.
        assert ((there == MASK_OPACITY) == (true > 0)).mean() > 0.95
        said = image(shown, MASKS, one["index"], "mask", size=64)
        assert Image.open(io.BytesIO(said.content)).size == (64, 64)


def test_scores_of_masks_are_those_of_the_pixels(listed: Listed, trained: Path) -> None:
    folder = trained / "runs" / MASKS / "predictions"
    for one in listed(MASKS)["items"]:
        said = np.asarray(Image.open(folder / f"{one['index']}.png"))
        true = np.asarray(Image.open(folder / f"{one['index']}.truth.png"))
        ious = [
            ((said == k) & (true == k)).sum() / ((said == k) | (true == k)).sum()
            for k in range(3)
            if ((said == k) | (true == k)).any()
        ]
        assert one["score"] == pytest.approx(np.mean(ious), abs=1e-5)


def test_a_cell_of_masks_opens_the_images_that_hold_it(listed: Listed, trained: Path) -> None:
    folder = trained / "runs" / MASKS / "predictions"
    names = listed(MASKS)["classes"]
    for row in range(3):
        for column in range(3):
            holding = {
                index
                for index in range(5)
                if (
                    (np.asarray(Image.open(folder / f"{index}.truth.png")) == row)
                    & (np.asarray(Image.open(folder / f"{index}.png")) == column)
                ).sum()
                >= 3
            }
            found = listed(MASKS, truth=names[row], answer=names[column])["items"]
            assert {one["index"] for one in found} == holding


def test_a_run_without_answers_says_so(shown: TestClient, listed: Listed) -> None:
    found = listed(NEW)
    assert (found["available"], found["items"], found["total"]) == (False, [], 0)
    assert "end of the training" in found["message"]
    chinese = shown.get(f"/api/v1/tasks/{NEW}/samples", headers={"Accept-Language": "zh"})
    assert "训练结束" in chinese.json()["message"]
    assert shown.get("/api/v1/tasks/NONE/samples").status_code == 404
    assert image(shown, NEW, 0).status_code == 404


def test_a_class_that_is_not_there_is_refused_at_its_field(shown: TestClient) -> None:
    answer = shown.get(f"/api/v1/tasks/{CLASSES}/samples", params={"truth": "unicorn"})
    assert answer.status_code == 422
    assert "unicorn" in answer.text
    assert "circle" in answer.text


def test_an_image_that_has_gone_is_said_so(
    shown: TestClient, listed: Listed, trained: Path
) -> None:
    one = listed(CLASSES, order="index")["items"][3]
    file = trained / "datasets" / "shapes" / one["name"]
    aside = file.rename(file.with_suffix(".aside"))
    try:
        answer = image(shown, CLASSES, 3)
        assert answer.status_code == 404
        assert "no longer there" in answer.text
        assert listed(CLASSES, order="index")["items"][3]["width"] is None
    finally:
        aside.rename(file)
