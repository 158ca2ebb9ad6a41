"""What only real processes show: sessions, dead shells, pids used again, dead servers."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tandem.executors import processes
from tandem.executors.base import Handle, Launch, LaunchError
from tandem.executors.local import LocalExecutor
from tests.executors.runs import COMMAND, SECRET, LocalStage, digest, until

TOKEN = digest(SECRET)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def stage(tmp_path: Path):
    made = LocalStage(tmp_path)
    yield made
    made.close()


def state(stage: LocalStage, handle: Handle) -> str:
    return stage.executor.status(handle, TOKEN).state


def test_the_trainer_gets_its_token_and_none_of_the_servers_secrets(
    stage: LocalStage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TANDEM_ACCESS_TOKEN", "a")
    monkeypatch.setenv("TANDEM_DATABASE_URL", "sqlite:///x")
    monkeypatch.setenv("MYSQL_PASSWORD", "b")
    monkeypatch.setenv("SOMEWHERE", "mysql://root:b@localhost/x")
    monkeypatch.setenv("KEPT", "c")
    stage.launch()
    seen = json.loads((stage.folder / "environment").read_text())
    assert seen["TANDEM_RUN_TOKEN"] == SECRET
    assert seen["KEPT"] == "c"
    assert not {"TANDEM_ACCESS_TOKEN", "TANDEM_DATABASE_URL", "MYSQL_PASSWORD"} & seen.keys()
    assert "SOMEWHERE" not in seen


def test_it_has_its_own_session_and_leaves_its_stderr(stage: LocalStage):
    handle = stage.launch()
    assert os.getsid(int(handle.id)) == int(handle.id)
    text = (stage.folder / "run" / "stderr.txt").read_text()
    assert text == "== attempt 1 ==\na word on stderr\n"
    assert SECRET not in " ".join(psutil.Process(int(handle.id)).cmdline())


def test_without_its_shell_the_trainer_is_alive_and_hears_a_stop(stage: LocalStage):
    handle = stage.launch()
    os.kill(int(handle.id), signal.SIGKILL)
    until(
        lambda: psutil.Process(int((stage.folder / "ready").read_text())).ppid() != int(handle.id)
    )
    assert state(stage, handle) == "alive"
    stage.executor.stop(handle, TOKEN)
    until(lambda: state(stage, handle) == "gone")
    assert (stage.folder / "asked").exists()


def test_a_kill_reaches_processes_in_sessions_of_their_own(stage: LocalStage):
    spec = stage.folder / "TASK_1-1.json"
    spec.write_text(json.dumps({"folder": str(stage.folder), "child": True, "deaf": True}))
    launch = Launch("TASK_1", 1, spec, stage.folder / "run", SECRET)
    handle = stage.executor.launch(launch)
    until(lambda: (stage.folder / "ready").exists())
    child = int((stage.folder / "child").read_text())
    trainer = int((stage.folder / "ready").read_text())
    os.kill(trainer, signal.SIGKILL)
    until(lambda: Path(handle.exit_file).exists())  # the shim has seen it
    assert state(stage, handle) == "alive"
    until(lambda: stage.executor.kill(handle, TOKEN) or state(stage, handle) != "alive")
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie"
    assert stage.executor.status(handle, TOKEN).exit_code == -9


def test_a_pid_used_again_is_gone_and_left_alone(stage: LocalStage, tmp_path: Path):
    other = subprocess.Popen(["/bin/sleep", "60"])
    try:
        born = stage.executor._handle(other.pid, "", tmp_path / "none")
        handle = born.model_copy(update={"born": "12345 of-another-boot"})
        for one in (born, handle):
            assert state(stage, one) == "gone"
            stage.executor.stop(one, TOKEN)
            stage.executor.kill(one, TOKEN)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_run_survives_its_server_and_another_finds_how_it_ended(tmp_path: Path):
    code = f"""
import sys, time
from pathlib import Path
from tandem.executors.base import Launch
from tandem.executors.local import LocalExecutor
folder = Path({str(tmp_path)!r})
spec = folder / "TASK_1-1.json"
spec.write_text('{{"folder": "%s"}}' % folder)
handle = LocalExecutor(command={COMMAND!r}).launch(Launch("TASK_1", 1, spec, folder, {SECRET!r}))
print(handle.model_dump_json(), flush=True)
time.sleep(60)
"""
    server = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    assert server.stdout is not None
    handle = Handle.model_validate_json(server.stdout.readline())
    server.kill()
    server.wait()
    server.stdout.close()
    until(lambda: (tmp_path / "ready").exists())
    executor = LocalExecutor()
    assert executor.status(handle, TOKEN).state == "alive"
    assert executor.find(tmp_path / "TASK_1-1.json", TOKEN) == handle
    (tmp_path / "end").write_text("-9")
    until(lambda: executor.status(handle, TOKEN).state == "ended")
    assert executor.status(handle, TOKEN).exit_code == -9
    assert executor.find(tmp_path / "TASK_1-1.json", TOKEN) is not None


def test_no_zombie_stays(stage: LocalStage):
    handle = stage.launch()
    stage.end(handle, 0)
    until(lambda: state(stage, handle) == "ended")
    until(lambda: state(stage, handle) and not psutil.pid_exists(int(handle.id)))


def test_what_cannot_be_started_says_so(tmp_path: Path):
    (tmp_path / "file").touch()
    launch = Launch("TASK_1", 1, tmp_path / "TASK_1-1.json", tmp_path / "file" / "run", SECRET)
    with pytest.raises(LaunchError, match="cannot be started: Not a directory"):
        LocalExecutor(command=COMMAND).launch(launch)


def test_a_signal_is_not_sent_to_a_pid_that_has_changed_hands(stage: LocalStage):
    handle = stage.launch()
    seen = processes.look(int(handle.id))
    assert seen is not None
    processes.send(dataclasses.replace(seen, born="1 before"), signal.SIGKILL, TOKEN)
    processes.send(seen, signal.SIGKILL, digest("other"))
    assert state(stage, handle) == "alive"
    assert processes.look(int(handle.id)) == seen
