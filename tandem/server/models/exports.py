"""Exports of a model: `tandem export` in a process of its own, its state beside what it writes.

The state lies in the model's folder of exports, so it is there after a restart. An export whose
process is gone has ended: well, if it has said so and its file is there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from tandem.executors.processes import look
from tandem.server.context import Context
from tandem.server.errors import ConflictError, InvalidError, NotFoundError
from tandem.server.host.clock import now
from tandem.server.host.paths import inside
from tandem.server.models import allowed_paths
from tandem.server.models.children import environment
from tandem.server.models.facts import Facts, facts, figure_of, read_json
from tandem.spec import exports as known_formats
from tandem.spec.exports import FORMATS, file_name
from tandem.spec.i18n import language, t

FOLDER, STATE = "exports", ".exports.json"
SECONDS = 3600
ENDED_BYTES = 4000
_LOCK = threading.Lock()
Item = dict[str, Any]


def formats(model: Path, kind: str | None) -> list[Item]:
    """Each with whether this model can be written so here, and else why not."""
    about = facts(model)
    shown = []
    for one in FORMATS.values():
        if not one.is_own and not (kind == "detection" and about.student_type == "yolov8"):
            continue
        lacking = _unfit(one.name, model, kind, about) or one.lacking()
        why, fix = lacking or (None, None)
        shown.append(
            {
                "format": one.name,
                "about": known_formats.about(one.name),
                "possible": lacking is None,
                "why": why,
                "fix": fix,
                "licence": one.licence,
            }
        )
    return shown


def _unfit(name: str, model: Path, kind: str | None, about: Facts) -> tuple[str, str] | None:
    if model.is_file():
        return t("It is an ONNX file already."), t("Download the model.")
    if name == "int8" and kind != "text" and not about.has_run:
        return (
            t("Its ranges are found on the data it was trained on, and it was not trained here."),
            t("Use `tandem export --format int8 --calibration FOLDER`."),
        )
    return None


def items(model: Path) -> list[Item]:
    """Every export that was asked for, the last of each format, newest first."""
    with _LOCK:
        return sorted(_settled(model).values(), key=lambda one: one["started_at"], reverse=True)


def files(model: Path, known: Facts) -> list[Item]:
    """What was written from this model: here, and by hand elsewhere (its report says so)."""
    done = {
        one["format"]: {
            name: one[name]
            for name in ("format", "file", "size_bytes", "accuracy", "latency_milliseconds")
        }
        for one in (
            items(model) if (allowed_paths.home_of(model) / FOLDER / STATE).is_file() else []
        )
        if one["status"] == "DONE"
    }
    for one in known.exports:
        done.setdefault(str(one.get("format")), _figures(one))
    return list(done.values())


def begin(context: Context, model: Path, kind: str | None, format: str) -> Item:
    """Start one; InvalidError where it cannot be, ConflictError while another is under way."""
    allowed = {one["format"]: one for one in formats(model, kind)}
    wanted = allowed.get(format)
    if wanted is None:
        problem = t("This model cannot be written as {format}.", format=format)
        listed = t("Allowed: {allowed}.", allowed=", ".join(allowed) or "-")
        raise InvalidError([{"field": "format", "problem": f"{problem} {listed}"}])
    if not wanted["possible"]:
        raise InvalidError([{"field": "format", "problem": f"{wanted['why']} {wanted['fix']}"}])
    with _LOCK:
        there = _settled(model)
        if any(one["status"] == "RUNNING" for one in there.values()):
            raise ConflictError(
                "An export of this model is under way.", fix="Wait for its end, then ask again."
            )
        folder = _folder(model)
        folder.mkdir(exist_ok=True)
        child = _launch(context, model, format)
        seen = look(child.pid)
        there[format] = {
            "format": format,
            "status": "RUNNING",
            "file": None,
            "size_bytes": None,
            "accuracy": None,
            "latency_milliseconds": None,
            "message": None,
            "started_at": now().isoformat(),
            "ended_at": None,
            "pid": child.pid,
            "born": seen.born if seen else "",
        }
        _write(model, there)
        item = there[format]
    threading.Thread(target=_watch, args=(child, model), daemon=True).start()
    return item


def one_file(model: Path, format: str) -> Path:
    """What was written; NotFoundError where it was not, or has been taken away."""
    done = [one for one in items(model) if one["format"] == format and one["status"] == "DONE"]
    if not done:
        raise NotFoundError(
            "There is no export of this model as {format}.",
            format=format,
            fix="Export it first.",
        )
    found = inside(_folder(model), str(done[0]["file"]))
    if not found.exists():
        raise NotFoundError(
            "The exported file {name} is no longer there.", name=found.name, fix="Export it again."
        )
    return found


def _folder(model: Path) -> Path:
    return inside(allowed_paths.home_of(model), FOLDER)


def _launch(context: Context, model: Path, format: str) -> subprocess.Popen[bytes]:
    folder = _folder(model)
    target = folder / file_name(format)
    command = [sys.executable, "-m", "tandem.cli", "export", str(model), "--format", format]
    env = environment(context.settings.home, language(), gpu=format == "engine")
    with _said(model, format).open("wb") as out, _erred(model, format).open("wb") as err:
        return subprocess.Popen(
            [*command, "-o", str(target), "--json"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=env,
            cwd=folder,
            start_new_session=True,  # a restart of the service does not cost the work
        )


def _watch(child: subprocess.Popen[bytes], model: Path) -> None:
    """Wait for its end, so that no zombie stays, and write down how it was."""
    try:
        child.wait(SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, 9)
        child.wait()
    with suppress(OSError):  # the run was deleted meanwhile
        items(model)


def _said(model: Path, format: str) -> Path:
    return _folder(model) / f".{format}.out"


def _erred(model: Path, format: str) -> Path:
    return _folder(model) / f".{format}.err"


def _settled(model: Path) -> dict[str, Item]:
    """The state, with an end for what has ended since. Held by `_LOCK`."""
    told = {
        name: dict(one)
        for name, one in read_json(_folder(model) / STATE).items()
        if name in FORMATS and isinstance(one, dict)
    }
    changed = False
    for one in told.values():
        if one["status"] == "RUNNING":
            seen = look(int(one["pid"]))
            if seen is None or seen.born != one["born"]:
                one |= _outcome(model, one["format"])
                changed = True
    if changed:
        _write(model, told)
    return told


def _outcome(model: Path, format: str) -> Item:
    said = read_json(_said(model, format))
    target = _folder(model) / file_name(format)
    end: Item = {"ended_at": now().isoformat()}
    if said and target.exists():
        return end | {"status": "DONE"} | _figures(said)
    return end | {"status": "FAILED", "message": _reason(_erred(model, format))}


def _reason(file: Path) -> str:
    """The last thing it said, or that it ended without a word."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - ENDED_BYTES))
            lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    if lines:
        return lines[-1][:1000]
    return t("The export ended without a word: its process was killed, or the machine restarted.")


def _figures(said: Mapping[str, Any]) -> Item:
    measured = said.get("measured")
    measured = measured if isinstance(measured, dict) else {}
    metrics = measured.get("metrics")
    latency = metrics.get("latency_milliseconds") if isinstance(metrics, dict) else None
    figure = figure_of(measured)
    return {
        "format": str(said.get("format")),
        "file": str(said.get("file")),
        "size_bytes": int(said.get("size_bytes") or 0),
        "accuracy": None if figure is None else 100 * figure,
        "latency_milliseconds": latency if isinstance(latency, int | float) else None,
    }


def _write(model: Path, state: Mapping[str, Item]) -> None:
    file = _folder(model) / STATE
    hidden = file.with_name(f"{STATE}.{os.getpid()}")
    hidden.write_text(json.dumps(state, ensure_ascii=False, indent=1), encoding="utf-8")
    hidden.replace(file)


def as_shown(item: Item) -> Item:
    """For a page: without the process, its times as times."""
    kept = {name: one for name, one in item.items() if name not in ("pid", "born")}
    ended = item["ended_at"]
    return kept | {
        "started_at": datetime.fromisoformat(item["started_at"]),
        "ended_at": None if ended is None else datetime.fromisoformat(ended),
    }
