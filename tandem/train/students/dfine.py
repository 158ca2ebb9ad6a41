"""D-FINE n to l (Peng et al. 2024) through Transformers: a free detector of queries."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from tandem.spec.errors import StudentError
from tandem.spec.plugins.students import resolve
from tandem.spec.run import StudentSpec
from tandem.train.detection.dfine.sizes import SHAPES
from tandem.train.detection.dfine.student import DfineStudent
from tandem.train.pretrained.checkpoint import PretrainedCheckpoint
from tandem.train.pretrained.quiet import quiet_transformers
from tandem.train.registry import register
from tandem.train.students._initialize import draw, load_fitting, path_of
from tandem.train.students._options import options_from_spec
from tandem.train.students._weights import place_of, read_weights

SIZES = {"dfine-n": 3.78, "dfine-s": 10.32, "dfine-m": 19.59, "dfine-l": 31.29}
"""Millions of parameters at 80 classes."""
HEADS = (
    "net.decoder.class_embed.",
    "net.enc_score_head.",
    "net.denoising_class_embed.",
)
"""What has a row for each class."""


@register.student(
    "dfine",
    engine="detection",
    kinds={"detection"},
    gives={"logits", "pooled", "tokens", "layers", "boxes"},
    options=options_from_spec(
        "DfineOptions",
        "init",
        "path",
        sizes=SIZES,
        default_size="dfine-n",
        descriptions={
            "path": "Weights for `pretrained`: a model of ours, or a D-FINE of Transformers."
        },
    ),
    sizes=SIZES,
    default_size="dfine-n",
    defaults={
        "optim.learning_rate": 2e-4,
        "optim.optimizer": "adamw",
        "optim.batch_size": 16,
        "optim.weight_decay": 1e-4,
        "optim.warmup_epochs": 1.0,
        "optim.max_grad_norm": 0.1,
        "yolo.box_gain": 2.0,
        "yolo.cls_gain": 1.0,
        "yolo.dfl_gain": 0.15,
        "yolo.mosaic": 0.0,
        "yolo.final_rate": 0.05,
        "data.image_size": 640,
    },
    licence="Apache-2.0",
    source="https://arxiv.org/abs/2410.13842, transformers",
    zh="D-FINE：用查询找出物体及其边框，适合 GPU。采用宽松的许可证，网络与损失来自 Transformers。",
)
def build(spec: StudentSpec, num_classes: int, image_size: int) -> DfineStudent:
    """D-FINE: finds objects and their boxes by queries, for GPUs. Free: Transformers' network."""
    _, size = resolve(spec.type or "dfine", spec.size)
    student = DfineStudent(SHAPES[size], num_classes=num_classes, image_size=image_size)
    if spec.init in ("kaiming", "xavier"):
        # The backbone alone: the decoder's gates, places and scores have first values of their own.
        draw(student.net.backbone, spec.init)
    elif spec.init == "pretrained":
        _load(student, spec)
    return student


def _load(student: DfineStudent, spec: StudentSpec) -> None:
    """A model of ours, or a checkpoint of Transformers; heads for other classes start as drawn."""
    place = place_of(path_of(spec))
    local = Path(place).expanduser()
    folder = PretrainedCheckpoint(place, local if local.is_dir() else None)
    published = not local.exists() or (
        local.is_dir() and folder.raw_config.get("model_type") == "d_fine"
    )
    weights = _of_transformers(place, spec) if published else read_weights(place, spec.size)[0]
    load_fitting(student, spec, weights, head=HEADS)


def _of_transformers(place: str, spec: StudentSpec) -> dict[str, Tensor]:
    """The network's weights under our names. Transformers reads them, for it renames what older
    versions of its own have saved."""
    from transformers import DFineForObjectDetection

    try:
        with quiet_transformers():
            model = DFineForObjectDetection.from_pretrained(
                place, use_safetensors=True, dtype=torch.float32
            )
    except (OSError, ValueError, RuntimeError) as why:
        raise StudentError(
            "{path} is no D-FINE that Transformers can read ({why}).",
            path=spec.path,
            why=" ".join(str(why).split())[:200],
            fix="Give a folder with its config.json and model.safetensors.",
        ) from why
    return {f"net.{name}": value for name, value in model.model.state_dict().items()}
