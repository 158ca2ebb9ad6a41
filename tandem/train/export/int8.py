"""An ONNX file in whole numbers of eight bits, after training."""

from __future__ import annotations

import ast
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import CalibrationDataReader, CalibrationMethod
from onnxruntime.quantization.quant_utils import QuantFormat, QuantType
from onnxruntime.quantization.quantize import quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

from tandem.spec.errors import DataError
from tandem.train.export.onnx_model import CONFIG_KEY, input_name

ModelInputs = NDArray[np.float32] | NDArray[np.int64]
"""A batch as ONNX Runtime takes it: images and clips of 0 to 1, texts as token ids."""
STATIC = ["Conv", "MatMul", "Gemm", "ConvTranspose"]
"""What is worth it; adding two maps or joining them in eight bits costs more than it saves."""
PREFIX = "student."
"""Where the student lies in what is exported (`onnx_model.Exported`)."""
SCOPES = "pkg.torch.onnx.name_scopes"
"""The exporter's key for the modules that a node is from."""
SAMPLES = 128
"""For calibration; more hardly move a range."""


class _Reader(CalibrationDataReader):
    def __init__(self, name: str, batches: Iterable[ModelInputs]) -> None:
        self.name, self.batches = name, iter(batches)

    def get_next(self) -> dict[str, ModelInputs] | None:  # type: ignore[override]
        # None ends the calibration; ONNX Runtime's own signature leaves it out.
        batch = next(self.batches, None)
        return None if batch is None else {self.name: batch}


def quantize_file(
    source: Path,
    target: Path,
    kind: str,
    batches: Iterable[ModelInputs],
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Weights and activations in int8 (QDQ, weights by channel), ranges from the batches.

    `ranges` are those of the inputs of layers, by their names in the student, that learnt with
    them (`engines.quantize_aware`): they are written as they are. A text's ranges are found as it
    is read (dynamic), so `batches` is not used. DataError where there is nothing to calibrate on.
    """
    with tempfile.TemporaryDirectory(dir=target.parent) as folder, _quiet():
        ready = Path(folder) / "ready.onnx"
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        _without_shapes(ready)
        learnt = _by_tensor(source, ready, ranges or {})
        if kind == "text":
            quantize_dynamic(str(ready), str(target), weight_type=QuantType.QInt8)
        else:
            quantize_static(
                str(ready),
                str(target),
                _Reader(input_name(kind), _some(batches)),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=STATIC,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                nodes_to_exclude=_last_nodes(ready, kind),
                extra_options={"TensorQuantOverrides": learnt},
            )
    _keep_config(source, target)


def _by_tensor(
    source: Path, ready: Path, ranges: Mapping[str, tuple[float, float]]
) -> dict[str, list[dict[str, np.float32]]]:
    """ONNX Runtime's overrides for the tensors that go into these layers.

    The exporter writes into each node the modules that it is from, and a layer's weight keeps its
    name; what ONNX Runtime has joined to something else keeps the range that it finds itself.
    """
    if not ranges:
        return {}
    kept = {name for node in onnx.load(str(ready)).graph.node for name in node.input}
    found: dict[str, list[dict[str, np.float32]]] = {}
    for node in onnx.load(str(source)).graph.node:
        layer = _layer_of(node, ranges) if node.op_type in STATIC else None
        if layer is not None and node.input[0] in kept:
            low, high = ranges[layer]
            found[node.input[0]] = [{"rmin": np.float32(low), "rmax": np.float32(high)}]
    return found


def _layer_of(node: onnx.NodeProto, ranges: Mapping[str, tuple[float, float]]) -> str | None:
    weight = str(node.input[1]).removeprefix(PREFIX).removesuffix(".weight")
    if weight in ranges:
        return weight
    scopes = next((one.value for one in node.metadata_props if one.key == SCOPES), "[]")
    # The deepest module; the last is the operation's own.
    modules = [str(one).removeprefix(PREFIX) for one in ast.literal_eval(scopes)[:-1]]
    return modules[-1] if modules and modules[-1] in ranges else None


def _some(batches: Iterable[ModelInputs]) -> Iterator[ModelInputs]:
    seen = 0
    for batch in batches:
        if seen >= SAMPLES:
            break
        seen += len(batch)
        yield batch
    if not seen:
        raise DataError(
            "There is nothing to calibrate int8 on.",
            fix="Give --calibration a folder of pictures like those it will see.",
        )


def _last_nodes(file: Path, kind: str) -> list[str]:
    """A detector's decoding and a classifier's last layer stay in floats: they decide ranks."""
    graph = onnx.load(str(file)).graph
    quantized_nodes = [node for node in graph.node if node.op_type in STATIC]
    if kind != "detection":
        return [quantized_nodes[-1].name] if quantized_nodes else []
    made_by = {output: node for node in graph.node for output in node.output}
    ahead, found = [graph.output[0].name], []
    while ahead:
        node = made_by.get(ahead.pop())
        if node is None:
            continue
        if node.op_type in STATIC:
            found.append(node.name)
            if node.op_type == "Conv" and _is_fixed(graph, node):
                ahead += list(node.input)  # the integral over a box's distribution
            continue
        ahead += list(node.input)
    return found


def _is_fixed(graph: onnx.GraphProto, node: onnx.NodeProto) -> bool:
    """Whether a convolution has a single output channel: YOLO's DFL, whose weights are 0, 1, 2…"""
    for one in graph.initializer:
        if one.name == node.input[1]:
            return bool(one.dims[0] == 1)
    return False


def _without_shapes(file: Path) -> None:
    """Shapes that were inferred for another batch would be taken for true."""
    model = onnx.load(str(file))
    del model.graph.value_info[:]
    onnx.save(model, str(file))


def _keep_config(source: Path, target: Path) -> None:
    model = onnx.load(str(target))
    metadata = {one.key: one.value for one in onnx.load(str(source)).metadata_props}
    if CONFIG_KEY not in {one.key for one in model.metadata_props}:
        entry = model.metadata_props.add()
        entry.key, entry.value = CONFIG_KEY, metadata[CONFIG_KEY]
    onnx.save(model, str(target))


class _quiet:
    """ONNX Runtime's quantiser logs advice about its own preparation."""

    def __enter__(self) -> None:
        self.level = logging.root.level
        logging.root.setLevel(logging.ERROR)
        self.caught = warnings.catch_warnings()
        self.caught.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, *error: object) -> None:
        self.caught.__exit__(None, None, None)
        logging.root.setLevel(self.level)


def as_array(batches: Iterable[Tensor]) -> Iterator[ModelInputs]:
    """Tensors of the loader as what ONNX Runtime takes: pictures of 0 to 1."""
    for batch in batches:
        array = batch.numpy()
        yield array.astype(np.float32) / np.float32(255) if array.dtype == np.uint8 else array
