"""What a model's own files say of it: read once, bounded, and again when they change."""

from __future__ import annotations

import json
import struct
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from tandem.server.models.allowed_paths import CONFIG, REPORT

WEIGHTS = "model.safetensors"
MOST_BYTES = 32 * 2**20
"""The largest report or config that is read; a header of weights is far smaller."""
MOST_KEPT = 2000
BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "input_mean", "input_std")
"""What lies among the weights and is not learnt."""
JsonFacts = Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """Everything is None or empty where nobody has measured or written it."""

    parameters: int | None = None
    size_bytes: int | None = None
    latency_milliseconds: float | None = None
    teacher_accuracy: float | None = None
    """0 to 1."""
    classes: tuple[str, ...] = ()
    image_size: int | None = None
    student_type: str = ""
    exports: tuple[JsonFacts, ...] = ()
    """As report.json has them."""
    has_run: bool = False
    """Its run's report is there, and so what it was trained on is known."""


_KEPT: OrderedDict[Path, tuple[object, Facts]] = OrderedDict()
_LOCK = threading.Lock()


def facts(model: Path | None) -> Facts:
    """Facts of a final_model folder or an .onnx file; none of a model that is not there."""
    if model is None:
        return Facts()
    sources = _sources(model)
    stamp = tuple(_stamp(one) for one in sources.values())
    with _LOCK:
        known = _KEPT.get(model)
        if known is not None and known[0] == stamp:
            _KEPT.move_to_end(model)
            return known[1]
    read = _read(sources)
    with _LOCK:
        _KEPT[model] = stamp, read
        while len(_KEPT) > MOST_KEPT:
            _KEPT.popitem(last=False)
    return read


def _sources(model: Path) -> dict[str, Path]:
    if model.is_file():  # an import as ONNX: what is known of it was written beside it
        beside = model.with_suffix(".json")
        return {"config": beside, "weights": model, "report": model.parent / "-"}
    return {
        "config": model / CONFIG,
        "weights": model / WEIGHTS,
        "report": model.parent / REPORT,
    }


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        seen = file.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size


def _read(sources: Mapping[str, Path]) -> Facts:
    config, report = read_json(sources["config"]), read_json(sources["report"])
    weights = sources["weights"]
    seen = _stamp(weights)
    student = _part(report, "student")
    metrics = _part(_part(student, "measured"), "metrics")
    return Facts(
        size_bytes=_whole(student.get("size_bytes")) or (seen[1] if seen else None),
        parameters=_whole(student.get("parameters")) or _parameters(weights),
        latency_milliseconds=_number(metrics.get("latency_milliseconds")),
        teacher_accuracy=figure_of(_part(_part(report, "teacher"), "measured")),
        classes=tuple(str(one) for one in config.get("classes") or ()),
        image_size=_whole(config.get("image_size")),
        student_type=str(_part(config, "student").get("type") or ""),
        exports=tuple(one for one in report.get("exports") or () if isinstance(one, dict)),
        has_run=bool(report),
    )


def figure_of(measured: JsonFacts) -> float | None:
    """The figure of its kind, 0 to 1, from what a report measured."""
    from tandem.spec.report import FIGURES

    metrics = _part(measured, "metrics")
    found = [_number(metrics.get(name)) for name in FIGURES]
    return next((one for one in found if one is not None), None)


def read_json(file: Path) -> JsonFacts:
    """An object; nothing of a file that is missing, too large, or no object."""
    try:
        if file.stat().st_size > MOST_BYTES:
            return {}
        told = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _part(of: JsonFacts, name: str) -> JsonFacts:
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _number(value: object) -> float | None:
    """JSON's numbers; what a report says as a word (NaN) is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if value == value else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _parameters(weights: Path) -> int | None:
    """From the header of a safetensors file: its weights without what is not learnt."""
    if weights.name != WEIGHTS:
        return None
    try:
        with weights.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length)) if length <= MOST_BYTES else {}
    except (OSError, ValueError, struct.error, RecursionError):
        return None
    shapes = [
        one["shape"]
        for name, one in header.items()
        if isinstance(one, dict) and "shape" in one and not name.endswith(BUFFERS)
    ]
    return sum(prod(shape) for shape in shapes) or None
