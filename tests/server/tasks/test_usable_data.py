"""A task is not made of a data set that is known to be faulty, nor started on none."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tandem.server.datasets.uploads import FAULTY, READY, hash_of
from tandem.server.db.dataset_tables import DatasetRow
from tandem.server.host.clock import now
from tests.data.make import classification, write
from tests.server.tasks.conftest import V1, A, body

SPEC = {"mode": "direct", "data": {"dataset": "pictures"}, "student": {"size": "resnet18"}}


def checked(client: TestClient, status: str) -> None:
    """The data set `pictures` with what a check has said of it."""
    row = DatasetRow(
        name_hash=hash_of("pictures"), name="pictures", status=status, created_at=now(),
        message="train/cat/1.png: it is no picture." if status == FAULTY else None,
    )  # fmt: skip
    client.app.state.context.database.run(lambda session: session.merge(row))


@pytest.fixture
def root(one: TestClient) -> Path:
    return Path(one.app.state.context.settings.datasets_root)


def test_a_faulty_one_is_refused_at_every_entrance(one: TestClient, root: Path):
    classification(root / "pictures")
    checked(one, FAULTY)
    training = {"model_type": "image_classifier", "base_model": "resnet18",
                "dataset_path": "pictures"}  # fmt: skip
    for address, sent in (
        (V1, {"name": "a", "spec": SPEC}),
        (A, body()),
        ("/api/training/start", training),
    ):
        answer = one.post(address, json=sent)
        assert answer.status_code in (400, 422), (address, answer.text)
        assert "it is no picture" in answer.text
    checked(one, READY)
    assert one.post(V1, json={"name": "a", "spec": SPEC}).status_code == 201


def test_nothing_is_started_on_what_is_not_there_or_known(one: TestClient, root: Path):
    sent = {"name": "a", "spec": SPEC, "start": True}
    assert "is not there" in one.post(V1, json=sent).text
    assert one.post(V1, json=sent | {"start": False}).status_code == 201
    write(root / "pictures" / "notes.txt", "none")
    assert "cannot be trained on" in one.post(V1, json=sent).text


@pytest.mark.parametrize("data", [{"dataset": "group/pictures"},
                                  {"dataset": "pictures", "root": "group"}])  # fmt: skip
def test_one_of_the_same_name_in_a_folder_below_is_another(
    one: TestClient, root: Path, data: dict[str, str]
):
    classification(root / "pictures")
    classification(root / "group" / "pictures")
    checked(one, FAULTY)
    sent = {"name": "a", "spec": SPEC | {"data": data}, "start": True}
    answer = one.post(V1, json=sent)
    assert answer.status_code == 201, answer.text
