"""Uploads that break off, come twice, or are bad; versions; a run records what it used."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.server.faults.small_server import SmallServer, wait_for

from . import zips


@pytest.fixture(params=["sqlite", "mariadb", "postgresql"])
def server(request, tmp_path: Path, make_url):
    home = tmp_path / "home"
    home.mkdir()
    with SmallServer(home, make_url(request.param)) as running:
        yield running


@pytest.fixture
def small(tmp_path: Path, make_url):
    home = tmp_path / "home"
    home.mkdir()
    with SmallServer(home, make_url("sqlite")) as running:
        yield running


def begin(server: SmallServer, content: bytes, name: str = "pets", **more) -> str:
    answer = server.ask(
        "POST", "/api/v1/uploads", json={"name": name, "size": len(content), **more}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def send(server: SmallServer, id: str, at: int, piece: bytes):
    headers = {"Upload-Offset": str(at), "Content-Type": "application/octet-stream"}
    return server.ask("PUT", f"/api/v1/uploads/{id}", content=piece, headers=headers)


def checked(server: SmallServer, name: str) -> dict:
    def look():
        found = server.get(f"/api/v1/datasets/{name}")
        return found if found["status"] in ("READY", "FAULTY") else None

    return wait_for(look)


def test_pieces_go_on_after_the_server_was_killed_and_known_content_is_recognised(server, tmp_path):
    content = zips.shapes(tmp_path / "shapes", "pets/")
    digest = hashlib.sha256(content).hexdigest()
    id = begin(server, content, sha256=digest)
    assert send(server, id, 0, content[:1000]).json()["offset"] == 1000
    server.kill()
    server.start()
    assert server.get(f"/api/v1/uploads/{id}")["offset"] == 1000
    wrong = send(server, id, 500, content[500:])
    assert wrong.status_code == 409
    assert "1000" in wrong.json()["detail"]
    assert send(server, id, 1000, content[1000:]).json()["offset"] == len(content)
    done = server.post(f"/api/v1/uploads/{id}/complete")
    assert (done["status"], done["dataset"]) == ("READY", "pets")
    found = checked(server, "pets")
    assert (found["status"], found["type"], found["errors"]) == ("READY", "classification", 0)
    assert found["items"] == {"train": 6, "val": 3}
    assert found["per_class"]["train"] == {"circle": 2, "cross": 2, "square": 2}
    again = begin(server, content, "other")
    send(server, again, 0, content)
    assert server.post(f"/api/v1/uploads/{again}/complete")["dataset"] == "pets"
    assert [one["id"] for one in server.get("/api/v1/datasets")] == ["pets"]


def test_a_check_survives_the_server_and_lists_faults(small, tmp_path):
    folder = tmp_path / "bad"
    content = zips.shapes(folder)
    (folder / "train" / "circle" / "0.png").write_bytes(b"no picture")
    content = zips.of_folder(folder)
    id = begin(small, content)
    send(small, id, 0, content)
    small.post(f"/api/v1/uploads/{id}/complete")
    small.kill()
    small.start()
    found = checked(small, "pets")
    assert found["status"] == "FAULTY"
    assert found["errors"] == 1
    faults = small.get("/api/v1/datasets/pets/faults")
    assert faults["total"] == 1
    assert faults["items"][0]["file"] == "train/circle/0.png"


def test_a_bad_archive_leaves_nothing_half_imported(small):
    for name, content in {**zips.HOSTILE, "lying": zips.lying()}.items():
        if len(content) < 22:
            continue
        id = begin(small, content, "bad")
        send(small, id, 0, content)
        answer = small.ask("POST", f"/api/v1/uploads/{id}/complete")
        assert answer.status_code in (400, 422), (name, answer.text)
        assert small.get("/api/v1/datasets") == []
        assert small.get(f"/api/v1/uploads/{id}")["status"] == "FAULTY"
    uploads = small.home / "uploads"
    assert [one.name for one in uploads.glob("*.zip")] == []


def test_more_than_was_said_and_a_wrong_sum_are_refused(small, tmp_path):
    content = zips.shapes(tmp_path / "shapes")
    id = begin(small, content[:-10])
    assert send(small, id, 0, content).status_code == 413
    other = begin(small, content, sha256="0" * 64)
    send(small, other, 0, content)
    assert small.ask("POST", f"/api/v1/uploads/{other}/complete").status_code == 409
    for name in ("../x", ".hidden", "a/b", ""):
        body = {"name": name, "size": 100}
        assert small.ask("POST", "/api/v1/uploads", json=body).status_code == 422


def test_versions_change_with_the_content_alone(small, tmp_path):
    from tests.conftest import make_shapes

    root = small.home / "datasets" / "pets"
    make_shapes(root, train=2, val=1)
    first = small.post("/api/v1/datasets/pets/versions")
    (root / "val" / "circle" / "0.png").touch()
    assert small.post("/api/v1/datasets/pets/versions")["digest"] == first["digest"]
    (root / "train" / "circle" / "0.png").unlink()
    second = small.post("/api/v1/datasets/pets/versions")
    assert (second["number"], second["files"]) == (2, first["files"] - 1)
    listed = small.get("/api/v1/datasets/pets/versions")
    assert [one["number"] for one in listed] == [2, 1]


def test_a_run_records_the_version_it_used_and_its_data_cannot_go(small):
    from tests.conftest import make_shapes

    make_shapes(small.home / "datasets" / "pictures", train=2, val=1)
    task = small.create(epochs=200, start=True)
    data = wait_for(lambda: small.get(f"/api/v1/tasks/{task}/data"))
    assert (data[0]["part"], data[0]["name"], data[0]["number"]) == ("train", "pictures", 1)
    refused = small.ask("DELETE", "/api/v1/datasets/pictures")
    assert refused.status_code == 409
    assert task in refused.json()["detail"]
    small.post(f"/api/v1/tasks/{task}/stop")
    wait_for(lambda: small.get(f"/api/v1/tasks/{task}")["status"] == "STOPPED")
    assert small.ask("DELETE", "/api/v1/datasets/pictures").status_code == 204
    assert not (small.home / "datasets" / "pictures").exists()
