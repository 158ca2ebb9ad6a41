"""A trained student as one ONNX file that other programs run."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession
from torch import Tensor, nn

from tandem.spec.errors import OutputFolderError, StudentError, TandemError
from tandem.spec.model import ModelConfig
from tandem.spec.os_errors import writing
from tandem.train.export import final_model
from tandem.train.types import StepOutput, Student

OPSET = 18
TOLERANCE = 1e-4
CONFIG_KEY = "tandem"
INPUTS = {"sequence": "clips", "text": "texts"}
OUTPUTS = {"segmentation": "class_map", "detection": "boxes"}
"""By kind; of the others `images` go in and `logits` come out."""


class Exported(nn.Module):
    """Inputs as the student takes them, its answer out: normalisation is inside, taps are not."""

    def __init__(self, student: Student, kind: str) -> None:
        super().__init__()
        self.student, self.kind = student, kind

    def forward(self, inputs: Tensor) -> Tensor:
        return answer_of(self.student(inputs), self.kind)


def answer_of(output: StepOutput, kind: str) -> Tensor:
    """What the student of a kind is asked for."""
    if kind == "segmentation":
        assert output.class_map_BHWK is not None
        return output.class_map_BHWK
    if kind == "detection":
        assert output.boxes_BCA is not None
        return output.boxes_BCA
    return output.logits_BK


def input_name(kind: str) -> str:
    """The name of the ONNX file's only input."""
    return INPUTS.get(kind, "images")


def output_name(kind: str) -> str:
    """The name of its only output."""
    return OUTPUTS.get(kind, "logits")


def to_onnx(model_folder: Path, target: Path) -> Path:
    """Inputs of any batch to logits (B, K), class_map (B, S, S, K) or boxes (B, 4 + K, A).

    Pictures are float of 0 to 1, (B, 3, S, S); clips (B, T, 3, S, S); texts int64 (B, 3, L).
    Checked in ONNX Runtime against PyTorch before `target` is written. The model's config lies in
    the file's metadata, so that `tandem.load` needs nothing else. Raises StudentError for a folder
    without a model or one that cannot be traced, OutputFolderError, and TandemError when the two
    disagree.
    """
    student, config = final_model.load(model_folder)
    if not getattr(student, "traceable", True):
        raise StudentError(
            "{student} is not exported: as Transformers' network is traced, its batch becomes a "
            "constant.",
            student=config.student.size,
            fix="Use its final_model folder, or train a YOLOX for ONNX.",
        )
    if not target.parent.is_dir():
        raise OutputFolderError("There is no folder {path}.", path=target.parent)
    hidden = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with writing(target):
            write(student, config, hidden)
            check(student, config, hidden)
            hidden.replace(target)
    finally:
        hidden.unlink(missing_ok=True)
    return target


def write(student: Student, config: ModelConfig, file: Path) -> None:
    """The student as ONNX, unchecked."""
    model = Exported(student, config.kind).eval()
    # A batch of two: one of one would be taken for a constant.
    with warnings.catch_warnings():
        # The exporter speaks of itself (an LSTM's list of weights, its own deprecations); whether
        # the file is right is checked below.
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        for category in (UserWarning, FutureWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        program = torch.onnx.export(
            model,
            (student.example(2),),
            input_names=[input_name(config.kind)],
            output_names=[output_name(config.kind)],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes={"inputs": {0: torch.export.Dim("batch")}},
            verbose=False,
        )
    assert program is not None, "dynamo=True gives one"
    proto = program.model_proto
    entry = proto.metadata_props.add()
    entry.key, entry.value = CONFIG_KEY, config.model_dump_json()
    onnx.save_model(proto, str(file))


def check(student: Student, config: ModelConfig, file: Path) -> None:
    """For one input and for three, so that the batch is proven to be free."""
    session = InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for count in (1, 3):
        inputs = student.example(count)
        with torch.no_grad():
            ours = answer_of(student(inputs), config.kind).numpy()
        (theirs,) = session.run(None, {input_name(config.kind): inputs.numpy()})
        gap = float(np.abs(ours - theirs).max())
        # Put so that a gap that is not a number is refused too.
        if not gap <= TOLERANCE * max(1.0, float(np.abs(ours).max())):
            raise TandemError(
                "ONNX Runtime and PyTorch disagree by {gap} on this model; nothing was written.",
                gap=f"{gap:.2g}",
                fix="Report it, with the student's type and size.",
            )
