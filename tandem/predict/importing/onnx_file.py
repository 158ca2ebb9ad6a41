"""A foreign ONNX model: given the config and the names that ours have.

What it is, is found out by asking it: its metadata may be missing, and a name says little. What its
scores are (logits, probabilities) is seen in its graph and in its answers, and applied once.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from pydantic import ValidationError

from tandem._version import __version__
from tandem.predict.importing import onnx_graph
from tandem.predict.importing.onnx_graph import Array, GraphInput
from tandem.predict.onnx_model import CONFIG_KEY, ask, open_session
from tandem.spec.errors import StudentError
from tandem.spec.i18n import t
from tandem.spec.model import ModelConfig
from tandem.spec.run import KindName, StudentSpec
from tandem.train.export.final_model import parse_config

if TYPE_CHECKING:
    from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession

USUAL_PIXELS = 224
"""Taken where neither the file nor anybody else says a size."""
STRIDE = 32
DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
OTHER_TASKS = ("segment", "pose", "obb")
"""What Ultralytics exports beside detectors and classifiers."""
NMS_COLUMNS = 6
"""Left, top, right, bottom, score, class: boxes that were suppressed within the graph."""


@dataclass(frozen=True)
class _Found:
    """What a foreign model turned out to be."""

    kind: KindName
    output: str
    ours: str
    """The name of the output in our files."""
    shape: tuple[int, ...]
    log: bool = False
    note: str = ""


def read(
    path: Path, classes: Sequence[str], image_size: int | None
) -> tuple[onnx.ModelProto, ModelConfig, list[str]]:
    """The model to be written, its config, and what a person should know.

    It then takes pictures of 0 to 1 (B, 3, S, S). StudentError in words for what cannot be run.
    """
    session = open_session(path)
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    model = onnx.load(str(path))
    if CONFIG_KEY in metadata:
        return model, parse_config(metadata[CONFIG_KEY], path), []
    task = metadata.get("task", "").lower()
    if task in OTHER_TASKS:
        raise _other_task(path, task)
    wanted = _input(path, session)
    notes: list[str] = []
    pixels = _pixels(path, wanted, metadata, image_size, notes)
    names = list(classes) or _names(metadata)
    outputs = _asked(path, session, wanted, pixels)
    found = _what(path, model, metadata, outputs, names)
    if found.kind == "detection" and pixels % STRIDE:
        raise _unfit(path, t("its {size} pixels a side are no multiple of {stride}", size=pixels,
                             stride=STRIDE))  # fmt: skip
    notes += [found.note] if found.note else []
    notes.append(t("It is given RGB pictures of 0 to 1, with no other normalisation."))
    config = _config(path, found, names, pixels)
    onnx_graph.put_output(
        model, found.output, found.ours, len(found.shape), log=found.log,
        channels_last=found.kind == "segmentation",
    )  # fmt: skip
    onnx_graph.put_input(model, wanted)
    entry = model.metadata_props.add()
    entry.key, entry.value = CONFIG_KEY, config.model_dump_json()
    return model, config, notes


def _config(path: Path, found: _Found, names: list[str], pixels: int) -> ModelConfig:
    try:
        return ModelConfig(
            tandem_version=__version__,
            kind=found.kind,
            student=StudentSpec(type="onnx", size="onnx"),
            classes=names,
            image_size=pixels,
            mean=[0.0, 0.0, 0.0],
            std=[1.0, 1.0, 1.0],
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise _unfit(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _input(path: Path, session: InferenceSession) -> GraphInput:
    """How it takes its pictures; StudentError where that is no one batch of RGB pictures."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        said = ", ".join(one.name for one in inputs)
        raise _unfit(path, t("it has several inputs ({names}), not pictures alone", names=said))
    (one,) = inputs
    shape = list(one.shape)
    if one.type not in DTYPES:
        raise _unfit(path, t("its input is of {type}, not of floats or bytes", type=one.type))
    if len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise _unfit(path, t("its input is {shape}, not (B, 3, S, S)", shape=shape))
    last = shape[1] != 3
    height, width = (side if isinstance(side, int) else None
                     for side in (shape[1:3] if last else shape[2:4]))  # fmt: skip
    batch = shape[0] if isinstance(shape[0], int) else None
    return GraphInput(one.name, np.dtype(DTYPES[one.type]), last, batch, (height, width))


