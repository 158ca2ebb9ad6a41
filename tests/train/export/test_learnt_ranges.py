"""The ranges that a student learnt its rounding with are those of its int8 export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from tandem.spec.errors import StudentError
from tandem.spec.model import ModelConfig
from tandem.spec.run import StudentSpec
from tandem.train.engines import quantize_aware
from tandem.train.export import final_model, onnx_model
from tandem.train.export.int8 import quantize_file
from tandem.train.types import StepOutput, Student

SIDE = 32


class Small(Student):
    """A convolution, and linear layers over cells and over their mean."""

    mean, std = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.mixer = nn.Conv2d(3, 4, 3, stride=2), nn.Linear(4, 8)
        self.head = nn.Linear(8, 4)
        self.num_classes, self.image_size = 4, SIDE

    def forward(self, images_BCHW: torch.Tensor, layers: Sequence[int] = ()) -> StepOutput:  # noqa: ARG002
        cells_BND = self.conv(images_BCHW).relu().flatten(2).transpose(1, 2)
        pooled_BD = self.mixer(cells_BND).relu().mean(1)
        return StepOutput(self.head(pooled_BD), pooled_BD)


def learnt() -> tuple[Student, dict[str, tuple[float, float]]]:
    """A student that has seen two batches while it rounds."""
    torch.manual_seed(0)
    student = Small()
    quantize_aware.attach(student)
    student.train()
    for _ in range(2):
        student(torch.rand(4, 3, SIDE, SIDE))
    ranges = quantize_aware.bake(student)
    assert ranges.keys() == {"conv", "mixer", "head"}
    return student.eval(), ranges


def grids(file: Path) -> dict[str, tuple[float, int]]:
    """Of each tensor that is rounded: its step, and which level is zero."""
    graph = onnx.load(str(file)).graph
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    return {
        node.input[0]: (float(constants[node.input[1]]), int(constants[node.input[2]]))
        for node in graph.node
        if node.op_type == "QuantizeLinear" and constants[node.input[1]].ndim == 0
    }


def test_an_export_rounds_by_the_ranges_that_were_learnt(tmp_path: Path) -> None:
    """Of a convolution, whose weight keeps its name, and of linear layers, whose does not."""
    student, ranges = learnt()
    source = tmp_path / "whole.onnx"
    config = ModelConfig(
        tandem_version="1",
        kind="classification",
        student=StudentSpec(type="resnet", size="resnet18"),
        classes=list("abcd"),
        image_size=SIDE,
        mean=list(student.mean),
        std=list(student.std),
    )
    onnx_model.write(student, config, source)
    # Brighter than anything that was learnt on: the ranges found on them are others.
    images = [np.full((2, 3, SIDE, SIDE), 3.0, np.float32)]
    quantize_file(source, tmp_path / "kept.onnx", "classification", images, ranges)
    kept = sorted(grids(tmp_path / "kept.onnx").values())
    # The last layer stays in floats.
    del ranges["head"]
    for name, (low, high) in ranges.items():
        step = (high - low) / 255
        zero = round(-low / step)
        assert any(one == pytest.approx(step, rel=1e-4) and at == zero for one, at in kept), name


def test_the_ranges_lie_beside_the_weights_and_a_damaged_file_is_refused(tmp_path: Path) -> None:
    files = final_model.ranges_file({"net.conv1": (-1.5, 2.0)})
    assert final_model.ranges_file({}) == {}
    assert final_model.read_ranges(tmp_path) == {}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert final_model.read_ranges(tmp_path) == {"net.conv1": (-1.5, 2.0)}
    (tmp_path / "input_ranges.json").write_text("[]")
    with pytest.raises(StudentError, match="does not hold the ranges"):
        final_model.read_ranges(tmp_path)
