"""Exports of a model: `tandem export` in a process of its own, its state beside what it writes.

The state lies in the model's folder of exports, so it is there after a restart. An export whose
process is gone has ended: well, if it has said so and its file is there.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

from tandem.executors.processes import look
from tandem.server.context import Context
from tandem.server.errors import ConflictError, InvalidError, NotFoundError
from tandem.server.host.clock import now
from tandem.server.host.paths import inside
from tandem.server.models import allowed_paths, children
from tandem.server.models.facts import Facts, facts, figure_of, read_json
from tandem.spec import exports as known_formats
from tandem.spec.exports import FORMATS, file_name
from tandem.spec.i18n import language, t

FOLDER, STATE = "exports", ".exports.json"
SECONDS = 3600
_LOCK = threading.Lock()


class ExportChoice(TypedDict):
    """A format, and whether this model can be written so here."""

    format: str
    about: str
    possible: bool
    why: str | None
    fix: str | None
    licence: str | None


class ExportedEntry(TypedDict):
    """What was written, and how good it is."""

    format: str
    file: str | None
    size_bytes: int | None
    accuracy: float | None
    latency_milliseconds: float | None


class ExportState(ExportedEntry):
    """One export as the state file has it."""

    status: str
    message: str | None
    started_at: str
    ended_at: str | None
    pid: int
    born: str


def formats(model: Path, kind: str | None) -> list[ExportChoice]:
    """Each with whether this model can be written so here, and else why not."""
    about = facts(model)
    shown: list[ExportChoice] = []
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


def items(model: Path) -> list[ExportState]:
    """Every export that was asked for, the last of each format, newest first."""
    with _LOCK:
        return sorted(_settled(model).values(), key=lambda one: one["started_at"], reverse=True)


def files(model: Path, known: Facts) -> list[ExportedEntry]:
    """What was written from this model: here, and by hand elsewhere (its report says so)."""
    has_state = (allowed_paths.home_of(model) / FOLDER / STATE).is_file()
    there = items(model) if has_state else []
    done = {one["format"]: _entry(one) for one in there if one["status"] == "DONE"}
    for said in known.exports:
        done.setdefault(str(said.get("format")), _figures(said))
    return list(done.values())


def _entry(one: ExportState) -> ExportedEntry:
    return {
        "format": one["format"],
        "file": one["file"],
        "size_bytes": one["size_bytes"],
        "accuracy": one["accuracy"],
        "latency_milliseconds": one["latency_milliseconds"],
    }


def begin(context: Context, model: Path, kind: str | None, format: str) -> ExportState:
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
        children.write_state(_folder(model) / STATE, there)
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
    env = children.environment(context.settings.home, language(), gpu=format == "engine")
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
    children.wait(child, SECONDS)
    with suppress(OSError):  # the run was deleted meanwhile
        items(model)


def _said(model: Path, format: str) -> Path:
    return _folder(model) / f".{format}.out"


def _erred(model: Path, format: str) -> Path:
    return _folder(model) / f".{format}.err"


def _settled(model: Path) -> dict[str, ExportState]:
    """The state, with an end for what has ended since. Held by `_LOCK`."""
    found = read_json(_folder(model) / STATE)
    known = [name for name, one in found.items() if name in FORMATS and isinstance(one, dict)]
    told: dict[str, ExportState] = {name: found[name] for name in known}
    changed = False
    for one in told.values():
        if one["status"] == "RUNNING" and children.has_ended(int(one["pid"]), one["born"]):
            _end(one, model)
            changed = True
    if changed:
        children.write_state(_folder(model) / STATE, told)
    return told


def _end(one: ExportState, model: Path) -> None:
    """Write down how one has ended: well, if it has said so and its file is there."""
    format = one["format"]
    said = read_json(_said(model, format))
    one["ended_at"] = now().isoformat()
    if said and (_folder(model) / file_name(format)).exists():
        one["status"] = "DONE"
        figures = _figures(said)
        one["format"], one["file"] = figures["format"], figures["file"]
        one["size_bytes"], one["accuracy"] = figures["size_bytes"], figures["accuracy"]
        one["latency_milliseconds"] = figures["latency_milliseconds"]
        return
    silence = t(
        "The export ended without a word: its process was killed, or the machine restarted."
    )
    one["status"], one["message"] = "FAILED", children.last_words(_erred(model, format), silence)


def _figures(said: Mapping[str, Any]) -> ExportedEntry:
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
