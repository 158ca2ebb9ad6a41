"""Uploads that break off, come twice, or are bad, on each data base."""

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
    version = server.post("/api/v1/datasets/pets/versions")
    assert (version["files"], version["classes"]) == (9, ["circle", "cross", "square"])
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


def test_a_bad_archive_leaves_nothing_half_imported(client, home):
    for name, content in {**zips.HOSTILE, "lying": zips.lying()}.items():
        body = {"name": "bad", "size": len(content)}
        begun = client.post("/api/v1/uploads", json=body)
        if len(content) < 22:  # no ZIP is so small
            assert begun.status_code == 422
            continue
        url = f"/api/v1/uploads/{begun.json()['id']}"
        client.put(url, content=content, headers={"Upload-Offset": "0"})
        answer = client.post(f"{url}/complete")
        assert answer.status_code == 422, (name, answer.text)
        assert "outside" in answer.json()["detail"] or name != "climbs"
        assert client.get("/api/v1/datasets").json() == []
        said = client.get(url).json()
        assert (said["status"], said["dataset"]) == ("FAULTY", None)
        assert said["message"] in answer.json()["detail"]
    assert list((home / "datasets").iterdir()) == []
    assert list((home / "uploads").glob("*.zip")) == []
