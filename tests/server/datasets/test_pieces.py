"""Uploads in pieces: what does not fit, what is known; versions, and what a run records."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.server.datasets.archives import shapes_zip
from tests.server.faults.small_server import SmallServer, wait_for

V1 = "/api/v1"
HALF = 2000


def begin(client: Any, archive: bytes, name: str = "shapes", **more: str) -> dict[str, Any]:
    answer = client.post(f"{V1}/uploads", json={"name": name, "size": len(archive), **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def send(client: Any, id: str, data: bytes, at: int = 0) -> Any:
    headers = {"Upload-Offset": str(at), "Content-Type": "application/octet-stream"}
    return client.put(f"{V1}/uploads/{id}", content=data, headers=headers)


def whole(client: Any, archive: bytes, name: str = "shapes", **more: str) -> dict[str, Any]:
    id = begin(client, archive, name, **more)["id"]
    assert send(client, id, archive).json()["offset"] == len(archive)
    return dict(client.post(f"{V1}/uploads/{id}/complete").json())


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    return shapes_zip(tmp_path / "made", inside="shapes/")


@pytest.fixture
def server(home: Path, make_url: Callable[[str], str]) -> Iterator[SmallServer]:
    with SmallServer(home, make_url("sqlite")) as running:
        yield running


def test_pieces_that_do_not_fit_are_refused(client: TestClient, archive: bytes):
    id = begin(client, archive)["id"]
    send(client, id, archive[:HALF])
    refused = send(client, id, archive[:10], 5)
    assert refused.status_code == 409
    assert str(HALF) in refused.json()["detail"]
    assert client.post(f"{V1}/uploads/{id}/complete").status_code == 409
    assert send(client, id, archive[HALF:] + b"more", HALF).status_code == 413


def test_the_same_content_again_is_the_same_dataset(client: TestClient, archive: bytes):
    assert whole(client, archive)["dataset"] == "shapes"
    assert whole(client, archive)["dataset"] == "shapes"
    assert whole(client, archive, "other")["dataset"] == "shapes"
    assert [one["id"] for one in client.get(f"{V1}/datasets").json()] == ["shapes"]


def test_a_name_that_is_taken_is_refused(client: TestClient, archive: bytes):
    whole(client, archive)
    taken = client.post(f"{V1}/uploads", json={"name": "shapes", "size": 1234})
    assert taken.status_code == 409
    for name in ("../out", "a/b", ".hidden", "/abs", "end.", ""):
        asked = client.post(f"{V1}/uploads", json={"name": name, "size": 1234})
        assert asked.status_code == 422


def test_another_digest_than_was_said_is_refused(client: TestClient, archive: bytes):
    id = begin(client, archive, sha256="0" * 64)["id"]
    send(client, id, archive)
    assert client.post(f"{V1}/uploads/{id}/complete").status_code == 409
    assert client.get(f"{V1}/datasets").json() == []


def test_versions_are_made_of_what_changed_and_stay(client: TestClient, archive: bytes, home: Path):
    whole(client, archive)
    url = f"{V1}/datasets/shapes/versions"
    first = client.post(url).json()
    assert (first["number"], first["files"]) == (1, 18)
    assert client.post(url).json() == first
    image = home / "datasets" / "shapes" / "train" / "cross" / "0.png"
    os.utime(image, ns=(1, 1))  # touched, not changed
    assert client.post(url).json()["digest"] == first["digest"]
    image.unlink()
    second = client.post(url).json()
    assert (second["number"], second["files"]) == (2, 17)
    assert [one["digest"] for one in client.get(url).json()] == [second["digest"], first["digest"]]


def test_a_run_says_which_version_it_used(server: SmallServer, archive: bytes):
    whole(server.http, archive, "pictures")
    task_id = server.create(epochs=1000, epoch_seconds=0.05, start=True)
    [used] = wait_for(lambda: server.v1_task(task_id)["data"])
    assert (used["name"], used["number"], used["part"]) == ("pictures", 1, "train")
    [version] = server.get(f"{V1}/datasets/pictures/versions")
    assert used["digest"] == version["digest"]
    refused = server.ask("DELETE", f"{V1}/datasets/pictures")
    assert refused.status_code == 409
    assert task_id in refused.json()["detail"]
    server.post(f"{V1}/tasks/{task_id}/stop")
    wait_for(lambda: server.task(task_id)["status"] == "STOPPED")
    assert server.ask("DELETE", f"{V1}/datasets/pictures").status_code == 204
    assert not (server.home / "datasets" / "pictures").exists()
