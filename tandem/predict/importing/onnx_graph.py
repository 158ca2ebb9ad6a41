"""What is done to a foreign ONNX graph: where its scores come from, and ours put around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.floating]
PASSED_ON = frozenset({"Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout",
                       "Transpose", "QuantizeLinear", "DequantizeLinear"})  # fmt: skip
"""What changes no value, but perhaps its place."""
IMAGE = "tandem_image"
_SMALLEST = float(np.finfo(np.float32).tiny)
_TYPES = {np.dtype(np.float16): TensorProto.FLOAT16, np.dtype(np.float64): TensorProto.DOUBLE,
          np.dtype(np.uint8): TensorProto.UINT8}  # fmt: skip


@dataclass(frozen=True)
class GraphInput:
    """How the graph wants its pictures."""

    name: str
    dtype: np.dtype[np.generic]
    """Floats are given as 0 to 1, uint8 as 0 to 255."""
    channels_last: bool
    batch: int | None
    """None: any."""
    sides: tuple[int | None, int | None]
    """Height and width; None: any."""

    def example(self, images_BCHW: Array) -> NDArray[np.generic]:
        """Pictures of 0 to 1 as the graph itself takes them."""
        given = images_BCHW.transpose(0, 2, 3, 1) if self.channels_last else images_BCHW
        if self.dtype == np.uint8:
            given = np.round(given * 255)
        return np.ascontiguousarray(given).astype(self.dtype)


def last_op(model: onnx.ModelProto, output: str) -> str:
    """The operation that an output's values come from, beyond what only passes them on."""
    makers = {name: node for node in model.graph.node for name in node.output}
    name = output
    while (node := makers.get(name)) is not None and node.op_type in PASSED_ON and node.input:
        name = node.input[0]
    if node is None:
        return ""
    maker = makers.get(node.input[0]) if node.op_type == "Log" and node.input else None
    return "LogSoftmax" if maker is not None and maker.op_type == "Softmax" else node.op_type


def put_input(model: onnx.ModelProto, wanted: GraphInput) -> None:
    """Let it take float pictures of 0 to 1, channels first, whatever it took before."""
    graph = model.graph
    (old,) = (one for one in graph.input if one.name == wanted.name)
    if wanted.dtype == np.float32 and not wanted.channels_last:
        return
    height, width = (side or name for side, name in zip(wanted.sides, ("h", "w"), strict=True))
    image = helper.make_tensor_value_info(
        IMAGE, TensorProto.FLOAT, [wanted.batch or "batch", 3, height, width]
    )
    nodes, name = [], IMAGE
    if wanted.channels_last:
        nodes.append(helper.make_node("Transpose", [name], ["tandem_last"], perm=[0, 2, 3, 1]))
        name = "tandem_last"
    if wanted.dtype == np.uint8:
        whole = numpy_helper.from_array(np.array(255, np.float32), "tandem_255")
        graph.initializer.append(whole)
        nodes.append(helper.make_node("Mul", [name, "tandem_255"], ["tandem_bytes"]))
        nodes.append(helper.make_node("Round", ["tandem_bytes"], ["tandem_whole"]))
        name = "tandem_whole"
    if wanted.dtype in _TYPES:
        nodes.append(helper.make_node("Cast", [name], ["tandem_cast"], to=_TYPES[wanted.dtype]))
        name = "tandem_cast"
    nodes.append(helper.make_node("Identity", [name], [wanted.name]))
    rest = [one for one in graph.input if one.name != old.name]
    del graph.input[:]
    graph.input.extend([image, *rest])
    inner = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *inner])


def put_output(
    model: onnx.ModelProto, name: str, ours: str, rank: int, *, log: bool = False,
    channels_last: bool = False,
) -> None:  # fmt: skip
    """The output under our name, in float32, the only one that stays.

    `log`: probabilities become logits, of which the softmax is the same probabilities again.
    `channels_last`: a class map (B, K, H, W) becomes (B, H, W, K).
    """
    graph = model.graph
    if ours in {one for node in graph.node for one in (*node.input, *node.output)}:
        theirs = f"foreign_{ours}"
        _rename(model, ours, theirs)
        name = theirs if name == ours else name
    nodes = [helper.make_node("Cast", [name], ["tandem_float"], to=TensorProto.FLOAT)]
    name = "tandem_float"
    if log:
        least = numpy_helper.from_array(np.array(_SMALLEST, np.float32), "tandem_least")
        graph.initializer.append(least)
        nodes.append(helper.make_node("Max", [name, "tandem_least"], ["tandem_positive"]))
        nodes.append(helper.make_node("Log", ["tandem_positive"], ["tandem_log"]))
        name = "tandem_log"
    if channels_last:
        nodes.append(helper.make_node("Transpose", [name], ["tandem_map"], perm=[0, 2, 3, 1]))
        name = "tandem_map"
    nodes.append(helper.make_node("Identity", [name], [ours]))
    graph.node.extend(nodes)
    del graph.output[:]
    shape = [f"d{place}" for place in range(rank)]
    graph.output.append(helper.make_tensor_value_info(ours, TensorProto.FLOAT, shape))


def _rename(model: onnx.ModelProto, old: str, new: str) -> None:
    """A value that has the name which ours is to have."""
    for node in model.graph.node:
        for several in (node.input, node.output):
            for place, name in enumerate(several):
                if name == old:
                    several[place] = new
    for info in (*model.graph.value_info, *model.graph.input):
        if info.name == old:
            info.name = new
    for tensor in model.graph.initializer:
        if tensor.name == old:
            tensor.name = new


def probes(side: tuple[int, int]) -> Array:
    """Pictures (6, 3, H, W) of 0 to 1 that are as unlike as can be."""
    rng = np.random.default_rng(0)
    height, width = side
    ramp = np.broadcast_to(np.linspace(0, 1, width), (3, height, width))
    colour = np.zeros((3, height, width))
    colour[0] = 1
    noise = rng.random((3, height, width))
    several = [noise, noise**3, 1 - noise**2, ramp, colour, np.ones((3, height, width))]
    return np.stack(several).astype(np.float32)


def scores_are(op: str, scores_BK: Array) -> str:
    """What the last axis holds: `logits`, `log`, `softmax` or `sigmoid`.

    By its last operation and by the values for several pictures: a graph may compute a softmax in
    steps, and an operation that is called so may go along another axis.
    """
    sums_B = scores_BK.sum(-1)
    between = bool((scores_BK >= -1e-6).all() and (scores_BK <= 1 + 1e-6).all())
    if between and bool(np.allclose(sums_B, 1, atol=5e-3)):
        return "softmax"
    if bool((scores_BK <= 1e-6).all()) and np.allclose(np.exp(scores_BK).sum(-1), 1, atol=5e-3):
        return "log"
    if op in ("Softmax", "LogSoftmax"):
        return "other axis"
    return "sigmoid" if op in ("Sigmoid", "HardSigmoid") and between else "logits"
