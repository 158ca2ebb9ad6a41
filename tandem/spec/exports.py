"""What a trained model can be written as, and what of it this machine has: nothing is imported."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec

from tandem.spec.i18n import t

OWN = ("onnx", "int8")
"""By Tandem itself, of every kind."""
AGPL = "AGPL-3.0 (Ultralytics)"


@dataclass(frozen=True)
class ExportFormat:
    """One way of writing a model."""

    name: str
    suffix: str
    """The ending of the file or folder."""
    packages: tuple[str, ...] = ()
    """Modules that must be here."""
    platform: str = ""
    """`sys.platform` that it can only be written on."""

    @property
    def is_own(self) -> bool:
        return self.name in OWN

    @property
    def licence(self) -> str | None:
        return None if self.is_own else AGPL

    def lacking(self) -> tuple[str, str] | None:
        """Why it cannot be written here, and the fix; None where it can, for all that is seen."""
        away = [name for name in self.packages if find_spec(name) is None]
        if away:
            return (
                t("It needs {packages}, which is not installed.", packages=", ".join(away)),
                _install(away),
            )
        if self.platform and sys.platform != self.platform:
            return (
                t("It can only be written on {platform}.", platform=self.platform),
                t("Write it there, by `tandem export`."),
            )
        return None


def _install(away: list[str]) -> str:
    if "ultralytics" in away:
        return t("Install the extra by `pip install tandem[yolo]`; Ultralytics is AGPL-3.0.")
    return t("Install it by `pip install {packages}`.", packages=" ".join(away))


def _by_ultralytics(name: str, suffix: str, *packages: str, on: str = "") -> ExportFormat:
    return ExportFormat(name, suffix, ("ultralytics", *packages), on)


FORMATS = {
    one.name: one
    for one in (
        ExportFormat("onnx", ".onnx"),
        ExportFormat("int8", ".onnx"),
        _by_ultralytics("ultralytics", ".pt"),
        _by_ultralytics("torchscript", ".torchscript"),
        _by_ultralytics("openvino", "_openvino_model", "openvino"),
        _by_ultralytics("engine", ".engine", "tensorrt"),
        _by_ultralytics("coreml", ".mlpackage", "coremltools", on="darwin"),
        _by_ultralytics("saved_model", "_saved_model", "tensorflow", "onnx2tf"),
        _by_ultralytics("ncnn", "_ncnn_model", "ncnn", "pnnx"),
        _by_ultralytics("mnn", ".mnn", "MNN"),
    )
}


def about(format: str) -> str:
    """In one line, what it is good for."""
    return {
        "onnx": t("ONNX: one file that ONNX Runtime, TensorRT and others run."),
        "int8": t("ONNX in whole numbers of eight bits: smaller, often quicker."),
        "ultralytics": t("Ultralytics' own .pt, for its YOLO program."),
        "torchscript": t("TorchScript: PyTorch without Python."),
        "openvino": t("OpenVINO: Intel's processors."),
        "engine": t("TensorRT: NVIDIA's GPUs."),
        "coreml": t("Core ML: Apple's devices."),
        "saved_model": t("TensorFlow's SavedModel."),
        "ncnn": t("NCNN: phones and small boards."),
        "mnn": t("MNN: phones and small boards."),
    }[format]


def file_name(format: str) -> str:
    """The name of an export in a model's folder of exports."""
    known = FORMATS[format]
    return f"model-int8{known.suffix}" if format == "int8" else f"model{known.suffix}"
