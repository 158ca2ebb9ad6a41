"""The students' names and sizes, and how the many ways of writing one are read."""

from __future__ import annotations

import re

from tandem.spec.errors import StudentError

SIZES: dict[str, dict[str, float]] = {
    "resnet": {"resnet18": 11.7, "resnet34": 21.8, "resnet50": 25.6, "resnet101": 44.5},
    "vit": {"vit-tiny": 5.7, "vit-small": 22.0, "vit-base": 86.6, "vit-large": 304.0},
    "yolov8": {
        "yolov8n": 3.2,
        "yolov8s": 11.2,
        "yolov8m": 25.9,
        "yolov8l": 43.7,
        "yolov8x": 68.2,
    },
    "unet": {"unet-small": 7.76, "unet-medium": 17.46, "unet-large": 31.04},
    "lstm": {"lstm-small": 6.3, "lstm-medium": 16.8, "lstm-large": 50.4},
    "bert": {"bert-mini": 11.2, "bert-small": 28.8, "bert-medium": 41.4, "bert-base": 109.5},
}
"""Millions of parameters by type and size: of ResNet and ViT at 1,000 classes, of YOLOv8 at 80, of
UNet at 21, of an LSTM without its frame features (23.5), of BERT with 30,522 words."""

DEFAULT_SIZE = {
    "resnet": "resnet18",
    "vit": "vit-small",
    "yolov8": "yolov8n",
    "unet": "unet-medium",
    "lstm": "lstm-medium",
    "bert": "bert-small",
}
"""Where a type is named alone, as installed systems may do (`unet`, `lstm`)."""

DEFAULTS: dict[str, dict[str, object]] = {
    "resnet": {"optim.learning_rate": 1e-4, "optim.optimizer": "adamw"},
    "vit": {
        "optim.learning_rate": 5e-5,
        "optim.optimizer": "adamw",
        "optim.weight_decay": 0.05,
    },
    "yolov8": {
        "optim.learning_rate": 1e-3,
        "optim.optimizer": "sgd",
        "optim.batch_size": 16,
        "optim.weight_decay": 5e-4,
        "optim.warmup_epochs": 3.0,
        "optim.momentum": 0.937,
        "optim.max_grad_norm": 10.0,
        "data.image_size": 640,
    },
    "unet": {
        "optim.learning_rate": 1e-4,
        "optim.optimizer": "adam",
        "optim.batch_size": 8,
        "data.image_size": 512,
    },
    "lstm": {"optim.learning_rate": 1e-4, "optim.optimizer": "adam"},
    "bert": {"optim.learning_rate": 5e-5, "optim.optimizer": "adamw", "optim.epochs": 10},
}
"""What suits each family where a run says nothing else: the specification's own advice."""

_ENCODER = "unet-"
"""`unet-<encoder>` is a UNet on one of segmentation-models-pytorch's encoders."""


def resolve(type: str, size: str) -> tuple[str, str]:
    """The type and size as the catalogue spells them.

    Reads `("resnet", "50")`, `("", "vit_base")`, `("resnet50", "")` and `("", "resnet/resnet50")`.
    A type not listed here may be a plug-in's: it passes through, for the registry to judge.
    Raises StudentError with the allowed sizes for one that does not exist.
    """
    kind, wanted = _plain(type), _plain(size)
    if not kind and not wanted:
        return "resnet", DEFAULT_SIZE["resnet"]
    if "/" in wanted:
        prefix, _, wanted = wanted.partition("/")
        if kind and kind != prefix:
            raise StudentError(
                "The student's size {size} does not belong to its type {type}.",
                size=size,
                type=type,
                fix="Give one of them, or two that agree.",
            )
        kind = prefix
    if not kind:
        return _type_of(wanted, size)
    if kind not in SIZES:
        return _split(kind, type, wanted, size)
    if not wanted:
        return kind, DEFAULT_SIZE[kind]
    return kind, _size_of(kind, wanted, size)


def all_sizes() -> list[str]:
    """Every size of every type, as the catalogue spells them."""
    return [size for sizes in SIZES.values() for size in sizes]


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", "-", text.strip().lower())


def _key(text: str) -> str:
    return text.replace("-", "")


def _type_of(wanted: str, size: str) -> tuple[str, str]:
    if wanted in DEFAULT_SIZE:
        return wanted, DEFAULT_SIZE[wanted]
    for kind, sizes in SIZES.items():
        for known in sizes:
            if _key(known) == _key(wanted):
                return kind, known
    if wanted.startswith(_ENCODER):
        return "unet", size.strip().lower()
    raise StudentError(
        "There is no student of size {size!r}.",
        size=size,
        allowed=all_sizes(),
        fix="Choose one of these, or name its type too.",
    )


def _split(kind: str, type: str, wanted: str, size: str) -> tuple[str, str]:
    """A size written where the type belongs; anything else is a plug-in's own name."""
    try:
        found, known = _type_of(kind, type)
    except StudentError:
        return type, size
    if wanted and _key(wanted) != _key(known) and _key(found + wanted) != _key(known):
        raise StudentError(
            "The student's type {type} and its size {size} disagree.",
            type=type,
            size=size,
            fix="Give one of them, or two that agree.",
        )
    return found, known


def _size_of(kind: str, wanted: str, size: str) -> str:
    for known in SIZES[kind]:
        if _key(wanted) in (_key(known), _key(known).removeprefix(kind)):
            return known
    if kind == "unet" and wanted:
        encoder = size.strip().lower()
        return encoder if encoder.startswith(_ENCODER) else _ENCODER + encoder
    raise StudentError(
        "{type} has no size {size!r}.", type=kind, size=size, allowed=SIZES[kind], fix="Choose one."
    )


def memory_megabytes(parameter_millions: float) -> float:
    """What training asks for by the parameters alone: weights, gradients, Adam's two averages.

    Four bytes each. What the pictures of a batch take comes on top.
    """
    return round(parameter_millions * 4 * 4, 1)
