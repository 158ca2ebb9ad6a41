"""The temperature of soft labels, where the number of classes decides it."""

from __future__ import annotations

from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.spec.run.loss import temperature_for
from tandem.train.registry import find
from tandem.train.types import Splits


def softened(spec: RunSpec, splits: Splits) -> RunSpec:
    """The spec with `loss.temperature` as a number."""
    if spec.loss.temperature != "auto":
        return spec
    update = {"temperature": temperature_for(len(splits.train.classes))}
    return spec.model_copy(update={"loss": spec.loss.model_copy(update=update)})


def temperature_note(asked: RunSpec, spec: RunSpec, splits: Splits) -> str | None:
    """What `auto` came to, in a sentence; None where it was not asked or nothing is softened."""
    softens = spec.mode == "distillation" and spec.loss.distillation_type != "feature"
    if asked.loss.temperature != "auto" or not softens or not _has_temperature(spec):
        return None
    return t(
        "The temperature of the soft labels is {temperature:g} (loss.temperature is auto, and "
        "there are {classes} classes).",
        temperature=spec.loss.known_temperature,
        classes=len(splits.train.classes),
    )


def _has_temperature(spec: RunSpec) -> bool:
    return "temperature" in find("losses", spec.loss.soft_loss).options.model_fields
