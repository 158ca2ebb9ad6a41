"""The command line as a client, against a real service whose runs cost no torch."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem import cli
from tandem.commands.guard import guarded
from tandem.commands.i18n import run_program
from tests.server.faults.small_server import SmallServer, wait_for

PACE = ["--set", "loss.options={pace: {epoch_seconds: 0.05}}"]
DIRECT = ["--dataset_id", "pictures", "--training_mode", "direct", "--student_model", "resnet18",
          "--gpu_devices", "cpu"]  # fmt: skip


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallServer]:
    home.mkdir()
    with SmallServer(home, f"sqlite:///{home / 'tandem.db'}") as running:
        running.put_images()
        monkeypatch.setenv("TANDEM_SERVER_URL", running.base_url)
        yield running


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tandem", *words])
    return guarded(lambda: run_program(cli.app, "tandem"))


class Tandem:
    """`tandem …` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str, code: int = 0) -> str:
        """Its stdout; `self.err` has the other."""
        found = run(self._monkeypatch, *words)
        out, self.err = self._capsys.readouterr()
        assert found == code, out + self.err
        return out


@pytest.fixture
def tandem(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tandem:
    return Tandem(monkeypatch, capsys)


def test_a_task_from_submission_to_its_model(
    server: SmallServer, tandem: Tandem, tmp_path: Path
) -> None:
    task = tandem(
        "submit", *DIRECT, *PACE, "--epochs", "3", "--name", "猫 🐈", "--priority=2"
    ).strip()
    assert re.fullmatch(r"TASK_[0-9A-F]{8}", task)
    assert f"{server.base_url}/api/v1/tasks/{task}" in tandem.err
    lines = tandem("follow", task)
    assert "3 epochs on cpu" in lines
    assert "Epoch 3/3" in lines
    assert "Finished after" in lines
    listed = tandem("tasks", "--keyword", "猫")
    for word in (task, "猫 🐈", "finished", "100 %", "3/3"):
        assert word in listed
    shown = json.loads(tandem("tasks", "show", task, "--json"))
    assert (shown["status"], shown["priority"]) == ("COMPLETED", 2)
    assert "猫 🐈" in tandem("tasks", "show", task)
    tandem("model", task, "-o", str(tmp_path))
    assert (tmp_path / f"{task}.zip").read_bytes()[:2] == b"PK"
    tandem("tasks", "rm", task)
    assert "no tasks yet" in tandem("tasks")
    assert "There is no task" in (tandem("follow", task, code=2) or tandem.err)


def test_a_spec_file_flags_and_what_the_service_decides_itself(
    server: SmallServer, tandem: Tandem
) -> None:
    Path("run.yaml").write_text(
        "task_id: from the file\nmode: direct\ndata: {dataset: pictures}\n"
        "student: {size: resnet18}\noptim: {epochs: 9}\nrun: {output_dir: runs/mine}\n"
    )
    task = tandem("submit", "run.yaml", "--epochs", "4", "--no-start").strip()
    assert "--output_dir" in tandem.err
    shown = server.v1_task(task)
    assert (shown["name"], shown["status"], shown["total_epochs"]) == (
        "from the file",
        "PENDING",
        4,
    )
    told = json.loads(tandem("submit", *DIRECT, "--json", "--no-start"))
    assert told["name"] == "pictures-resnet18"


def test_paths_here_are_made_absolute(server: SmallServer, tandem: Tandem) -> None:
    (Path.cwd() / "here").mkdir()
    words = ["--training_mode", "direct", "--student_model", "resnet18"]
    tandem("submit", "--dataset_id", "./here", *words, code=2)
    assert "outside" in tandem.err
    assert str(Path.cwd() / "here") in tandem.err
    # The service's own come first.
    (server.home / "datasets" / "here").mkdir(parents=True)
    tandem("submit", "--dataset_id", "here", *words, "--no-start")


def test_stop_pause_and_resume(server: SmallServer, tandem: Tandem) -> None:
    task = tandem("submit", *DIRECT, *PACE, "--epochs", "60").strip()
    wait_for(lambda: server.v1_task(task)["current_epoch"])
    tandem("stop", task, "--wait")
    assert f"{task} is stopped" in tandem.err
    tandem("stop", task, code=2)
    tandem("resume", task)
    wait_for(lambda: server.v1_task(task)["status"] == "RUNNING")
    tandem("stop", task, "--pause", "--wait")
    assert f"{task} is paused" in tandem.err
    tandem("follow", task, code=75)
    assert f"tandem resume {task}" in tandem.err
    assert "Epoch 60/60" in tandem("resume", task, "--follow")


def test_the_queue_is_shown_and_put_into_another_order(server: SmallServer, tandem: Tandem) -> None:
    running = tandem("submit", *DIRECT, *PACE, "--epochs", "400").strip()
    wait_for(lambda: server.v1_task(running)["status"] == "RUNNING")
    first, second = (tandem("submit", *DIRECT, "--epochs", "1").strip() for _ in range(2))
    assert server.queued() == [first, second]
    tandem("tasks", "move", second, "--to", "1")
    assert "number 1 now" in tandem.err
    assert server.queued() == [second, first]
    waiting = tandem("tasks", "--status", "queued")
    assert running not in waiting
    assert re.search(rf"{second} .* 1\. ", waiting)
    assert "no state sleeping" in (tandem("tasks", "--status", "sleeping", code=2) or tandem.err)
    tandem("stop", running, "--wait")


def test_logs_to_the_end(server: SmallServer, tandem: Tandem) -> None:
    task = tandem("submit", *DIRECT, "--epochs", "1").strip()
    wait_for(lambda: server.v1_task(task)["status"] == "COMPLETED")
    log = server.run_dir(task) / "log.txt"
    log.write_text("".join(f"line {n} 行\n" for n in range(5000)), encoding="utf-8")
    assert tandem("logs", task, "-n", "2") == "line 4998 行\nline 4999 行\n"
    whole = tandem("logs", task, "-n", "5000", "--follow")
    assert whole.splitlines()[-1] == "line 4999 行"


def test_ctrl_c_leaves_the_training_alone(server: SmallServer, tandem: Tandem) -> None:
    task = tandem("submit", *DIRECT, *PACE, "--epochs", "400").strip()
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "tandem.cli", "follow", task]
    following = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert following.stdout is not None
    while "Epoch 1/" not in following.stdout.readline():
        assert following.poll() is None
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=30)
    assert following.returncode == 130
    assert "The training goes on" in said
    assert "Traceback" not in said
    assert server.v1_task(task)["status"] == "RUNNING"
    tandem("stop", task, "--wait")


