"""A trained student as one ONNX file that other programs run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession
from torch import Tensor, nn

from tandem.spec.errors import OutputFolderError, TandemError
from tandem.spec.model import ModelConfig
from tandem.train import final_model
from tandem.train.types import Student

OPSET = 18
TOLERANCE = 1e-4
CONFIG_KEY = "tandem"


class _Logits(nn.Module):
    """Images of 0 to 1 in, logits out: the normalisation is inside, the taps are not."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, images: Tensor) -> Tensor:
        logits_BK: Tensor = self.student(images).logits_BK
        return logits_BK


def to_onnx(model_folder: Path, target: Path) -> Path:
    """`images` (B, 3, S, S) float of 0 to 1, any B, to `logits` (B, K).

    Checked in ONNX Runtime against PyTorch before `target` is written. The model's config lies in
    the file's metadata, so that `tandem.load` needs nothing else. Raises StudentError for a folder
    without a model, OutputFolderError, and TandemError when the two disagree.
    """
    student, config = final_model.load(model_folder)
    if not target.parent.is_dir():
        raise OutputFolderError("There is no folder {path}.", path=target.parent)
    hidden = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        _write(_Logits(student).eval(), config, hidden)
        _check(student, config, hidden)
        hidden.replace(target)
    finally:
        hidden.unlink(missing_ok=True)
    return target


def _write(model: nn.Module, config: ModelConfig, file: Path) -> None:
    size = config.image_size
    # A batch of two: one of one would be taken for a constant.
    program: Any = torch.onnx.export(
        model,
        (torch.zeros(2, 3, size, size),),
        input_names=["images"],
        output_names=["logits"],
        opset_version=OPSET,
        dynamo=True,
        dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
        verbose=False,
    )
    proto = program.model_proto
    entry = proto.metadata_props.add()
    entry.key, entry.value = CONFIG_KEY, config.model_dump_json()
    onnx.save_model(proto, str(file))


def _check(student: Student, config: ModelConfig, file: Path) -> None:
    """For one image and for three, so that the batch is proven to be free."""
    session = InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for count in (1, 3):
        images_BCHW = _images(count, config.image_size)
        with torch.no_grad():
            ours_BK = student(torch.from_numpy(images_BCHW)).logits_BK.numpy()
        (theirs_BK,) = session.run(None, {"images": images_BCHW})
        gap = float(np.abs(ours_BK - theirs_BK).max())
        if not gap <= TOLERANCE * max(1.0, float(np.abs(ours_BK).max())):
            raise TandemError(
                "ONNX Runtime and PyTorch disagree by {gap} on this model; nothing was written.",
                gap=f"{gap:.2g}",
                fix="Report it, with the student's type and size.",
            )


def _images(count: int, size: int) -> NDArray[np.float32]:
    """Smooth patterns that differ in every pixel and channel."""
    ramp = np.linspace(0, 7 * count, count * 3 * size * size)
    return (0.5 + 0.5 * np.sin(ramp)).astype(np.float32).reshape(count, 3, size, size)
