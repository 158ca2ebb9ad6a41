"""A timm model's safetensors, with its config.json beside it or its size named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from tandem.predict.importing.imported_model import ImportedModel
from tandem.spec.errors import StudentError
from tandem.spec.plugins.students import resolve
from tandem.spec.run import StudentSpec
from tandem.train.registry import find


class PretrainedConfig(TypedDict, total=False):
    """How the weights want their pictures."""

    input_size: list[int]
    mean: list[float]


class TimmConfig(TypedDict, total=False):
    """What is read of timm's config.json."""

    architecture: str
    label_names: list[str]
    pretrained_cfg: PretrainedConfig


def read(path: Path, classes: Sequence[str], size: str, image_size: int | None) -> ImportedModel:
    """A classifier. StudentError where the size is not known or the weights are not its."""
    beside = _beside(path)
    config: PretrainedConfig = beside.get("pretrained_cfg") or {}
    size = size or str(beside.get("architecture") or "")
    if not size:
        raise StudentError(
            "{path} does not say which network it is.",
            path=path,
            fix="Name it by --size, such as resnet50, or put timm's config.json beside it.",
        )
    names = list(classes) or [str(one) for one in beside.get("label_names") or ()]
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
    return ImportedModel("classification", names, spec, student)


def _beside(path: Path) -> TimmConfig:
    file = path.parent / "config.json"
    try:
        config: TimmConfig = json.loads(file.read_bytes()) if file.is_file() else {}
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}