@pytest.mark.parametrize(
    "words",
    [["tasks"], ["follow", "T"], ["logs", "T"], ["stop", "T"], ["resume", "T"],
     ["tasks", "rm", "T"], ["model", "T", "-o", "x.zip"], ["submit", *DIRECT]],
)  # fmt: skip
def test_without_a_service_one_sentence_names_the_fix(words: list[str], tandem: Tandem) -> None:
    tandem(*words, "--server", "http://127.0.0.1:9", code=1)
    assert tandem.err.count("\n") == 1
    assert "`tandem serve`" in tandem.err
    assert not Path("x.zip").exists()


def test_db_commands_reach_the_data_base(tandem: Tandem, home: Path) -> None:
    home.mkdir()
    assert "empty" in tandem("db", "status", code=1)
    tandem("db", "upgrade", "--sample-data")
    assert json.loads(tandem("db", "status", "--json"))["state"] == "current"


def test_what_a_client_needs_is_light() -> None:
    script = (
        "import sys\nfrom tandem.commands.service import follow, submit, tasks\n"
        "print([m for m in ('torch','fastapi','sqlalchemy','uvicorn','numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_help_is_quick_to_load() -> None:
    script = (
        "import sys, tandem.cli\n"
        "print([m for m in ('torch','fastapi','sqlalchemy','httpx','rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_old_checkpoints_are_shown_before_they_go(server: SmallServer, tandem: Tandem) -> None:
    task = tandem("submit", *DIRECT, "--epochs", "1").strip()
    wait_for(lambda: server.v1_task(task)["status"] == "COMPLETED")
    saved = [server.run_dir(task) / "checkpoints" / f"epoch-{n:06d}" for n in (1, 2, 3)]
    for folder in saved:
        folder.mkdir(parents=True)
        (folder / "weights").write_bytes(b"x" * 1000)
        (folder / "manifest.json").write_text('["weights"]')
        (folder / "position.json").write_text('{"best_epoch": 2}')
    words = ["tasks", "gc", "--older-than-days", "0"]
    wait_for(lambda: task in tandem(*words))  # its process is still ending
    listed = tandem(*words)
    assert "--yes deletes them" in listed
    assert str(saved[0]) in listed
    assert str(saved[1]) not in listed
    assert all(folder.exists() for folder in saved)
    told = json.loads(tandem(*words, "--yes", "--json"))
    assert told["deleted"]
    assert [item["path"] for item in told["items"]] == [str(saved[0])]
    assert [folder.exists() for folder in saved] == [False, True, True]
    assert "Nothing to delete" in tandem(*words, "--yes")
