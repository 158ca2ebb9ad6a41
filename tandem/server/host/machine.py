"""What this machine has and how busy it is; without torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil
import pynvml  # type: ignore[import-untyped]

from tandem.server.host.processor import Cpu

MEGABYTE = 2**20


@dataclass(frozen=True)
class Gpu:
    """One GPU as the driver reports it. `index` is as a run counts them."""

    index: int
    name: str
    usage_percent: float
    memory_used_megabytes: float
    memory_total_megabytes: float


@dataclass(frozen=True)
class MachineState:
    """The machine at one moment."""

    cpu_percent: float
    """Since it was asked last."""
    cpus: int
    memory_used_megabytes: float
    memory_total_megabytes: float
    disk_used_megabytes: float
    disk_total_megabytes: float
    gpus: tuple[Gpu, ...]


PROCESSOR = Cpu()


def state(disk: Path) -> MachineState:
    """Now; `disk` is a folder on the disk that counts."""
    memory = psutil.virtual_memory()
    there = next((one for one in [disk, *disk.parents] if one.exists()), Path("/"))
    room = psutil.disk_usage(str(there))
    return MachineState(
        cpu_percent=PROCESSOR.percent(),
        cpus=os.cpu_count() or 1,
        memory_used_megabytes=(memory.total - memory.available) / MEGABYTE,
        memory_total_megabytes=memory.total / MEGABYTE,
        disk_used_megabytes=room.used / MEGABYTE,
        disk_total_megabytes=room.total / MEGABYTE,
        gpus=gpus(),
    )


def gpus() -> tuple[Gpu, ...]:
    """Those that a run started here would see; none without NVIDIA's driver."""
    found = []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        for index, name in enumerate(_visible(pynvml.nvmlDeviceGetCount())):
            one = _handle(name)
            used, total = _memory(one)
            found.append(
                Gpu(
                    index=index,
                    name=str(pynvml.nvmlDeviceGetName(one)),
                    usage_percent=_usage(one),
                    memory_used_megabytes=used,
                    memory_total_megabytes=total,
                )
            )
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()
    return tuple(found)


def visible_gpus() -> tuple[str, ...]:
    """As CUDA_VISIBLE_DEVICES names them, in order: `0`, `1`, or UUIDs."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        return tuple(_visible(pynvml.nvmlDeviceGetCount()))
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def _visible(count: int) -> list[str]:
    """As CUDA reads the variable: the first name of none ends the list."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is None:
        return [str(index) for index in range(count)]
    names: list[str] = []
    for name in (part.strip() for part in told.split(",")):
        if name.isdigit() and int(name) < count or name.startswith(("GPU-", "MIG-")):
            names.append(name)
        else:
            break
    return names


def _handle(name: str) -> object:
    if name.isdigit():
        return pynvml.nvmlDeviceGetHandleByIndex(int(name))
    return pynvml.nvmlDeviceGetHandleByUUID(name)


def _memory(one: object) -> tuple[float, float]:
    """Used and total, in MiB."""
    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(one)
    except pynvml.NVMLError:  # a virtual GPU may not say; it computes all the same
        return 0.0, 0.0
    return int(memory.used) / MEGABYTE, int(memory.total) / MEGABYTE


def _usage(one: object) -> float:
    try:
        return float(pynvml.nvmlDeviceGetUtilizationRates(one).gpu)
    except pynvml.NVMLError:  # a slice of a GPU has none
        return 0.0
