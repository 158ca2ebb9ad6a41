"""Uploads that break off, come twice, or are bad, on each data base."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tandem.executors.fake import FakeExecutor
from tandem.server.app import create_app
from tandem.server.db.database import Database
from tests.conftest import make_shapes
from tests.server.faults.small_server import SmallServer, wait_for

from . import zips


@pytest.fixture
def server(tmp_path: Path, make_url) -> Iterator[SmallServer]:
    home = tmp_path / "home"
    home.mkdir()
    with SmallServer(home, make_url("sqlite")) as running:
        yield running


@pytest.fixture
def each(database: Database, settings_of) -> Iterator[TestClient]:
    """The service on each data base in turn, in this process."""
    url = database.url.render_as_string(hide_password=False)
    app = create_app(settings_of(url), FakeExecutor(), dispatch=True)  # which also checks
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


Asker = SmallServer | TestClient


def ask(server: Asker, method: str, path: str, **options):
    return (server.ask if isinstance(server, SmallServer) else server.request)(
        method, path, **options
    )


def told(server: Asker, method: str, path: str):
    answer = ask(server, method, path)
    assert answer.is_success, answer.text
    return answer.json()


def begin(server: Asker, content: bytes, name: str = "pets", **more) -> str:
    asked = {"name": name, "size": len(content), **more}
    answer = ask(server, "POST", "/api/v1/uploads", json=asked)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def send(server: Asker, id: str, at: int, piece: bytes):
    headers = {"Upload-Offset": str(at), "Content-Type": "application/octet-stream"}
    return ask(server, "PUT", f"/api/v1/uploads/{id}", content=piece, headers=headers)


def checked(server: Asker, name: str) -> dict:
    def look():
        found = told(server, "GET", f"/api/v1/datasets/{name}")
        return found if found["status"] in ("READY", "FAULTY") else None

    return wait_for(look)


def test_pieces_go_on_where_they_ended_and_known_content_is_recognised(each, tmp_path):
    content = zips.shapes(tmp_path / "shapes", "pets/")
    digest = hashlib.sha256(content).hexdigest()
    id = begin(each, content, sha256=digest)
    assert send(each, id, 0, content[:1000]).json()["offset"] == 1000
    assert told(each, "GET", f"/api/v1/uploads/{id}")["offset"] == 1000
    wrong = send(each, id, 500, content[500:])
    assert wrong.status_code == 409
    assert "1000" in wrong.json()["detail"]
    assert send(each, id, 1000, content[1000:]).json()["offset"] == len(content)
    done = told(each, "POST", f"/api/v1/uploads/{id}/complete")
    assert (done["status"], done["dataset"]) == ("READY", "pets")
    found = checked(each, "pets")
    assert (found["status"], found["type"], found["errors"]) == ("READY", "classification", 0)
    assert found["items"] == {"train": 6, "val": 3}
    assert found["per_class"]["train"] == {"circle": 2, "cross": 2, "square": 2}
    version = told(each, "POST", "/api/v1/datasets/pets/versions")
    assert (version["files"], version["classes"]) == (9, ["circle", "cross", "square"])
    again = begin(each, content, "other")
    send(each, again, 0, content)
    assert told(each, "POST", f"/api/v1/uploads/{again}/complete")["dataset"] == "pets"
    assert [one["id"] for one in told(each, "GET", "/api/v1/datasets")] == ["pets"]


def test_class_folders_alone_are_ready(server, tmp_path):
    """No train/ around them: they are train, and val is held out when it is learnt."""
    made = make_shapes(tmp_path / "made", train=4) / "train"
    content = zips.of_folder(made)
    id = begin(server, content)
    send(server, id, 0, content)
    server.post(f"/api/v1/uploads/{id}/complete")
    found = checked(server, "pets")
    assert (found["status"], found["type"], found["errors"]) == ("READY", "classification", 0)
    assert found["items"] == {"train": 12}


def test_an_upload_and_its_check_survive_the_server(server, tmp_path):
    folder = tmp_path / "bad"
    zips.shapes(folder)
    (folder / "train" / "circle" / "0.png").write_bytes(b"no picture")
    content = zips.of_folder(folder)
    id = begin(server, content)
    assert send(server, id, 0, content[:1000]).json()["offset"] == 1000
    server.kill()
    server.start()
    assert server.get(f"/api/v1/uploads/{id}")["offset"] == 1000
    assert send(server, id, 1000, content[1000:]).json()["offset"] == len(content)
    server.post(f"/api/v1/uploads/{id}/complete")
    server.kill()
    server.start()
    found = checked(server, "pets")
    assert found["status"] == "FAULTY"
    assert found["errors"] == 1
    faults = server.get("/api/v1/datasets/pets/faults")
    assert faults["total"] == 1
    assert faults["items"][0]["file"] == "train/circle/0.png"
    assert not faults["items"][0]["what"].startswith("train/circle")


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
