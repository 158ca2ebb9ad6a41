"""A foreign ONNX model: given the config and the names that ours have."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import helper

from tandem._version import __version__
from tandem.predict.onnx_model import CONFIG_KEY, open_session
from tandem.spec.errors import StudentError
from tandem.spec.model import ModelConfig
from tandem.spec.run import KindName, StudentSpec
from tandem.train.export.final_model import parse_config

TASKS: dict[str, KindName] = {"detect": "detection", "classify": "classification"}


def read(
    path: Path, classes: Sequence[str], image_size: int | None
) -> tuple[onnx.ModelProto, ModelConfig]:
    """The model to be written, and its config. It takes pictures of 0 to 1 (B, 3, S, S)."""
    session = open_session(path)
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    model = onnx.load(str(path))
    if CONFIG_KEY in metadata:
        return model, parse_config(metadata[CONFIG_KEY], path)
    shape = session.get_inputs()[0].shape
    result = session.get_outputs()[0]
    if len(shape) != 4 or shape[1] != 3:
        raise _unfit(path, f"its input is {shape}, not (B, 3, S, S)")
    if isinstance(shape[0], int):
        raise _unfit(path, f"it takes batches of {shape[0]} only; export it with dynamic=True")
    names = list(classes) or _names(metadata)
    kind = TASKS.get(metadata.get("task", ""), "classification" if len(result.shape) == 2 else None)
    if kind is None and len(result.shape) == 3:
        kind = "detection"
    wanted = len(names) + (4 if kind == "detection" else 0)
    if kind is None or (isinstance(result.shape[1], int) and result.shape[1] != wanted):
        raise _unfit(path, f"its output is {result.shape}, for {len(names)} classes")
    pixels = shape[2] if isinstance(shape[2], int) else image_size or 224
    config = ModelConfig(
        tandem_version=__version__,
        kind=kind,
        student=StudentSpec(type="onnx", size="onnx"),
        classes=names,
        image_size=pixels,
        mean=[0.0, 0.0, 0.0],
        std=[1.0, 1.0, 1.0],
    )
    _rename(model, result.name, "boxes" if kind == "detection" else "logits")
    entry = model.metadata_props.add()
    entry.key, entry.value = CONFIG_KEY, config.model_dump_json()
    return model, config


def _rename(model: onnx.ModelProto, name: str, ours: str) -> None:
    """An identity under our name; the first output is the only one that stays."""
    first = next(one for one in model.graph.output if one.name == name)
    kept = onnx.ValueInfoProto()
    kept.CopyFrom(first)
    kept.name = ours
    if name != ours:
        model.graph.node.append(helper.make_node("Identity", [name], [ours]))
    del model.graph.output[:]
    model.graph.output.append(kept)


def _names(metadata: dict[str, str]) -> list[str]:
    """As Ultralytics writes them: a dict's text."""
    try:
        found = ast.literal_eval(metadata.get("names", "[]"))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    listed = [found[key] for key in sorted(found)] if isinstance(found, dict) else found
    return [str(one) for one in listed] if isinstance(listed, list) else []


def _unfit(path: Path, reason: str) -> StudentError:
    return StudentError(
        "{path} cannot be used: {reason}.",
        path=path,
        reason=reason,
        fix="Export it again, with pictures of 0 to 1 as input; name its classes by --classes.",
    )