def _pixels(
    path: Path,
    wanted: GraphInput,
    metadata: Mapping[str, str],
    image_size: int | None,
    notes: list[str],
) -> int:
    """The side of its pictures: fixed in the graph, asked for, or said by its metadata."""
    said = _numbers(metadata.get("imgsz", ""))
    fixed = tuple(side for side in wanted.sides if side is not None)
    sides = fixed or ((image_size,) if image_size else said)
    if len(set(sides)) > 1:
        raise _unfit(path, t("its pictures are {sides} pixels, not square", sides=sides))
    if image_size is not None and fixed and image_size != fixed[0]:
        raise _unfit(path, t("it takes pictures of {size} pixels a side only", size=fixed[0]),
                     t("Leave --image-size out, or export it with that size."))  # fmt: skip
    if not sides:
        notes.append(t("It does not say the size of its pictures: {size} is taken; --image-size "
                       "names another.", size=USUAL_PIXELS))  # fmt: skip
        return USUAL_PIXELS
    if image_size is not None and said and image_size not in said:
        notes.append(t("It was exported for {said} pixels a side; it is given {size}.",
                       said=said[0], size=image_size))  # fmt: skip
    return sides[0]


def _asked(
    path: Path, session: InferenceSession, wanted: GraphInput, pixels: int
) -> dict[str, Array]:
    """Its answers to a few pictures, by output."""
    given = wanted.example(onnx_graph.probes((pixels, pixels)))
    try:
        answers = ask(session, given)
    except StudentError as error:
        said = error.sentence()[:200].rstrip(".")
        reason = t("it cannot be asked about pictures of {size} pixels a side: {reason}",
                   size=pixels, reason=said)  # fmt: skip
        fix = t("Name the size of its pictures by --image-size.")
        raise _unfit(path, reason, fix) from error
    return {name: np.asarray(one, np.float32) for name, one in answers.items()}


def _what(
    path: Path,
    model: onnx.ModelProto,
    metadata: Mapping[str, str],
    outputs: Mapping[str, Array],
    names: list[str],
) -> _Found:
    name, first = next(iter(outputs.items()))
    shape, count = first.shape, len(names)
    task = metadata.get("task", "").lower()
    _check_boxes(path, outputs, names, metadata)
    if not names:
        raise _unfit(path, t("it does not say which classes it knows"))
    if first.ndim == 3 and shape[1] == count + 4 and task in ("", "detect"):
        scores = first[:, 4:]
        if scores.min() < -1e-3 or scores.max() > 1 + 1e-3:
            raise _unfit(path, t("the scores of its boxes are not between 0 and 1"))
        return _Found("detection", name, "boxes", shape)
    flat = first.reshape(len(first), -1) if first.ndim in (2, 4) else first
    if flat.ndim == 2 and flat.shape[1] == count and task in ("", "classify"):
        if first.ndim != 2:
            raise _unfit(path, t("its output is {shape}, not (B, K)", shape=list(shape)))
        found = _classifier(path, name, first, onnx_graph.last_op(model, name))
        if len(outputs) == 1:
            return found
        note = t("Of its {count} outputs the first, {name}, is taken.",
                 count=len(outputs), name=name)  # fmt: skip
        return replace(found, note=f"{found.note} {note}".strip())
    if first.ndim == 4 and shape[1] == count and task == "" and len(outputs) == 1:
        scores = first.transpose(0, 2, 3, 1)
        are = onnx_graph.scores_are(onnx_graph.last_op(model, name), scores)
        if are in ("sigmoid", "other axis"):
            raise _unfit(path, t("each class of its map is scored alone"))
        return _Found("segmentation", name, "class_map", shape, log=are == "softmax")
    raise _unfit(path, t("its output is {shape}, for {count} classes", shape=list(shape),
                         count=count))  # fmt: skip


