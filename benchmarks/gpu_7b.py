"""`python -m benchmarks.gpu_7b`: a full-size Qwen2.5-VL-7B tower teaches ResNet-50 at 224 px.

The configuration is the 7B release's, the weights are random (rates do not depend on their
values). Only the vision tower's 0.67 billion are written: a probe teaches without the language
model, so Tandem reads nothing else of the checkpoint. Needs a CUDA device; without one it says so
and ends with 0.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.engine import Ran, changed, run
from benchmarks.images import write_photos
from benchmarks.row import Row, markdown
from tandem.spec.run import (
    CacheSpec,
    DataSpec,
    ExecutionSpec,
    OptimSpec,
    ReportSpec,
    RunSpec,
    StudentSpec,
    TeacherSpec,
    ViewSpec,
)
from tandem.train.cache import SourceRequest, SourceSetup, WantedSignals, open_source
from tandem.train.data import classification
from tandem.train.data.augment import Views
from tandem.train.demo.small_qwen import build_processor
from tandem.train.registry import find
from tandem.train.types import SilentProgress, Teacher

VISION_7B = {
    "depth": 32,
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "out_hidden_size": 3584,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "window_size": 112,
    "fullatt_block_indexes": [7, 15, 23, 31],
}
TEXT_7B = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
}


@dataclass(frozen=True)
class Scale:
    """The full size; a smaller one tries the script itself out."""

    vision: dict[str, Any] = field(default_factory=lambda: dict(VISION_7B))
    images: int = 2048
    size: int = 224
    student: str = "resnet50"
    batch_size: int = 64
    teacher_batches: tuple[int, ...] = (16, 32, 64, 128)
    epochs: int = 3
    matmul_side: int = 8192


def main() -> int:
    argparse.ArgumentParser(prog="python -m benchmarks.gpu_7b", description=__doc__).parse_args()
    if not torch.cuda.is_available():
        print("There is no CUDA device here, so nothing was measured.")
        return 0
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    print(markdown(measure(Scale(), torch.device("cuda", 0))), end="")
    return 0


def measure(scale: Scale, device: torch.device) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        write_photos(folder / "photos", scale.images)
        write_teacher(folder / "teacher", scale.vision, device)
        rows = _fill_rows(folder, scale, device)
        return rows + _training_rows(folder, scale, device)


def write_teacher(folder: Path, vision: dict[str, Any], device: torch.device) -> None:
    """config.json, the processor's files and the tower's weights, random, in bf16."""
    from transformers import Qwen2_5_VLConfig
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
        Qwen2_5_VisionTransformerPretrainedModel as Tower,
    )

    config = Qwen2_5_VLConfig(
        vision_config=vision, text_config={**TEXT_7B, "hidden_size": vision["out_hidden_size"]}
    )
    config.architectures = ["Qwen2_5_VLForConditionalGeneration"]
    vision_config: Any = config.vision_config
    with torch.device("meta"):
        tower = Tower(vision_config)
    random = torch.Generator(device).manual_seed(0)
    weights: dict[str, Tensor] = {}
    for key, value in tower.state_dict().items():
        made = torch.empty(value.shape, dtype=torch.bfloat16, device=device)
        made = made.fill_(1) if value.ndim == 1 else made.normal_(0, 0.02, generator=random)
        weights[f"visual.{key}"] = made.cpu()
    folder.mkdir()
    config.save_pretrained(folder)
    build_processor().save_pretrained(folder)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _fill_rows(folder: Path, scale: Scale, device: torch.device) -> list[Row]:
    """The cache's filling rate, the bare tower's and what the device's arithmetic allows."""
    spec = _spec(folder, scale, device)
    assert spec.teacher is not None
    teacher: Teacher = find("teachers", "qwen_vl").make(spec.teacher, device)
    splits = classification.read(spec.data, index_root=folder / "index", progress=SilentProgress())
    views = Views.draw(splits.train, ViewSpec(count=1))
    rows_N = np.arange(min(scale.images, 8 * max(scale.teacher_batches)))
    batch = splits.train.batch(views, rows_N, np.zeros_like(rows_N), teacher.image_size, 10**8)
    shown = batch.inputs.numpy()
    images = torch.from_numpy(shown).to(device).float().div_(255)
    rates = {size: _rate(teacher, images, size) for size in scale.teacher_batches}
    best = max(rates, key=lambda size: rates[size])
    with FlopCounterMode(display=False) as counted:
        teacher.signals(images[:best])
    flops = counted.get_total_flops() / best
    limit = _matmul_flops(scale.matmul_side, device) / flops
    seconds = _timed(
        lambda: open_source(
            teacher,
            SourceRequest(splits.train, views, 1, WantedSignals(tokens=True, grid=7)),
            SourceSetup(CacheSpec(root=folder / "cache-fill"), device, best, 10**8),
        ),
        device,
    )
    filling = len(splits.train) / seconds
    teacher.unload()
    return [
        Row(
            "cache filling from JPEG files, images/s",
            f"{filling:.0f}",
            note=f"{filling / rates[best]:.2f} of the bare tower on ready pixels",
        ),
        Row(
            "the bare tower's best batched forward, images/s",
            f"{rates[best]:.0f}",
            note=f"batch {best}; {rates[best] / limit:.2f} of the limit",
        ),
        Row(
            "the tower's arithmetic limit, images/s",
            f"{limit:.0f}",
            note=f"{flops / 1e9:.0f} GFLOP an image at the rate of a {scale.matmul_side}² bf16 "
            "matrix product measured here",
        ),
    ]


