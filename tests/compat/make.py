"""Make `made_by_7fb42ae/` again: by the code of that commit, which must be the one imported.

    git worktree add ../before 7fb42ae
    PYTHONPATH=../before .venv/bin/python tests/compat/make.py

It trains a handful of the smallest students, runs a service, and writes down the home they leave.
Then it makes the home anew from what was written, twice, and keeps what is answered about it; what
the two do not agree in (a port, a time that runs) is marked as such.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import tandem  # first: `tests` below is this branch's, tandem is not

ROOT = Path(__file__).parents[2]
BEFORE = Path(tandem.__file__).parents[1]
assert ROOT != BEFORE, "PYTHONPATH must name a checkout of 7fb42ae"
sys.path.insert(0, str(ROOT))

from tests.compat import home, openapi, seen, student_runs  # noqa: E402
from tests.compat.differences import common  # noqa: E402
from tests.compat.user import Service, environment  # noqa: E402
from tests.compat.user import tandem as command  # noqa: E402


def main() -> None:
    """With a home that was made before: only what follows."""
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else live()
    shutil.rmtree(home.MADE, ignore_errors=True)
    home.MADE.mkdir()
    home.pack(place, student_runs.images())
    answers = []
    for _ in range(2):
        again = home.empty()
        home.unpack(again)
        print("ask", again, flush=True)
        answers.append(ask(again))
        shutil.rmtree(again)
    home.write(home.SEEN, common(*answers))
    check()


def live() -> Path:
    """A home that has been used."""
    place = home.empty()
    print("make", place, flush=True)
    student_runs.data(place)
    home.settle(place)
    student_runs.train_all(place)
    interrupt(place)
    import_model(place)
    serve(place)
    return place


def ask(place: Path) -> dict[str, Any]:
    """All that the tests will ask again, in the order in which nothing changes what follows."""
    described = json.loads((BEFORE / "docs" / "openapi.json").read_text(encoding="utf-8"))
    said: dict[str, Any] = {
        "openapi": openapi.operations(described),
        "flags": {one: seen.flags(place, one) for one in [*seen.commands_of(), *seen.PROGRAMS]},
        "predictions": {one: seen.predictions(place, one) for one in seen.models(place)},
        "commands": {line: seen.run(place, line) for line in seen.COMMANDS},
    }
    with Service(place, idle=True) as service:
        said["rest"] = {path: service.get(path) for path in seen.addresses(service)}
        said["catalog"] = seen.outline(service.ask("GET", "/api/v1/catalog"))
        said["service"] = seen.service_commands(service)
        said["goes on"] = seen.goes_on(service)
    said["resumed"] = seen.resumed(place)
    said["warm"] = {name: seen.warm(place, name, n) for name, n in home.WARM.items()}
    return said


def interrupt(place: Path) -> None:
    """A run that is asked to stop in its third epoch."""
    spec = student_runs.spec_of(place, "interrupted")
    file = student_runs.given(place, spec)
    journal = place / "runs" / "interrupted" / "events.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "tandem.train", str(file)], env=environment(place)
    )
    while not (journal.is_file() and journal.read_text().count('"type":"epoch"') >= 2):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 75, "it was too quick: give it more epochs"


def import_model(place: Path) -> None:
    """An ONNX file among the models; its task is in the data base."""
    file = place.with_name(f"{place.name}-foreign.onnx")
    student_runs.foreign(file)
    words = ["--name", "foreign", "--classes", "day,dusk,night", "--accuracy", "87.5"]
    code, said = command(place, "models", "import", str(file), *words)
    assert code == 0, said
    file.unlink()


def serve(place: Path) -> None:
    """Tasks of every state, an annotation job, a preset; then the service is killed."""
    with Service(place) as service:
        done = create(service, "done", start=True)
        gone = create(service, "gone", dataset="soon-gone")
        shutil.rmtree(place / "datasets" / "soon-gone")
        create(service, "only made")
        service.until(lambda: status(service, done) == "COMPLETED")
        service.ask("POST", f"/api/v1/tasks/{gone}/start")
        service.until(lambda: status(service, gone) == "FAILED")
        told(service, done)
        unheard = create(service, "unheard", start=True, epochs=8)
        service.until(lambda: service.ask("GET", f"/api/v1/tasks/{unheard}")["current_epoch"])
        create(service, "queued", start=True, mode="direct")
        service.process.kill()
    while not list((place / "launch").glob("*.exit")):
        time.sleep(0.1)


def create(service: Service, name: str, *, start: bool = False, **changes: Any) -> str:
    spec = student_runs.text_spec(service.home, **changes)
    del spec["task_id"], spec["run"]["output_dir"]
    body = {"name": name, "description": f"made as {name}", "spec": spec, "start": start}
    return str(service.ask("POST", "/api/v1/tasks", json=body)["task_id"])


def status(service: Service, task: str) -> str:
    return str(service.ask("GET", f"/api/v1/tasks/{task}")["status"])


def told(service: Service, done: str) -> None:
    """What clients tell a service, on both of its surfaces."""
    old = "/model-distillation"
    preset = {"presetName": "mine", "loraRank": 8, "loraAlpha": 16, "targetModules": ["q_proj"]}
    service.ask("POST", f"{old}/lora-presets", json=preset)
    body = {
        "taskName": "installed",
        "teacherModel": "bert-teacher",
        "studentModel": "bert-mini",
        "totalEpochs": 3,
        "datasetId": "reviews",
    }
    made = service.ask("POST", f"{old}/tasks", json=body)["data"]["taskId"]
    for epoch in (1, 2):
        row = {"epoch": epoch, "trainLoss": 1 / epoch, "valAccuracy": 40.0 * epoch}
        service.ask("POST", f"{old}/tasks/{made}/history", json=row)
    row = {"precision": 61.5, "recall": 60.0, "f1Score": 60.7, "evalSampleCount": 20}
    service.ask("POST", f"{old}/tasks/{made}/evaluations", json=row)
    service.ask("POST", "/api/v1/datasets/reviews/check")
    checked = "/api/v1/datasets/reviews"
    service.until(lambda: service.ask("GET", checked)["checked_at"])
    job = service.ask(
        "POST", f"{old}/inference/submit", json={"taskId": done, "inputDir": "unread"}
    )["data"]["inferenceId"]
    service.until(
        lambda: service.ask("GET", f"/api/v1/inference/{job}")["status"] in ("COMPLETED", "FAILED")
    )
    assert service.ask("GET", f"/api/v1/inference/{job}")["status"] == "COMPLETED"


def check() -> None:
    """No path of this machine, and little enough."""
    files = [file for file in home.MADE.rglob("*") if file.is_file()]
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        assert not re.search(r"(?<![\w/.])/(root|home/\w+|work)/", text), file
        assert str(BEFORE) not in text, file
    sizes = sorted(((file.stat().st_size, str(file)) for file in files), reverse=True)
    for size, name in sizes[:25]:
        print(f"{size:8,} {name}")
    print(f"{sum(size for size, _ in sizes):8,} bytes in {len(files)} files")


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    main()
