"""Which GPUs this process and its children see: those that the run names, numbered from 0.

The one place where a run's GPUs are chosen. The service starts the same command with the same
spec, so this holds for its runs too. Libraries take `cuda:LOCAL_RANK` whatever a spec says, so the
chosen ones must be the only ones.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence

import pynvml  # type: ignore[import-untyped]

from tandem.spec.errors import DeviceError

VISIBLE = "CUDA_VISIBLE_DEVICES"
CHOSEN = "TANDEM_CHOSEN_GPUS"
"""The numbers by which the run named what it sees now: a child must not choose among them again."""


def see_only(devices: Sequence[int] | str, env: MutableMapping[str, str]) -> None:
    """Let CUDA show these GPUs alone, in this order; before CUDA is first called in the process.

    `devices` are numbers among those visible so far. Nothing is changed for `auto`, for `cpu`, and
    where the driver does not answer. DeviceError for a GPU that is not there.
    """
    chosen = _numbers(devices)
    if not chosen or env.get(CHOSEN) == _joined(chosen):
        return
    names = _names(env)
    if not names:
        return  # whoever asks torch next is told that there is none
    missing = [one for one in chosen if one >= len(names)]
    if missing:
        raise gpu_missing(missing, len(names))
    env.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # NVML counts them so, CUDA would by speed
    env[VISIBLE] = ",".join(names[one] for one in chosen)
    env[CHOSEN] = _joined(chosen)


def indices(devices: Sequence[int], env: MutableMapping[str, str]) -> list[int]:
    """The numbers that torch knows these GPUs by in this process."""
    chosen = _numbers(devices)
    return list(range(len(chosen))) if env.get(CHOSEN) == _joined(chosen) else chosen


def gpu_missing(missing: Sequence[int], there: int) -> DeviceError:
    """What is said of GPUs that are asked for and not there."""
    return DeviceError(
        "GPU {missing} is not there: this machine has {there}.",
        missing=", ".join(map(str, missing)),
        there=there,
        allowed=[*range(there), "cpu"],
        fix="Use --gpu_devices cpu, or leave the flag out, to run on the CPU.",
    )


def _numbers(devices: Sequence[int] | str) -> list[int]:
    """One that is named twice is one."""
    return [] if isinstance(devices, str) else list(dict.fromkeys(devices))


def _joined(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))


def _names(env: MutableMapping[str, str]) -> list[str]:
    """What CUDA shows so far, as the variable names it: numbers or UUIDs."""
    told = env.get(VISIBLE)
    if told is not None:
        return [name.strip() for name in told.split(",") if name.strip()]
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [str(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()
