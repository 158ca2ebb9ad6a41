"""Folders that are somebody else's, cannot be written, or were damaged."""

import hashlib
import json
import pickle
from pathlib import Path

import pytest

from tests.acceptance.person import Person

EVERY_EPOCH = {"run.checkpoint_interval": "1"}


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(one.relative_to(folder)): one.read_bytes() if one.is_file() else None
        for one in folder.rglob("*")
        if one.name != ".lock"
    }


@pytest.mark.parametrize(
    "theirs",
    [
        {"spec.json": "[1]"},
        {"spec.json": '{"name": "mine"}', "teacher/model.safetensors": "weights"},
        {"spec.json/x": "a folder"},
        {"events.jsonl": "my diary\n"},
        {"checkpoints": "a file"},
        {"teacher/model.safetensors": "weights"},
        {"final_model/x": "mine"},
    ],
)
def test_an_output_folder_with_somebody_elses_files_is_refused_and_left_alone(
    person: Person, tmp_path: Path, theirs: dict[str, str]
) -> None:
    folder = tmp_path / "project"
    for name, text in theirs.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    before = contents(folder)
    told = person.is_refused(output_dir=str(folder))
    assert str(folder) in told
    assert "another output folder" in told
    assert contents(folder) == before


def test_files_that_are_not_in_the_way_stay(person: Person) -> None:
    person.output.mkdir()
    (person.output / "notes.txt").write_text("mine")
    assert "no data set" in person.is_refused(dataset_id="nope")
    assert (person.output / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("place", ["a-file", "a-file/under", "/proc/tandem"])
def test_a_place_that_cannot_be_written(person: Person, tmp_path: Path, place: str) -> None:
    (tmp_path / "a-file").write_text("x")
    where = str(tmp_path / place)
    told = person.is_refused(output_dir=where)
    assert where in told
    assert "cannot be written" in told
    told = person.is_refused({"cache.root": where})
    assert where in told
    assert "cache.root" in told


def finished_checkpoints(person: Person) -> list[Path]:
    """Of a run of two epochs that lost its model and report."""
    code, told = person.types(EVERY_EPOCH, epochs="2")
    assert code == 0, told
    for file in (person.output / "final_model").iterdir():
        file.unlink()
    (person.output / "final_model").rmdir()
    (person.output / "report.json").unlink()
    return sorted((person.output / "checkpoints").glob("epoch-*"))


def test_damaged_and_hostile_checkpoints(person: Person, tmp_path: Path) -> None:
    first, second = finished_checkpoints(person)
    (second / "model.safetensors").write_bytes(b"x")
    code, told = person.types(EVERY_EPOCH, epochs="2")
    assert code == 0, told
    log = (person.output / "log.txt").read_text()
    assert "damaged-epoch-000002" in log
    assert "Going on from epoch 2" in log

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    (person.output / "report.json").unlink()
    for folder in (first, second):
        (folder / "state.pt").write_bytes(pickle.dumps(Evil()))
        digests = json.loads((folder / "manifest.json").read_text())
        digests["state.pt"] = hashlib.blake2b((folder / "state.pt").read_bytes()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(digests))
    code, told = person.types(EVERY_EPOCH, epochs="2")
    assert code == 2
    assert len(told.splitlines()) == 1
    assert "cannot be read" in told
    assert "epoch-000002" in told
    assert not (tmp_path / "ran").exists()


def test_events_cut_in_a_line_and_a_shard_that_would_run_code(
    person: Person, tmp_path: Path, home: Path
) -> None:
    code, told = person.types()
    assert code == 0, told
    (person.output / "report.json").unlink()
    journal = person.output / "events.jsonl"
    journal.write_bytes(journal.read_bytes() + b'{"seq":"x","type":[]}\n{"se')

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    for shard in (home / "cache").rglob("shard-*.data.npy"):
        size = shard.stat().st_size
        shard.write_bytes(pickle.dumps(Evil()).ljust(size, b"\0"))
    code, told = person.types()
    assert code == 0, told
    numbers = [json.loads(line)["seq"] for line in journal.read_text().splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "not whole" in journal.read_text()
    assert not (tmp_path / "ran").exists()


def test_the_token_is_nowhere(person: Person, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_RUN_TOKEN", "a-very-secret-token")
    # Port 9 of this machine: nobody listens.
    settings = {"report.delivery_grace_seconds": "0.2"}
    code, told = person.types(settings, api_base_url="http://127.0.0.1:9")
    assert code == 0, told
    assert "a-very-secret" not in told
    everything = [one for root in (person.output, home) for one in root.rglob("*") if one.is_file()]
    assert everything
    assert not any(b"a-very-secret" in one.read_bytes() for one in everything)