def _training_rows(folder: Path, scale: Scale, device: torch.device) -> list[Row]:
    spec = _spec(folder, scale, device)
    plain = spec.model_copy(update={"mode": "direct", "teacher": None})
    runs = {
        "plain supervised": _run(plain, "plain"),
        "distilled, cache filled first": _run(spec, "cached"),
        "distilled, teacher online": _run(changed(spec, cache={"mode": "off"}), "online"),
    }
    base = runs["plain supervised"].images_per_second()
    return [
        Row(
            f"{scale.student} at {scale.size} px, {name}: images/s",
            f"{one.images_per_second():.0f}",
            note=f"{one.images_per_second() / base:.2f} of plain; most memory "
            f"{max(epoch.memory_megabytes or 0 for epoch in one.epochs):.0f} MB",
        )
        for name, one in runs.items()
    ]


def _run(spec: RunSpec, name: str) -> Ran:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return run(changed(spec, run={"output_dir": spec.run.output_dir / name}))


def _spec(folder: Path, scale: Scale, device: torch.device) -> RunSpec:
    on_gpu = device.type == "cuda"
    return RunSpec(
        task_id="bench",
        data=DataSpec(root=folder, dataset="photos", image_size=scale.size),
        teacher=TeacherSpec(path=str(folder / "teacher"), image_size=scale.size, batch_size=64),
        student=StudentSpec(size=scale.student),
        optim=OptimSpec(epochs=scale.epochs, batch_size=scale.batch_size),
        views=ViewSpec(count=2),
        cache=CacheSpec(root=folder / "cache"),
        run=ExecutionSpec(
            output_dir=folder / "runs", devices=[0] if on_gpu else "cpu", save_checkpoints=False
        ),
        report=ReportSpec(tensorboard=False),
    )


def _rate(teacher: Teacher, images: Tensor, size: int) -> float:
    """Images a second; the first forward is not counted."""
    teacher.signals(images[:size])

    def all_of_them() -> None:
        for batch in images.split(size):
            teacher.signals(batch)

    return len(images) / _timed(all_of_them, images.device)


def _matmul_flops(side: int, device: torch.device) -> float:
    """Floating-point operations a second of a large bf16 product; the best of five."""
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    torch.mm(a, b)
    return 2 * side**3 / min(_timed(lambda: torch.mm(a, b), device) for _ in range(5))


def _timed(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
