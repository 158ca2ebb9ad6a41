"""Which GPU, in which precision: what the driver and torch say is faked, nothing else."""

import os
import types

import pynvml
import pytest
import torch

from tandem.spec.errors import DeviceError, SpecError
from tandem.spec.run import ExecutionSpec, RunSpec
from tandem.train.__main__ import main
from tandem.train.detection import settings as detector_settings
from tandem.train.engines import device, visible_gpus
from tandem.train.pipeline import launch, run
from tandem.train.pretrained import quantize
from tandem.train.yolo import settings

CUDA = torch.device("cuda", 0)


@pytest.fixture
def gpus(monkeypatch):
    """Four GPUs for NVML, and for torch as many as the environment lets it see."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    for name in (visible_gpus.VISIBLE, visible_gpus.CHOSEN, "RANK", "LOCAL_RANK", "WORLD_SIZE"):
        os.environ.pop(name, None)
    for name in ("nvmlInit", "nvmlShutdown"):
        monkeypatch.setattr(pynvml, name, lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 4)
    seen = types.SimpleNamespace(current=None, native=True)

    def count():
        told = os.environ.get(visible_gpus.VISIBLE)
        return 4 if told is None else len(told.split(","))

    def has_bf16(including_emulation=True):
        return including_emulation or seen.native

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", count)
    monkeypatch.setattr(torch.cuda, "set_device", lambda one: setattr(seen, "current", one))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", has_bf16)
    return seen


def execution(**fields):
    return ExecutionSpec(output_dir="x", **fields)


@pytest.mark.parametrize("chosen", [[2, 3], [1, 0], [3], [0, 2]])
def test_the_gpus_that_are_named_are_the_only_ones_and_are_counted_from_0(gpus, chosen):
    spec = execution(devices=chosen)
    visible_gpus.see_only(spec.devices, os.environ)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(map(str, chosen))
    assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert device.wanted_processes(spec) == len(chosen)
    # Accelerate takes cuda:LOCAL_RANK, so each process's own must be that one.
    for rank in range(len(chosen)):
        os.environ["LOCAL_RANK"] = str(rank)
        assert device.device_context(spec).device == torch.device("cuda", rank)
        assert gpus.current == torch.device("cuda", rank)


def test_a_child_does_not_choose_among_them_again(gpus, tmp_path):
    visible_gpus.see_only([2, 3], os.environ)
    child = launch._environment(2, tmp_path / "exit", 0)
    visible_gpus.see_only([2, 3], child)
    assert child["CUDA_VISIBLE_DEVICES"] == "2,3"


def test_under_a_service_that_sees_some_of_them_they_are_counted_among_those(gpus):
    os.environ["CUDA_VISIBLE_DEVICES"] = "1,GPU-5f2c,3"
    visible_gpus.see_only([1, 2], os.environ)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-5f2c,3"


def test_one_that_is_not_there_is_refused_by_its_own_number(gpus):
    with pytest.raises(DeviceError, match="GPU 7 is not there: this machine has 4"):
        visible_gpus.see_only([1, 7], os.environ)
    assert visible_gpus.VISIBLE not in os.environ


def test_the_trainer_chooses_before_it_starts_others(gpus, monkeypatch, tmp_path):
    started = []
    monkeypatch.setattr(
        launch,
        "launch",
        lambda file, count, stop: started.append((count, os.environ["CUDA_VISIBLE_DEVICES"])) or 0,
    )
    file = tmp_path / "spec.json"
    spec = RunSpec.model_validate(
        {
            "task_id": "x",
            "mode": "direct",
            "data": {"dataset": "x"},
            "student": {"type": "resnet", "size": "resnet18"},
            "run": {"output_dir": str(tmp_path / "run"), "devices": [2, 3]},
        }
    )
    file.write_text(spec.model_dump_json())
    assert main([str(file)]) == 0
    assert started == [(2, "2,3")]


def test_bf16_only_where_the_hardware_has_it(gpus):
    assert device.device_context(execution(devices=[0])).precision == "bf16"
    gpus.native = False  # a T4: torch says yes by emulation
    assert device.device_context(execution(devices=[0])).precision == "fp16"
    assert device.device_context(execution(devices="cpu")).precision == "fp32"
    with pytest.raises(DeviceError, match="This GPU has no bf16"):
        device.device_context(execution(devices=[0], precision="bf16"))


def test_a_teacher_on_a_gpu_without_bf16_is_in_fp32(gpus):
    assert quantize.resolve_precision("auto", CUDA) == "bf16"
    assert quantize.compute_dtype("int4", CUDA) == torch.bfloat16
    gpus.native = False
    assert quantize.resolve_precision("auto", CUDA) == "fp32"
    assert quantize.compute_dtype("int4", CUDA) == torch.float32
    with pytest.raises(DeviceError, match="no bf16"):
        quantize.resolve_precision("bf16", CUDA)


@pytest.mark.parametrize(
    ("size", "engine"), [("yolov8n", settings), ("yolox-nano", detector_settings)]
)
def test_a_detector_learns_in_fp32_where_the_rest_would_in_fp16(gpus, size, engine):
    gpus.native = False
    tree = {
        "task_id": "x",
        "mode": "direct",
        "data": {"dataset": "x"},
        "student": {"type": size.partition("-")[0].removesuffix("n"), "size": size},
        "run": {"output_dir": "x", "devices": [0]},
    }
    spec = RunSpec.model_validate(tree)
    context = device.device_context(spec.run)
    engine.check(spec, context)
    assert settings.overrides(spec, context, "", ["a"])["amp"] is False
    tree["run"] |= {"compile": True}
    with pytest.raises(SpecError, match="not for detectors"):
        engine.check(RunSpec.model_validate(tree), context)


@pytest.mark.parametrize(
    "refusal",
    [
        pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED),
        ModuleNotFoundError("nvidia-ml-py"),
        RuntimeError("cuda driver can't be loaded"),
    ],
)
def test_a_gauge_that_the_driver_refuses_reads_nothing(monkeypatch, refusal):
    def refuse(_):
        raise refusal

    monkeypatch.setattr(torch.cuda, "utilization", refuse)
    assert device.gpu_usage_percent(CUDA) is None


def test_processes_wait_for_each_other_for_hours(monkeypatch):
    """Indexing, LoRA and another run's cache all take longer than the default's ten minutes."""
    joined = {}

    class EndOfTestError(Exception):
        pass

    def init(backend=None, **options):
        joined.update(options)
        raise EndOfTestError

    from accelerate import PartialState

    kept = dict(PartialState._shared_state)
    monkeypatch.setattr(torch.distributed, "init_process_group", init)
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
                        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    PartialState._reset_state()
    try:
        context = device.DeviceContext(torch.device("cpu"), 0, 2, "fp32")
        with pytest.raises(EndOfTestError):
            run.execute(types.SimpleNamespace(device_context=context))
    finally:
        PartialState._reset_state()
        PartialState._shared_state.update(kept)
    assert joined["timeout"].total_seconds() >= 12 * 3600
