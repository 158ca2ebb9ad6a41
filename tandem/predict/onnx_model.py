"""A model exported by `tandem export`: everything it needs is inside the one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tandem.spec.errors import StudentError
from tandem.spec.model import ModelConfig
from tandem.train.final_model import parse_config

CONFIG_KEY = "tandem"
Floats = NDArray[np.float32]


def open_onnx(path: Path) -> tuple[Callable[[Floats], Floats], ModelConfig]:
    """Its forward pass on the CPU, and its config. StudentError when it is no such file."""
    from onnxruntime.capi import onnxruntime_pybind11_state as refusals
    from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession

    if not path.is_file():
        raise StudentError("There is no file {path}.", path=path)
    try:
        session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
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
    config = session.get_modelmeta().custom_metadata_map.get(CONFIG_KEY)
    if config is None:
        raise StudentError(
            "{path} is an ONNX model, but not one that Tandem exported.",
            path=path,
            fix="Make one by `tandem export`.",
        )
    name = session.get_inputs()[0].name

    def run(images_BCHW: Floats) -> Floats:
        (logits_BK,) = session.run(None, {name: images_BCHW})
        return np.asarray(logits_BK, np.float32)

    return run, parse_config(config, path)
