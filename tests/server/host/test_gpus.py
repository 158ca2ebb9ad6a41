"""GPUs as NVML tells of them, and as it refuses to."""

import types

import pynvml

from tandem.server.host import machine


def test_a_virtual_gpu_that_says_nothing_of_itself_is_still_there(monkeypatch):
    def refuse(_):
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("nvmlInit", "nvmlShutdown"):
        monkeypatch.setattr(pynvml, name, lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 1)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetName", lambda _: "GRID A100-10C")
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", refuse)
    told = types.SimpleNamespace(used=2**30, total=2**33)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda _: told)
    (one,) = machine.gpus()
    assert (one.usage_percent, one.memory_used_megabytes) == (0.0, 1024.0)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", refuse)
    (one,) = machine.gpus()
    assert (one.name, one.memory_total_megabytes) == ("GRID A100-10C", 0.0)
