"""What people call each knob of a RunSpec, its unit, and whether everyone is to see it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from tandem.spec.choices import CHOICES
from tandem.spec.i18n import joined, t
from tandem.spec.run import RunSpec

Tree = dict[str, Any]


@dataclass(frozen=True)
class Knob:
    """One field, as a form shows it. Its description is its docstring in spec/run.py."""

    title: str
    unit: str | None = None
    """One of UNITS; None for a name, a switch or a plain number."""
    level: Literal["basic", "advanced"] = "advanced"
    """basic: what someone who labels would touch."""


UNITS = frozenset(
    {
        "batches", "cells", "classes", "components", "degrees", "epochs", "folds", "frames",
        "images", "orders", "pixels", "processes", "ratio", "samples", "seconds", "steps",
        "tokens", "views", "words",
    }
)  # fmt: skip
SECTIONS = {
    "data": "Data",
    "teacher": "Teacher",
    "lora": "LoRA",
    "student": "Student",
    "loss": "Losses",
    "optim": "Training",
    "views": "Augmentation",
    "yolo": "YOLOv8's own training",
    "cache": "Cache of the teacher's answers",
    "run": "Run",
    "report": "Report",
}
KNOBS = {
    "task_id": Knob("Task id"),
    "kind": Knob("Kind", level="basic"),
    "mode": Knob("Mode", level="basic"),
    "data.root": Knob("Folder of data sets"),
    "data.dataset": Knob("Data set", level="basic"),
    "data.val_dataset": Knob("Validation data set"),
    "data.val_ratio": Knob("Share held out for validation", "ratio"),
    "data.num_classes": Knob("Number of classes", "classes"),
    "data.image_size": Knob("Image size", "pixels", level="basic"),
    "data.workers": Knob("Loader processes", "processes"),
    "data.max_image_pixels": Knob("Largest picture", "pixels"),
    "teacher.name": Knob("Teacher", level="basic"),
    "teacher.path": Knob("Teacher's weights"),
    "teacher.family": Knob("Teacher's family"),
    "teacher.precision": Knob("Teacher's precision"),
    "teacher.knowledge": Knob("Source of class knowledge"),
    "teacher.image_size": Knob("Teacher's image size", "pixels"),
    "teacher.layers": Knob("Teacher's layers"),
    "teacher.prompt": Knob("Question for label scoring"),
    "teacher.label_orders": Knob("Orders of the labels", "orders"),
    "teacher.probe_folds": Knob("Folds of the probe", "folds"),
    "teacher.calibrate": Knob("Calibrate the teacher"),
    "teacher.frames": Knob("Frames the teacher sees", "frames"),
    "teacher.batch_size": Knob("Teacher's batch size", "images"),
    "lora.rank": Knob("LoRA rank", level="basic"),
    "lora.on": Knob("What LoRA adapts"),
    "lora.alpha": Knob("LoRA alpha"),
    "lora.dropout": Knob("LoRA dropout", "ratio"),
    "lora.target_modules": Knob("Adapted modules"),
    "lora.layers": Knob("Adapted layers"),
    "lora.bias": Knob("Biases trained"),
    "lora.epochs": Knob("LoRA epochs", "epochs"),
    "lora.learning_rate": Knob("LoRA learning rate"),
    "lora.batch_size": Knob("LoRA batch size", "images"),
    "student.type": Knob("Student's type"),
    "student.size": Knob("Student", level="basic"),
    "student.init": Knob("Initial weights", level="basic"),
    "student.path": Knob("Pretrained weights"),
    "student.dropout": Knob("Dropout", "ratio"),
    "student.head": Knob("Head"),
    "student.frames": Knob("Frames the student sees", "frames"),
    "student.pooling": Knob("Pooling over frames"),
    "student.train_features": Knob("Train the frame features"),
    "student.max_tokens": Knob("Longest text", "tokens"),
    "student.quantise": Knob("Quantisation-aware training"),
    "student.vocab_size": Knob("Vocabulary", "words"),
    "loss.distillation_type": Knob("What is distilled", level="basic"),
    "loss.temperature": Knob("Temperature", level="basic"),
    "loss.hard_label_weight": Knob("Weight of hard labels", level="basic"),
    "loss.soft_label_weight": Knob("Weight of soft labels", level="basic"),
    "loss.soft_loss": Knob("Comparison of soft labels"),
    "loss.feature_weight": Knob("Weight of features", level="basic"),
    "loss.feature_loss": Knob("Comparison of features"),
    "loss.align_feature": Knob("Align the features"),
    "loss.attention_weight": Knob("Weight of attention"),
    "loss.relation_weight": Knob("Weight of relations"),
    "loss.intermediate_weight": Knob("Weight of intermediate layers"),
    "loss.intermediate_layers": Knob("Student's intermediate layers"),
    "loss.label_smoothing": Knob("Label smoothing", "ratio"),
    "loss.options": Knob("Further knobs of losses"),
    "optim.epochs": Knob("Epochs", "epochs", level="basic"),
    "optim.batch_size": Knob("Batch size", "images", level="basic"),
    "optim.learning_rate": Knob("Learning rate", level="basic"),
    "optim.optimizer": Knob("Optimizer"),
    "optim.momentum": Knob("Momentum"),
    "optim.scheduler": Knob("Learning rate schedule"),
    "optim.warmup_epochs": Knob("Warm-up", "epochs"),
    "optim.warmup_steps": Knob("Warm-up in steps", "steps"),
    "optim.weight_decay": Knob("Weight decay"),
    "optim.grad_accum_steps": Knob("Gradient accumulation", "batches"),
    "optim.max_grad_norm": Knob("Gradient clipping"),
    "optim.ema_decay": Knob("Averaged weights"),
    "optim.early_stopping_epochs": Knob("Early stopping", "epochs", level="basic"),
    "views.count": Knob("Views of each image", "views"),
    "views.crop_scale_min": Knob("Smallest crop", "ratio", level="basic"),
    "views.flip": Knob("Flip sideways", level="basic"),
    "views.colour": Knob("Change of colours", "ratio", level="basic"),
    "views.mixup": Knob("MixUp"),
    "views.cutmix": Knob("CutMix"),
    "yolo.mosaic": Knob("Mosaic", "ratio"),
    "yolo.close_mosaic_epochs": Knob("Last epochs without mosaic", "epochs"),
    "yolo.degrees": Knob("Rotation", "degrees"),
    "yolo.translate": Knob("Shift", "ratio"),
    "yolo.scale": Knob("Scaling", "ratio"),
    "yolo.shear": Knob("Shear", "degrees"),
    "yolo.flip_sideways": Knob("Chance of a sideways flip", "ratio"),
    "yolo.flip_upside_down": Knob("Chance of an upside-down flip", "ratio"),
    "yolo.hue": Knob("Change of hue", "ratio"),
    "yolo.saturation": Knob("Change of saturation", "ratio"),
    "yolo.value": Knob("Change of brightness", "ratio"),
    "yolo.box_gain": Knob("Weight of boxes"),
    "yolo.cls_gain": Knob("Weight of classes"),
    "yolo.dfl_gain": Knob("Weight of box edges"),
    "yolo.nominal_batch_size": Knob("Nominal batch size", "images"),
    "yolo.final_rate": Knob("Final learning rate", "ratio"),
    "cache.mode": Knob("Keep the teacher's answers"),
    "cache.root": Knob("Folder of the cache"),
    "cache.grid": Knob("Grid kept", "cells"),
    "cache.dims": Knob("Components kept", "components"),
    "cache.dtype": Knob("Number format kept"),
    "cache.verify_samples": Knob("Samples checked at start", "samples"),
    "run.output_dir": Knob("Folder of the run"),
    "run.seed": Knob("Seed"),
    "run.devices": Knob("Devices", level="basic"),
    "run.processes": Knob("Processes", "processes"),
    "run.precision": Knob("Student's precision"),
    "run.save_checkpoints": Knob("Save checkpoints"),
    "run.checkpoint_interval": Knob("Checkpoint every", "epochs"),
    "run.log_interval": Knob("Log every", "steps"),
    "report.api_base_url": Knob("Address reported to"),
    "report.delivery_grace_seconds": Knob("Wait for the service", "seconds"),
    "report.tensorboard": Knob("TensorBoard's files"),
    "report.baseline": Knob("Baseline without the teacher", level="basic"),
}


def described() -> Tree:
    """The JSON schema of a RunSpec for a form: titles, descriptions, units, levels and what its
    choices are called. In the reader's language."""
    schema = copy.deepcopy(_schema())
    for name, title in SECTIONS.items():
        section = schema["$defs"][_definition(schema["properties"][name])]
        schema["properties"][name]["title"] = section["title"] = t(title)
        if section.get("description"):
            section["description"] = _said(section["description"])
    for path, field in fields(schema):
        knob = KNOBS[path]
        field |= {"title": t(knob.title), "unit": knob.unit, "level": knob.level}
        field["description"] = _said(field.get("description", ""))
        if path in CHOICES:
            field["choices"] = {value: t(choice) for value, choice in CHOICES[path].items()}
    return schema


def fields(schema: Tree) -> Iterator[tuple[str, Tree]]:
    """Every field that is no section, by its dotted path."""
    for name, field in schema["properties"].items():
        if name not in SECTIONS:
            yield name, field
            continue
        section = schema["$defs"][_definition(field)]
        yield from ((f"{name}.{below}", one) for below, one in section["properties"].items())


def paragraphs(description: str) -> list[str]:
    """A docstring's paragraphs, each in one line."""
    return [" ".join(part.split()) for part in description.split("\n\n") if part.strip()]


def _said(description: str) -> str:
    return joined(t(one) for one in paragraphs(description))


def _definition(field: Tree) -> str:
    """The name of the section that a field refers to."""
    options = [field, *field.get("anyOf", ()), *field.get("allOf", ())]
    reference: str = next(one["$ref"] for one in options if "$ref" in one)
    return reference.rpartition("/")[2]


@cache
def _schema() -> Tree:
    return RunSpec.model_json_schema()
