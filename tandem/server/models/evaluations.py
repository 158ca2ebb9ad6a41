"""A model measured on labelled data: `tandem evaluate` in a process of its own.

As with exports, the state lies beside the model and is there after a restart; one whose process
is gone has ended: well, if it has said its figures.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

from tandem.executors.processes import look
from tandem.server.context import Context
from tandem.server.errors import ConflictError, InvalidError
from tandem.server.host.clock import now
from tandem.server.host.paths import inside
from tandem.server.models import allowed_paths, children
from tandem.server.models.facts import read_json
from tandem.server.models.schemas import NewEvaluation
from tandem.server.tasks.creation.allowed_paths import inside as inside_roots
from tandem.spec.i18n import language, t

FOLDER, STATE = "evaluations", ".evaluations.json"
SECONDS = 6 * 3600
KEPT = 20
_LOCK = threading.Lock()


class EvaluationState(TypedDict):
    """One measurement as the state file has it."""

    id: str
    dataset: str
    status: str
    result: dict[str, Any] | None
    message: str | None
    started_at: str
    ended_at: str | None
    pid: int
    born: str


def items(model: Path) -> list[EvaluationState]:
    """The last of them, newest first."""
    with _LOCK:
        return sorted(_settled(model).values(), key=lambda one: one["started_at"], reverse=True)


def begin(context: Context, model: Path, asked: NewEvaluation) -> EvaluationState:
    """Start one; InvalidError without such a data set, ConflictError while another runs."""
    dataset = inside_roots("dataset", asked.dataset, context.settings.datasets_root)
    if not dataset.is_dir():
        problem = t("There is no data set {name}.", name=asked.dataset)
        raise InvalidError([{"field": "dataset", "problem": problem}])
    with _LOCK:
        there = _settled(model)
        if any(one["status"] == "RUNNING" for one in there.values()):
            raise ConflictError(
                "This model is being measured already.", fix="Wait for its end, then ask again."
            )
        _folder(model).mkdir(exist_ok=True)
        key = secrets.token_hex(4)
        child = _launch(context, model, dataset, asked, key)
        seen = look(child.pid)
        there[key] = {
            "id": key,
            "dataset": asked.dataset,
            "status": "RUNNING",
            "result": None,
            "message": None,
            "started_at": now().isoformat(),
            "ended_at": None,
            "pid": child.pid,
            "born": seen.born if seen else "",
        }
        item = there[key]
        children.write_state(_folder(model) / STATE, _newest(there))
    threading.Thread(target=_watch, args=(child, model), daemon=True).start()
    return item


def _launch(
    context: Context, model: Path, dataset: Path, asked: NewEvaluation, key: str
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tandem.cli", "evaluate", str(model), str(dataset), "--json"]
    for flag, value in (("--split", asked.split), ("--type", asked.type)):
        command += [flag, value] if value else []
    with _said(model, key).open("wb") as out, _erred(model, key).open("wb") as err:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=children.environment(context.settings.home, language()),
            cwd=_folder(model),
            start_new_session=True,  # a restart of the service does not cost the work
        )


def _watch(child: subprocess.Popen[bytes], model: Path) -> None:
    """Wait for its end, so that no zombie stays, and write down how it was."""
    children.wait(child, SECONDS)
    with suppress(OSError):  # the model was deleted meanwhile
        items(model)


def _settled(model: Path) -> dict[str, EvaluationState]:
    """The state, with an end for what has ended since. Held by `_LOCK`."""
    found = read_json(_folder(model) / STATE)
    known = [name for name, one in found.items() if isinstance(one, dict)]
    told: dict[str, EvaluationState] = {name: found[name] for name in known}
    changed = False
    for one in told.values():
        if one["status"] == "RUNNING" and children.has_ended(int(one["pid"]), one["born"]):
            _end(one, model)
            changed = True
    if changed:
        children.write_state(_folder(model) / STATE, told)
    return told


def _end(one: EvaluationState, model: Path) -> None:
    """Write down how one has ended: well, if it has said its figures."""
    said = read_json(_said(model, one["id"]))
    one["ended_at"] = now().isoformat()
    if "measured" in said:
        one["status"], one["result"] = "DONE", dict(said)
    else:
        silence = t("It ended without a word: its process was killed, or the machine restarted.")
        one["status"], one["message"] = (
            "FAILED",
            children.last_words(_erred(model, one["id"]), silence),
        )
    for file in (_said(model, one["id"]), _erred(model, one["id"])):
        file.unlink(missing_ok=True)


def _newest(there: Mapping[str, EvaluationState]) -> dict[str, EvaluationState]:
    ordered = sorted(there.items(), key=lambda one: one[1]["started_at"], reverse=True)
    return dict(ordered[:KEPT])


def _folder(model: Path) -> Path:
    return inside(allowed_paths.home_of(model), FOLDER)


def _said(model: Path, key: str) -> Path:
    return _folder(model) / f".{key}.out"


def _erred(model: Path, key: str) -> Path:
    return _folder(model) / f".{key}.err"
