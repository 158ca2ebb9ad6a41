"""Logs, models and files of a run's folder."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tandem.server.artifacts import log
from tandem.server.errors import ForbiddenError
from tandem.server.host.paths import inside
from tests.server.rows import add, here

V1 = "/api/v1/tasks/TASK_A"


@pytest.fixture
def run(client: TestClient) -> Path:
    add(client, "TASK_A", task_name="数字 / digits")
    return here(client).settings.output_root / "TASK_A"


def test_a_log_comes_in_pieces_that_cut_no_letter(client: TestClient, run: Path) -> None:
    whole = "".join(f"{line} 中文é😀\n" for line in range(500))
    (run / "log.txt").write_text(whole, encoding="utf-8")
    for limit in (4, 7, 1000):
        text, offset = "", 0
        while offset < len(whole.encode()):
            params = {"offset": offset, "limit": limit}
            answer = client.get(f"{V1}/log", params=params).json() if limit > 7 else None
            if answer is None:
                found = log.piece(run / "log.txt", offset, limit)
                answer = {"text": found.text, "next_offset": found.next_offset}
            assert answer["next_offset"] > offset
            text, offset = text + answer["text"], answer["next_offset"]
        assert text == whole
    last = client.get(f"{V1}/log", params={"tail": 2}).json()
    assert last["text"] == "498 中文é😀\n499 中文é😀\n"
    assert last["next_offset"] == last["total_bytes"] == len(whole.encode())
    part = client.get(f"{V1}/log/raw", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, whole.encode()[:4])
    assert part.headers["x-content-type-options"] == "nosniff"


def test_the_model_is_a_zip_of_the_folder(client: TestClient, run: Path) -> None:
    assert client.get(f"{V1}/model").status_code == 404
    model = run / "final_model"
    (model / "sub").mkdir(parents=True)
    contents = {"model.safetensors": b"\0" * 700_000, "sub/é.json": b"{}"}
    for name, data in contents.items():
        (model / name).write_bytes(data)
    answer = client.get(f"{V1}/model")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == contents
    assert "filename*=UTF-8''%E6%95%B0" in answer.headers["content-disposition"]
    assert client.get(f"{V1}/model").content == answer.content
    (model / "out").symlink_to("/etc/passwd")
    assert client.get(f"{V1}/model").status_code == 403


def test_only_files_of_the_run_are_given(client: TestClient, run: Path) -> None:
    (run / "a.txt").write_text("<script>")
    (run / "out").symlink_to("/etc")
    items = client.get(f"{V1}/artefacts").json()["items"]
    assert items == [{"path": "a.txt", "size_bytes": 8}]
    answer = client.get(f"{V1}/artefacts/a.txt")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert client.get(f"{V1}/artefacts/none").status_code == 404
    for name in ("%2e%2e/x", "out/passwd", "%2Fetc/passwd", "%252e%252e/x", "a%00"):
        assert client.get(f"{V1}/artefacts/{name}").status_code == 403
    assert client.get(f"{V1}/report").status_code == 404
    assert client.get("/api/v1/tasks/NONE/artefacts").status_code == 404


@pytest.mark.parametrize("name", ["..", "/a", "a/../..", "%2e%2e/a", "a\\..\\..", "\0", "a\ud800"])
def test_a_name_that_leaves_its_root_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ForbiddenError):
        inside(tmp_path, name)


def test_a_letter_that_is_still_being_written_is_not_broken(run: Path) -> None:
    file = run / "log.txt"
    file.write_bytes("ab一".encode()[:4])
    first = log.piece(file, 0, 100)
    waiting = log.piece(file, first.next_offset, 100)
    assert (first.text, waiting.text, waiting.next_offset) == ("ab", "", 2)
    file.write_bytes("ab一二\n".encode())
    assert log.piece(file, waiting.next_offset, 100).text == "一二\n"


def test_pieces_end_with_a_line_where_there_is_one(run: Path) -> None:
    file = run / "log.txt"
    file.write_text("一二三\nab\n一二三四\n", encoding="utf-8")
    first = log.piece(file, 0, 16)
    assert first.text == "一二三\nab\n"
    assert log.piece(file, first.next_offset, 16).text == "一二三四\n"
