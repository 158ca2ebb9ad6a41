"""Which family of teachers a checkpoint belongs to, from its config.json alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tandem.spec.errors import TeacherError
from tandem.spec.run import TeacherSpec
from tandem.train.pretrained.folder import PretrainedCheckpoint, find
from tandem.train.pretrained.qwen_tower import MODEL_TYPES
from tandem.train.registry import names

QWEN_VL = "qwen_vl"
HF_VISION = "hf_vision"
HF_TEXT = "hf_text"
YOLO = "yolov8"
TANDEM = "tandem"
SEES_IMAGES = ("image_size", "num_channels", "vision_config")


def checkpoint_of(spec: TeacherSpec) -> PretrainedCheckpoint:
    """The teacher's checkpoint: its path, or else its name as a folder or a hub id."""
    return find(spec.path or spec.name)


def family_of(spec: TeacherSpec) -> str:
    """The registered name of the teacher's family; TeacherError when the checkpoint has none.

    A family that is named must be the checkpoint's own; a plug-in's is taken at its word.
    """
    if spec.family not in ("auto", QWEN_VL, HF_VISION, HF_TEXT):
        if spec.family not in names("teachers"):
            raise TeacherError(
                "There is no family of teachers {family}.",
                family=spec.family,
                allowed=["auto", *names("teachers")],
                fix="Use teacher.family auto.",
            )
        return spec.family
    ours = _of_ours(spec)
    if ours is not None and spec.family == "auto":
        return ours
    checkpoint = checkpoint_of(spec)
    found = _family(checkpoint)
    if spec.family not in ("auto", found):
        raise TeacherError(
            "The teacher {name} is of the family {found} (its model_type is {type}), not {family}.",
            name=checkpoint.name,
            found=found,
            type=checkpoint.model_type,
            family=spec.family,
            fix="Use teacher.family auto, or point teacher.path at another checkpoint.",
        )
    return found


def _of_ours(spec: TeacherSpec) -> str | None:
    """Of a final_model folder that Tandem wrote; None for anything else."""
    file = Path(str(spec.path or spec.name)).expanduser() / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict) or config.get("format") != "tandem-model-1":
        return None
    return YOLO if config.get("kind") == "detection" else TANDEM


def _family(checkpoint: PretrainedCheckpoint) -> str:
    if checkpoint.model_type in MODEL_TYPES:
        return QWEN_VL
    if _needs_foreign_code(checkpoint.config):
        raise TeacherError(
            "The teacher {name} brings code of its own, which is never run.",
            name=checkpoint.name,
            allowed=_allowed(),
            fix="Use a checkpoint that transformers reads by itself.",
        )
    if _reads_text(checkpoint):
        return HF_TEXT
    if not any(key in checkpoint.config for key in SEES_IMAGES) or _is_language(checkpoint):
        raise TeacherError(
            "The teacher {name} is a {type}, which is no image encoder that can be taught from.",
            name=checkpoint.name,
            type=checkpoint.model_type,
            allowed=_allowed(),
            fix="Point teacher.path at one of these.",
        )
    return HF_VISION


def _reads_text(checkpoint: PretrainedCheckpoint) -> bool:
    """What AutoModelForSequenceClassification loads, and sees nothing."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    )

    sees = any(key in checkpoint.config for key in SEES_IMAGES)
    return checkpoint.model_type in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES and not sees


def _allowed() -> list[str]:
    return ["Qwen2.5-VL", "Qwen3-VL", "ViT", "DINOv2", "DINOv3", "SigLIP", "CLIP", "BERT"]


def _is_language(checkpoint: PretrainedCheckpoint) -> bool:
    """Another vision-language model: its tower alone is not what was asked for."""
    return "text_config" in checkpoint.config and checkpoint.model_type not in _with_vision_tower()


def _with_vision_tower() -> tuple[str, ...]:
    return ("clip", "siglip", "siglip2", "chinese_clip", "altclip", "metaclip_2")


def _needs_foreign_code(config: dict[str, Any]) -> bool:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return "auto_map" in config and config["model_type"] not in CONFIG_MAPPING
