"""A model exported by `tandem export`: everything it needs is inside the one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from tandem.predict.kinds.base import ModelOutput
from tandem.predict.pipeline import ForwardPass
from tandem.spec.errors import StudentError
from tandem.spec.model import ModelConfig
from tandem.train.export.final_model import parse_config

if TYPE_CHECKING:
    from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession

CONFIG_KEY = "tandem"
PARTS = {
    "logits": "logits_BK",
    "probabilities": "probabilities_BK",
    "class_map": "class_map_BHWK",
    "boxes": "boxes_BCA",
}
"""What `tandem export` calls an output, and what it is here."""
NEEDED = {"detection": "boxes", "segmentation": "class_map"}


def open_onnx(path: Path) -> tuple[ForwardPass, ModelConfig]:
    """Its forward pass on the CPU, and its config. StudentError when it is no such file."""
    session = open_session(path)
    config = session.get_modelmeta().custom_metadata_map.get(CONFIG_KEY)
    if config is None:
        raise StudentError(
            "{path} is an ONNX model, but not one that Tandem exported.",
            path=path,
            fix="Make one by `tandem export`, or bring it in by `tandem models import`.",
        )
    known = parse_config(config, path)
    outputs = [one.name for one in session.get_outputs()]
    needed = NEEDED.get(known.kind, "logits")
    if needed not in outputs and (needed != "logits" or "probabilities" not in outputs):
        raise StudentError(
            "{path} has no output {needed}, which a model of the kind {kind} gives.",
            path=path,
            needed=needed,
            kind=known.kind,
            got=outputs,
            fix="Export it again.",
        )
    return runner(session), known


def runner(session: InferenceSession) -> ForwardPass:
    """The session's forward pass, from uint8 pixels or int64 tokens to its outputs."""

    def run(inputs: NDArray[np.generic]) -> ModelOutput:
        given: NDArray[np.generic] = inputs
        if inputs.dtype == np.uint8:
            given = inputs.astype(np.float32) / np.float32(255)
        arrays = ask(session, np.ascontiguousarray(given))
        return {PARTS[one]: torch.from_numpy(arrays[one]) for one in arrays if one in PARTS}

    return run


def ask(session: InferenceSession, given: NDArray[np.generic]) -> dict[str, NDArray[np.generic]]:
    """Its outputs by name for a batch of any size, whatever batch the model was made for.

    One of a fixed batch is asked in parts of it, the last filled up. StudentError where it fails.
    """
    from onnxruntime.capi import onnxruntime_pybind11_state as refusals

    first = session.get_inputs()[0]
    names = [one.name for one in session.get_outputs()]
    fixed = first.shape[0] if first.shape and isinstance(first.shape[0], int) else len(given)
    parts = []
    try:
        for begins in range(0, len(given), fixed):
            part = given[begins : begins + fixed]
            missing = fixed - len(part)
            if missing:
                part = np.concatenate([part, np.repeat(part[-1:], missing, 0)])
            found = session.run(None, {first.name: part})
            parts.append([np.asarray(one)[: fixed - missing] for one in found])
    except (
        refusals.Fail,
        refusals.InvalidArgument,
        refusals.NotImplemented,
        refusals.RuntimeException,
    ) as error:
        raise StudentError(
            "The ONNX model cannot be asked: {reason}.",
            reason=(str(error).splitlines() or ["-"])[0].rstrip("."),
            fix="Export it again.",
        ) from error
    if len(parts) == 1:
        return dict(zip(names, parts[0], strict=True))
    return {name: np.concatenate(several) for name, *several in zip(names, *parts, strict=True)}


def open_session(path: Path) -> InferenceSession:
    """ONNX Runtime on the CPU. StudentError for what it cannot open."""
    from onnxruntime.capi import onnxruntime_pybind11_state as refusals
    from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession

    if not path.is_file():
        raise StudentError("There is no file {path}.", path=path)
    try:
        return InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except (
        refusals.Fail,
        refusals.InvalidArgument,
        refusals.InvalidGraph,
        refusals.InvalidProtobuf,
        refusals.NotImplemented,
        refusals.RuntimeException,
    ) as error:
        raise StudentError(
            "{path} is no ONNX model, or a broken one: {reason}.",
            path=path,
            reason=str(error).splitlines()[0].rstrip("."),
            fix="Export it again.",
        ) from error