def _check_boxes(
    path: Path, outputs: Mapping[str, Array], names: list[str], metadata: Mapping[str, str]
) -> None:
    """StudentError for boxes that are not YOLOv8's raw ones, in words that say what to export."""
    several = list(outputs.values())
    shape = several[0].shape
    said = ["B", *shape[1:]]
    if len(shape) == 3 and shape[2] == NMS_COLUMNS and shape[1] != len(names) + 4:
        reason = t("its output is ({shape}): it was exported with nms=True, or suppresses its "
                   "boxes itself", shape=", ".join(map(str, said)))  # fmt: skip
        raise _unfit(path, reason, t("Export it without: yolo export format=onnx nms=False."))
    if len(several) > 1 and len(shape) == 3 and several[1].ndim == 4:
        raise _other_task(path, "segment")
    if len(several) > 1 and (metadata.get("task", "") == "detect" or len(shape) == 3):
        reason = t("it has {count} outputs, where a detector has one", count=len(several))
        raise _unfit(path, reason, t("Export it without suppression or other additions."))
    if len(shape) == 3 and names and shape[2] == len(names) + 5:
        raise _unfit(path, t("its boxes have a score of being anything at all (YOLOv5)"),
                     t("Export a detector of YOLOv8."))  # fmt: skip
    if len(shape) == 3 and names and shape[2] == len(names) + 4 != shape[1]:
        raise _unfit(path, t("its output is {shape}, its boxes one after the other", shape=said),
                     t("Export a detector of YOLOv8, whose output is (B, 4 + K, A)."))  # fmt: skip


def _classifier(path: Path, name: str, scores_BK: Array, op: str) -> _Found:
    match onnx_graph.scores_are(op, scores_BK):
        case "softmax":
            note = t("Its output is probabilities already: they are taken as they are.")
            return _Found("classification", name, "probabilities", scores_BK.shape, note=note)
        case "sigmoid":
            note = t("Its output ends in a sigmoid: each class is scored alone, and the scores "
                     "need not come to 1; the highest is told.")  # fmt: skip
            return _Found("classification", name, "probabilities", scores_BK.shape, note=note)
        case "other axis":
            raise _unfit(path, t("its softmax does not go over the classes"))
        case _:  # a log-softmax is logits too: its softmax is the probabilities
            return _Found("classification", name, "logits", scores_BK.shape)


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers of `[640, 640]` or `640`; none where it holds anything else."""
    try:
        found = ast.literal_eval(text) if text else []
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    several = found if isinstance(found, list | tuple) else [found]
    whole = all(isinstance(one, int) and not isinstance(one, bool) for one in several)
    return tuple(several) if whole else ()


def _names(metadata: Mapping[str, str]) -> list[str]:
    """As Ultralytics writes them: a dict's text."""
    try:
        found = ast.literal_eval(metadata.get("names", "[]"))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    listed = [found[key] for key in sorted(found)] if isinstance(found, dict) else found
    return [str(one) for one in listed] if isinstance(listed, list) else []


def _other_task(path: Path, task: str) -> StudentError:
    said = {
        "segment": t("it gives masks of single things (task segment), which no model here does"),
        "pose": t("it gives key points (task pose), which no model here does"),
        "obb": t("it gives turned boxes (task obb), which no model here does"),
    }
    fix = t("Import a detector or a classifier, or train a student for it.")
    return _unfit(path, said[task], fix)


def _unfit(path: Path, reason: str, advice: str = "") -> StudentError:
    if advice:
        return StudentError(
            "{path} cannot be used: {reason}.", path=path, reason=reason, fix="{advice}",
            advice=advice,
        )  # fmt: skip
    return StudentError(
        "{path} cannot be used: {reason}.",
        path=path,
        reason=reason,
        fix="Export it again, with pictures of 0 to 1 as input; name its classes by --classes.",
    )
