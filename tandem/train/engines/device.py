"""Which device a run uses, in which precision, and how much of it is taken."""

from __future__ import annotations

import os
from dataclasses import dataclass

import psutil
import pynvml  # type: ignore[import-untyped]
import torch
from torch import Tensor

from tandem.spec.errors import DeviceError
from tandem.spec.run import ExecutionSpec
from tandem.train.engines.visible_gpus import gpu_missing, indices
from tandem.train.pretrained.quantize import has_bf16

MEGABYTE = 2**20
_NO_GAUGE = (pynvml.NVMLError, ModuleNotFoundError, RuntimeError, ValueError, LookupError)
"""NVML's own refusals, and torch's where it cannot find the device by NVML's names."""


@dataclass(frozen=True)
class DeviceContext:
    """Where this process of the run computes."""

    device: torch.device
    rank: int
    processes: int
    precision: str
    """`fp32`, `bf16` or `fp16`: of the student's forward pass."""

    @property
    def first(self) -> bool:
        """Whether this process speaks for the run."""
        return self.rank == 0


def wanted_processes(spec: ExecutionSpec) -> int:
    """How many data-parallel processes are asked for. DeviceError for a GPU not there."""
    gpus = _gpus(spec)
    if not gpus:
        return spec.processes or 1
    if spec.processes is not None and spec.processes != len(gpus):
        raise DeviceError(
            "run.processes is {processes}, but {gpus} GPUs are asked for.",
            processes=spec.processes,
            gpus=len(gpus),
            fix="Leave run.processes out: with GPUs it is one each.",
        )
    return len(gpus)


def device_context(spec: ExecutionSpec) -> DeviceContext:
    """This process's share, from the spec and torchrun's environment."""
    # Settles how many threads compute here before any other thread sets its own number: sums are
    # cut by threads, so a resumed run would otherwise round differently.
    torch.set_num_threads(torch.get_num_threads())
    # Convolutions are rounded so by default, products of matrices are not: both are, or none is.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = spec.tf32
    gpus = _gpus(spec)
    rank = int(os.environ.get("RANK", "0"))
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if gpus:
        device = torch.device("cuda", gpus[int(os.environ.get("LOCAL_RANK", "0")) % len(gpus)])
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")
    return DeviceContext(device, rank, processes, _precision(spec.precision, device))


def memory_megabytes(device: torch.device) -> float:
    """The most this process has taken: GPU memory on a GPU, else resident memory now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MEGABYTE
    return float(psutil.Process().memory_info().rss) / MEGABYTE


def gpu_usage_percent(device: torch.device) -> float | None:
    """Utilisation as the driver reports it; None on a CPU, and where it reports none.

    A slice of a GPU (MIG) and a virtual one have no such gauge: NVML refuses, and the run goes on.
    """
    if device.type != "cuda":
        return None
    try:
        return float(torch.cuda.utilization(device))
    except _NO_GAUGE:
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the host ran out of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # torch's allocator on the CPU raises a plain RuntimeError: its words are all there is.
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _gpus(spec: ExecutionSpec) -> list[int]:
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if spec.devices == "cpu":
        return []
    if spec.devices == "auto":
        return list(range(there))
    wanted = indices(spec.devices, os.environ)
    missing = [one for one in wanted if one >= there]
    if missing:
        raise gpu_missing(missing, there)
    return wanted


def _precision(asked: str, device: torch.device) -> str:
    on_gpu = device.type == "cuda"
    if asked == "auto":
        if not on_gpu:
            return "fp32"
        # fp16 with a loss scaler, where bf16 would be emulated.
        return "bf16" if has_bf16(device) else "fp16"
    if asked == "fp16" and not on_gpu:
        raise DeviceError(
            "fp16 needs a GPU; this run is on the CPU.",
            allowed=["auto", "fp32", "bf16"],
            fix="Set run.precision to auto.",
        )
    if asked == "bf16" and not has_bf16(device):
        raise DeviceError("This GPU has no bf16.", allowed=["auto", "fp32", "fp16"])
    return asked


def as_inputs(inputs: Tensor, device: torch.device) -> Tensor:
    """On the device; pictures as floats of 0 to 1, a text's numbers as they are."""
    # Pictures cross to the device as bytes, a quarter of what floats would be.
    moved = inputs.to(device, non_blocking=True)
    return moved.float().div_(255) if moved.dtype == torch.uint8 else moved
