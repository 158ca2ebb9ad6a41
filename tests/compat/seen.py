"""What is answered about the home: asked of 7fb42ae once, and of the code of today in the tests."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.compat.user import Service, environment, person, plain, tandem, train

PROGRAMS = ("train_distillation.py", "train_qwen_vl_distillation.py")
COMMANDS = (
    "report {runs}/resnet --json",
    "report {runs}/detection --json",
    "cache ls --json",
    "cache verify --json",
    "cache gc --max-bytes 0 --dry-run --json",
    "predict {runs}/resnet {home}/datasets/scenes/val/day --json",
    "predict {home}/models/foreign {home}/datasets/scenes/val/day --json",
    "data check {home}/datasets/reviews --json",
    "config show --json",
)
SENTENCES = ["the film was great", "我 觉得 坏 sad"]
PROBES = {
    "text": SENTENCES,
    "sequence": ["datasets/clips/val/day/c0", "datasets/clips/train/night/c2"],
    "": ["datasets/scenes/val/night/0.png", "datasets/boxes/images/val/0.png"],
}
LEARNT = {"type", "attempt", "resumed_from_epoch", "epoch", "step", "total_epochs", "total_steps"}
LEARNT |= {"train_loss", "val_loss", "learning_rate", "terms"}
"""Of an event: not the accuracy of six texts, where one that is near the edge is a sixth."""


# --- the command line ------------------------------------------------------------------------


def commands_of() -> list[str]:
    """Every command that there is. By `make.py`: the tests ask for those that there were."""
    import typer

    from tandem.cli import app

    def walk(command: Any, path: str) -> Iterator[str]:
        yield path
        for name, below in getattr(command, "commands", {}).items():
            yield from walk(below, f"{path} {name}".strip())

    return list(walk(typer.main.get_command(app), ""))


def flags(home: Path, command: str) -> list[str]:
    """The words of a command's help that begin as a flag does."""
    if command.endswith(".py"):
        import tandem as package

        file = Path(package.__file__).parents[1] / command
        asked = [sys.executable, str(file), "--help"]
        env = environment(home)
        said = subprocess.run(asked, env=env, capture_output=True, text=True, check=True).stdout
    else:
        code, said = tandem(home, *command.split(), "--help")
        assert code == 0, f"{command}: {said}"
    return sorted(set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", said)))


def run(home: Path, line: str) -> list[Any]:
    """[exit code, what is printed] of a command."""
    code, said = tandem(home, *line.format(home=home, runs=home / "runs").split())
    try:
        return [code, plain(home, json.loads(said))]
    except ValueError:
        return [code, plain(home, said.splitlines())]


# --- models ----------------------------------------------------------------------------------


def models(home: Path) -> list[str]:
    """Every trained or imported model that is there."""
    found = [*home.glob("runs/*/final_model"), *home.glob("models/*/model.onnx")]
    return sorted(str(one.relative_to(home)) for one in found)


def predictions(home: Path, name: str) -> list[Any]:
    """A model's answers, by `tandem.load`."""
    with person(home, "python"):
        import tandem as package

        model = package.load(home / name, "cpu")
        probes = PROBES.get(model.config.kind) or PROBES[""]
        texts = model.config.kind == "text"
        return [
            answer(one) for one in model.predict(probes if texts else [home / x for x in probes])
        ]


def answer(one: Any) -> dict[str, Any]:
    """Of a picture: its class; what was found in it, the surest first; or each class's share."""
    if hasattr(one, "probabilities"):
        return {"label": one.label, "probabilities": one.probabilities}
    if hasattr(one, "shares"):
        return {"shares": one.shares, "confidences": one.confidences}
    first = [[x.label, x.confidence, list(x.box)] for x in one.found[:3]]
    return {"found": len(one.found), "first": first}


# --- the service -----------------------------------------------------------------------------


def addresses(service: Service) -> list[str]:
    """What there is to GET, on all of its surfaces."""
    tasks = [one["task_id"] for one in service.ask("GET", "/api/v1/tasks?page_size=100")["items"]]
    jobs = [one["inference_id"] for one in service.ask("GET", "/api/v1/inference")["items"]]
    sets = [one["id"] for one in service.ask("GET", "/api/v1/datasets")]
    old, new = "/model-distillation", "/api/v1"
    found = [
        *(f"{old}/{x}" for x in ("tasks", "tasks?pageSize=2&status=COMPLETED", "tasks/recent")),
        *(f"{old}/{x}" for x in ("tasks/running", "tasks/status/FAILED", "completed-models")),
        *(f"{old}/{x}" for x in ("datasets", "lora-presets", "lora-presets/mine")),
        f"{old}/inference/list",
        *(f"{new}/{x}" for x in ("tasks", "tasks?status=COMPLETED", "queue", "models", "datasets")),
        *(f"{new}/{x}" for x in ("inference", "lora-presets", "tasks/none", "session")),
        *(f"/api/training/{x}" for x in ("tasks", "history", "models", "datasets")),
    ]
    for task in tasks:
        found += [f"{old}/tasks/{task}", f"{old}/tasks/{task}/history"]
        found += [f"{old}/tasks/{task}/{x}" for x in ("history/latest", "evaluations")]
        found += [f"{old}/tasks/{task}/evaluations/{x}" for x in ("best", "latest")]
        found += [f"{new}/tasks/{task}", f"/api/training/status/{task}"]
        more = ("artefacts", "attempts", "curves", "data", "log", "report", "samples")
        found += [f"{new}/tasks/{task}/{x}" for x in more]
        found += [f"{new}/models/{task}", f"{new}/models/{task}/exports"]
    for job in jobs:
        found += [f"{old}/inference/{job}", f"{new}/inference/{job}"]
        found += [f"{new}/inference/{job}/{x}" for x in ("progress", "results", "failures")]
    for one in sets:
        found += [f"{new}/datasets/{one}"]
        found += [f"{new}/datasets/{one}/{x}" for x in ("faults", "stats", "versions", "samples")]
    done = named(service, "done")
    return [*found, f"{new}/tasks/{done}/events", f"{new}/tasks/{done}/samples/0/picture"]


def named(service: Service, name: str) -> str:
    """The id of the task that is called so."""
    items = service.ask("GET", "/api/v1/tasks?page_size=100")["items"]
    return str(next(one["task_id"] for one in items if one["name"] == name))


def outline(value: Any) -> Any:
    """Keys, and what things are called: the catalogue without its prose and numbers."""
    if isinstance(value, dict):
        return {key: outline(one) for key, one in value.items()}
    if (
        isinstance(value, list)
        and value
        and all(isinstance(x, dict) and "name" in x for x in value)
    ):
        return {one["name"]: outline(one) for one in value}
    return None


def service_commands(service: Service) -> dict[str, Any]:
    """What the command line says of it."""
    done = named(service, "done")
    lines = ("tasks --json", f"tasks show {done} --json", f"logs {done}", f"follow {done}")
    said = {line: run(service.home, f"{line} --server {service.base}") for line in lines}
    said[lines[-1]][1] = len(said[lines[-1]][1])  # its words may change, its events may not
    return said


def goes_on(service: Service) -> dict[str, Any]:
    """It reads the journal of a run that ended while no service was there, and starts the next."""
    service.dispatch()
    found: dict[str, Any] = {}
    for name in ("unheard", "queued"):
        task = named(service, name)
        address = f"/api/v1/tasks/{task}"
        ends = ("COMPLETED", "FAILED", "STOPPED")
        service.until(lambda: service.ask("GET", address)["status"] in ends)  # noqa: B023
        history = service.get(f"/model-distillation/tasks/{task}/history")[1]["data"]
        shown = service.get(address)[1]
        if name == "queued":
            history = [x["epoch"] for x in history]
            shown = {x: shown[x] for x in ("status", "progress", "current_epoch", "model_path")}
        found[name] = {"task": shown, "history": history}
    return found


# --- runs ------------------------------------------------------------------------------------


def resumed(home: Path) -> dict[str, Any]:
    """What is said by a run that goes on from its checkpoint, and by its model."""
    folder = home / "runs" / "interrupted"
    before = len(events(folder))
    code, said = train(home, home / "given" / "interrupted.json")
    assert code == 0, said
    later = events(folder)[before:]
    return {
        "fields": {one["type"]: dict.fromkeys(one) for one in later if one["type"] != "heartbeat"},
        "events": [
            {key: value for key, value in one.items() if key in LEARNT}
            for one in later
            if one["type"] not in ("notice", "heartbeat")
        ],
        "report": outline(run(home, "report {runs}/interrupted --json")[1]),
        "predictions": predictions(home, "runs/interrupted/final_model"),
    }


def warm(home: Path, name: str, samples: int) -> dict[str, Any]:
    """A run on the data of an earlier one: what its teacher is asked, of it so many to verify."""
    spec = json.loads((home / "given" / f"{name}.json").read_text())
    spec["run"]["output_dir"] = str(home / "runs" / f"{name}-again")
    spec["optim"] |= {"epochs": 1, "warmup_epochs": 0}
    spec["cache"]["verify_samples"] = samples
    file = home / "given" / f"{name}-again.json"
    file.write_text(json.dumps(spec))
    code, said = train(home, file)
    assert code == 0, said
    teacher = json.loads((home / "runs" / f"{name}-again" / "report.json").read_text())["teacher"]
    return {key: teacher[key] for key in ("forwards", "fingerprint", "verified") if key in teacher}


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
