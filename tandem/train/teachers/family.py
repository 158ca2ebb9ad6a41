"""Which family of teachers a checkpoint belongs to: the first registered one that recognises it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tandem.spec.errors import TeacherError
from tandem.spec.model import FORMAT
from tandem.spec.run import TeacherSpec
from tandem.train.pretrained.checkpoint import ConfigJson, PretrainedCheckpoint, find
from tandem.train.registry import TeacherEntry, by_precedence, entries

SEES_IMAGES = ("image_size", "num_channels", "vision_config")
LAST = 90
"""Precedence of the families that read whatever transformers does."""
_ALLOWED = ["Qwen2.5-VL", "Qwen3-VL", "ViT", "DINOv2", "DINOv3", "SigLIP", "CLIP", "BERT"]


def checkpoint_of(spec: TeacherSpec) -> PretrainedCheckpoint:
    """The teacher's checkpoint: its path, or else its name as a folder or a hub id."""
    return find(spec.path or spec.name)


def family_of(spec: TeacherSpec) -> str:
    """The registered name of the teacher's family; TeacherError when the checkpoint has none.

    A family that is named is taken at its word, unless its entry is strict: then the checkpoint
    must be its own.
    """
    known = entries("teachers")
    if spec.family != "auto" and spec.family not in known:
        raise TeacherError(
            "There is no family of teachers {family}.",
            family=spec.family,
            allowed=["auto", *known],
            fix="Use teacher.family auto.",
        )
    if spec.family != "auto" and not known[spec.family].strict:
        return spec.family
    checkpoint = checkpoint_of(spec)
    found = _recognised(checkpoint, known)
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


def _recognised(checkpoint: PretrainedCheckpoint, known: Mapping[str, TeacherEntry]) -> str:
    for name in by_precedence("teachers"):
        recognises = known[name].recognises
        if recognises is not None and recognises(checkpoint):
            return name
    raise TeacherError(
        "The teacher {name} is a {type}, which is no image encoder that can be taught from.",
        name=checkpoint.name,
        type=checkpoint.model_type,
        allowed=_ALLOWED,
        fix="Point teacher.path at one of these.",
    )


def sees_images(config: ConfigJson) -> bool:
    """Whether a model with this config.json is shown pictures."""
    return any(key in config for key in SEES_IMAGES)


def refuse_missing_weights(
    checkpoint: PretrainedCheckpoint, missing_keys: Iterable[str], may_lack: tuple[str, ...]
) -> None:
    """TeacherError where weights lack that transformers would draw at random, and only say so.

    Those whose name holds one of `may_lack` are of parts that nobody asks.
    """
    missing = sorted(key for key in missing_keys if not any(part in key for part in may_lack))
    if missing:
        raise TeacherError(
            "The teacher {name} lacks {count} weights that its config.json asks for: {example}, …",
            name=checkpoint.name,
            count=len(missing),
            example=missing[0],
            fix="Copy the checkpoint again, all of its files.",
        )


def learnt_classes(config: ConfigJson, head: str) -> list[str] | None:
    """The classes that a checkpoint's own head was trained on, in its order; None without one.

    `head` is how the architecture with it is called: `ForImageClassification`.
    """
    architectures = config.get("architectures") or []
    if not any(head in str(one) for one in architectures):
        return None
    named = config.get("id2label") or {0: "LABEL_0", 1: "LABEL_1"}
    return [str(named[key]) for key in sorted(named, key=int)]


def order_of(own: Sequence[str] | None, classes: Sequence[str]) -> tuple[int, ...] | None:
    """The head's number of each of `classes`; None where its own are not these very ones.

    By name, whatever the capitals; by number where the head's classes have no names.
    """
    if own is None or len(own) != len(classes):
        return None
    places = {name.casefold(): place for place, name in enumerate(own)}
    by_name = [places[name.casefold()] for name in classes if name.casefold() in places]
    if len(set(by_name)) == len(classes):
        return tuple(by_name)
    unnamed = list(own) == [f"LABEL_{number}" for number in range(len(own))]
    return tuple(range(len(own))) if unnamed else None


def refuse_foreign_code(checkpoint: PretrainedCheckpoint) -> None:
    """TeacherError for a model that transformers could read only by running code beside it."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if "auto_map" in checkpoint.config and checkpoint.model_type not in CONFIG_MAPPING:
        raise TeacherError(
            "The teacher {name} brings code of its own, which is never run.",
            name=checkpoint.name,
            allowed=_ALLOWED,
            fix="Use a checkpoint that transformers reads by itself.",
        )


def is_detector(checkpoint: PretrainedCheckpoint, student_type: str) -> bool:
    """Whether it is the final_model folder of a detector of that type."""
    config = checkpoint.raw_config
    student = config.get("student")
    return (
        config.get("format") == FORMAT
        and config.get("kind") == "detection"
        and isinstance(student, dict)
        and student.get("type") == student_type
    )
