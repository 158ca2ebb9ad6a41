"""Rows of what a run measured: accuracies become percentages here."""

from __future__ import annotations

from tandem.server.db.columns import letters
from tandem.spec.event import Epoch, Evaluation
from tandem.spec.measured import (
    details_text,
    digest,
    distill_loss,
    finite,
    hard_loss,
    percentage,
    soft_loss,
)

FIGURES = {
    "precision": "precision",
    "recall": "recall",
    "f1_score": "f1",
    "map_50": "map50",
    "map_95": "map95",
}


def history_row(event: Epoch) -> dict[str, object]:
    return {
        "epoch": event.epoch,
        "train_loss": event.train_loss,
        "val_loss": event.val_loss,
        "train_accuracy": percentage(event.train_accuracy),
        "val_accuracy": percentage(event.val_accuracy),
        "hard_loss": hard_loss(event),
        "soft_loss": soft_loss(event),
        "distill_loss": distill_loss(event),
        "gpu_usage": event.gpu_usage_percent,
        "memory_usage": event.memory_megabytes,
        "epoch_time": event.seconds,
        "record_time": event.at,
    }


def evaluation_row(event: Evaluation, run_id: str | None) -> tuple[dict[str, object], str]:
    """The row, and the digest by which the same figures are known again."""
    row: dict[str, object] = {
        column: percentage(event.metrics.get(name)) for column, name in FIGURES.items()
    }
    row |= {
        "eval_dataset_id": letters(event.dataset, 100),
        "eval_dataset_name": letters(event.dataset, 255),
        "eval_sample_count": event.samples,
        "eval_time": event.at,
    }
    known = digest(event)
    facts = {"runId": run_id, "attempt": event.attempt, "seq": event.seq, "digest": known}
    facts |= {"metrics": finite(event.metrics)}
    row["detailed_results"] = details_text(facts, event.details)
    return row, known
