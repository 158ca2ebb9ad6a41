"""A timm model's safetensors, with its config.json beside it or its size named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tandem.predict.importing.parts import Imported
from tandem.spec.errors import StudentError
from tandem.spec.run import StudentSpec
from tandem.spec.students import resolve
from tandem.train.registry import find


def read(path: Path, classes: Sequence[str], size: str, image_size: int | None) -> Imported:
    """A classifier. StudentError where the size is not known or the weights are not its."""
    told = _beside(path)
    config: dict[str, Any] = told.get("pretrained_cfg") or {}
    size = size or str(told.get("architecture") or "")
    if not size:
        raise StudentError(
            "{path} does not say which network it is.",
            path=path,
            fix="Name it by --size, such as resnet50, or put timm's config.json beside it.",
        )
    names = list(classes) or [str(one) for one in told.get("label_names") or ()]
    if not names:
        raise StudentError(
            "{path} does not say which classes it knows.", path=path, fix="Name them by --classes."
        )
    type_, full = resolve("", size)
    spec = StudentSpec(type=type_, size=full, init="pretrained", path=str(path))
    pixels = image_size or int((config.get("input_size") or [3, 224])[1])
    student = find("students", type_).make(spec, len(names), pixels).eval()
    mean = config.get("mean") or student.mean
    is_other = any(abs(a - b) > 1e-3 for a, b in zip(mean, student.mean, strict=False))
    if student.notes or is_other:
        raise StudentError(
            "{path} does not fit {size} with {count} classes: {reason}.",
            path=path,
            size=full,
            count=len(names),
            reason=" ".join(student.notes).rstrip(".") or f"mean {mean}",
            fix="Name the classes that its last layer has, or export it to ONNX.",
        )
    return Imported("classification", names, spec, student)


def _beside(path: Path) -> dict[str, Any]:
    file = path.parent / "config.json"
    try:
        told = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
