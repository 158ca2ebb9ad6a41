"""What a run measured, as installed systems' tables and services want it: percentages, no NaN.

The trainer's reports (`train/sinks/wire.py`) and the service's rows (`server/events/measured.py`)
both go by this, so that one evaluation has one digest whichever way it came.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from tandem.spec.event import Epoch, Evaluation
from tandem.spec.plugins.losses import role_of

TEXT_BYTES = 60_000  # of a `text` column's 65,535
LEFT_OUT_BYTES = 2_000  # room for the names of what was left out
SPEED = frozenset({"latency_milliseconds", "throughput_images_per_second"})


def percentage(ratio: float | None) -> float | None:
    return None if ratio is None else 100 * ratio


def hard_loss(event: Epoch) -> float | None:
    """The sum of the terms on labels, before their weights."""
    return _sum(event, lambda role: role == "hard")


def soft_loss(event: Epoch) -> float | None:
    """The sum of the terms on the teacher's class scores, before their weights."""
    return _sum(event, lambda role: role == "soft")


def distill_loss(event: Epoch) -> float | None:
    """The sum of all terms on what the teacher says, before their weights."""
    return _sum(event, lambda role: role != "hard")


def _sum(event: Epoch, is_wanted: Callable[[str | None], bool]) -> float | None:
    terms = event.terms.items()
    values = [value for name, value in terms if is_wanted(role_of(name, event.roles))]
    return sum(values) if values else None


def accuracy(event: Epoch) -> float | None:
    """In percent; the training's where nothing was validated."""
    known = event.train_accuracy if event.val_accuracy is None else event.val_accuracy
    return percentage(known)


def digest(event: Evaluation) -> str:
    """A run that is resumed measures the same weights again: only the speed differs."""
    figures = {name: value for name, value in event.metrics.items() if name not in SPEED}
    said = json.dumps([event.dataset, event.samples, finite(figures)], sort_keys=True)
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


def details_text(facts: Mapping[str, object], details: Mapping[str, object]) -> str:
    """An evaluation's details as JSON: as much of them as a text column holds.

    The names of those that it does not hold are in `leftOut`; report.json has them all. `facts` go
    first and win over a detail of the same name.
    """
    # Put together by parts: a confusion matrix may be long, and is written once.
    said = json.dumps(facts, ensure_ascii=False)[:-1]
    used, left_out = len(said.encode()), []
    for name, value in details.items():
        part = f", {json.dumps(name)}: {json.dumps(finite(value), ensure_ascii=False)}"
        size = len(part.encode("utf-8", "backslashreplace"))
        if used + size > TEXT_BYTES - LEFT_OUT_BYTES:
            left_out.append(name[:40])
        elif name not in facts:
            said, used = said + part, used + size
    if left_out:
        said += f', "leftOut": {json.dumps(left_out[:30])}'
    return said + "}"


def finite(value: object) -> Any:
    """The same with null for what JSON cannot say (NaN, infinity)."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: finite(one) for key, one in value.items()}
        case list() | tuple():
            return [finite(one) for one in value]
        case _:
            return value
