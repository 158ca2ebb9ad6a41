"""Rows of what a run measured: accuracies become percentages here."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from tandem.server.events.columns import TEXT_BYTES, letters
from tandem.spec.event import Epoch, Evaluation

SPEED = frozenset({"latency_milliseconds", "throughput_images_per_second"})
HARD = frozenset({"hard", "cross_entropy"})
SOFT = frozenset({"soft", "kl_div", "mse", "cosine", "dkd", "standardised"})
FIGURES = {
    "precision": "precision",
    "recall": "recall",
    "f1_score": "f1",
    "map_50": "map50",
    "map_95": "map95",
}


def percentage(ratio: float | None) -> float | None:
    return None if ratio is None else 100 * ratio


def accuracy(event: Epoch) -> float | None:
    """In percent; the training's where nothing was validated."""
    known = event.train_accuracy if event.val_accuracy is None else event.val_accuracy
    return percentage(known)


def history_row(event: Epoch) -> dict[str, Any]:
    return {
        "epoch": event.epoch,
        "train_loss": event.train_loss,
        "val_loss": event.val_loss,
        "train_accuracy": percentage(event.train_accuracy),
        "val_accuracy": percentage(event.val_accuracy),
        "hard_loss": _sum(event, HARD),
        "soft_loss": _sum(event, SOFT),
        "distill_loss": _sum(event, frozenset(event.terms) - HARD),
        "gpu_usage": event.gpu_usage_percent,
        "memory_usage": event.memory_megabytes,
        "epoch_time": event.seconds,
        "record_time": event.at,
    }


def _sum(event: Epoch, names: frozenset[str]) -> float | None:
    values = [value for name, value in event.terms.items() if name in names]
    return sum(values) if values else None


def evaluation_row(event: Evaluation, run_id: str | None) -> tuple[dict[str, Any], str]:
    """The row, and the digest by which the same figures are known again."""
    row: dict[str, Any] = {
        column: percentage(event.metrics.get(name)) for column, name in FIGURES.items()
    }
    row |= {
        "eval_dataset_id": letters(event.dataset, 100),
        "eval_dataset_name": letters(event.dataset, 255),
        "eval_sample_count": event.samples,
        "eval_time": event.at,
    }
    known = _digest(event)
    facts = {"runId": run_id, "attempt": event.attempt, "seq": event.seq, "digest": known}
    facts |= {"metrics": finite(event.metrics)}
    row["detailed_results"] = _fitting(facts, event.details)
    return row, known


def _fitting(facts: dict[str, Any], details: dict[str, object]) -> str:
    """As much of the details as a text column holds; report.json has them all."""
    said = json.dumps(facts, ensure_ascii=False)[:-1]
    used, left_out = len(said.encode()), []
    for name, value in details.items():
        part = f", {json.dumps(name)}: {json.dumps(finite(value), ensure_ascii=False)}"
        size = len(part.encode("utf-8", "backslashreplace"))
        if used + size > TEXT_BYTES - 2_000:
            left_out.append(name[:40])
        elif name not in facts:
            said, used = said + part, used + size
    if left_out:
        said += f', "leftOut": {json.dumps(left_out[:30])}'
    return said + "}"


def _digest(event: Evaluation) -> str:
    """A run that is resumed measures the same weights again: only the speed differs."""
    figures = {name: value for name, value in event.metrics.items() if name not in SPEED}
    said = json.dumps([event.dataset, event.samples, finite(figures)], sort_keys=True)
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


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
