"""How good a classifier is, and how fast."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tandem.train.types import Student

CALIBRATION_BINS = 15
ClassFigures = dict[str, float | int | str | None]
"""What a class is worth, by the figure's name; with `class`, its name, and `support`."""
THROUGHPUT_BATCH = 32


def classification(
    logits_NK: NDArray[np.floating], labels_N: NDArray[np.int64], classes: Sequence[str]
) -> tuple[dict[str, float], dict[str, object]]:
    """Figures of 0 to 1 (nll: nats), and details that JSON can hold.

    precision, recall and f1 are means over the classes that `labels_N` holds: a class that nobody
    could get right or wrong does not pull them down. top5_accuracy is of the best min(5, K). Rows
    without a label (-1) are left out; with none left both answers are empty.
    """
    labelled_N = labels_N >= 0
    scores_NK, labels_N = np.asarray(logits_NK[labelled_N], np.float64), labels_N[labelled_N]
    if not len(labels_N):
        return {}, {}
    ece, nll = calibration(scores_NK, labels_N)
    predicted_N = scores_NK.argmax(1)
    confusion_KK = confusion_matrix(labels_N, predicted_N, len(classes))
    rows = per_class(confusion_KK, classes)
    own_N1 = labels_N[:, None]
    rank_N = (scores_NK > np.take_along_axis(scores_NK, own_N1, 1)).sum(1)
    correct_N = predicted_N == labels_N
    figures = {
        "accuracy": float(correct_N.mean()),
        "top5_accuracy": float((correct_N | (rank_N < min(5, len(classes)))).mean()),
        **{name: mean_of(rows, name) for name in _PER_CLASS},
        "ece": ece,
        "nll": nll,
    }
    return figures, class_details(rows) | {"confusion_matrix": confusion_KK.tolist()}


def calibration(
    logits_NK: NDArray[np.floating], labels_N: NDArray[np.int64]
) -> tuple[float, float]:
    """The expected calibration error, 0 to 1, and the mean negative log-likelihood in nats."""
    log_probs_NK = _log_softmax(np.asarray(logits_NK, np.float64))
    right_N = log_probs_NK.argmax(1) == labels_N
    ece = expected_calibration_error(np.exp(log_probs_NK.max(1)), right_N)
    return ece, float(-np.take_along_axis(log_probs_NK, labels_N[:, None], 1).mean())


UNEVEN_RATIO = 5.0
"""Examples of the commonest class over those of the rarest from which classes are uneven: accuracy
then says little of the rare ones."""


def is_uneven(labels_N: NDArray[np.int64]) -> bool:
    """Whether some class has `UNEVEN_RATIO` times the examples of another that is there too."""
    counts = np.bincount(labels_N[labels_N >= 0])
    there = counts[counts > 0]
    return bool(len(there) > 1 and there.max() >= UNEVEN_RATIO * there.min())


_PER_CLASS = ("precision", "recall", "f1")


def mean_of(rows: Sequence[ClassFigures], name: str) -> float:
    """The mean of a figure over the classes that have an example; 0 where none has."""
    known = [float(value) for row in rows if (value := row[name]) is not None]
    return float(np.mean(known)) if known else 0.0


def class_details(rows: Sequence[ClassFigures]) -> dict[str, object]:
    """`per_class`, and how many of the classes the means are over."""
    return {"per_class": list(rows), "classes_counted": sum(bool(row["support"]) for row in rows)}


def confusion_matrix(
    labels_N: NDArray[np.int64], predicted_N: NDArray[np.int64], num_classes: int
) -> NDArray[np.int64]:
    """(K, K) counts: rows are the true class, columns the predicted one."""
    flat = np.bincount(labels_N * num_classes + predicted_N, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes).astype(np.int64)


def expected_calibration_error(
    confidence_N: NDArray[np.float64], correct_N: NDArray[np.bool_], bins: int = CALIBRATION_BINS
) -> float:
    """Mean gap between confidence and accuracy over equal bins (Guo et al. 2017, eq. 3)."""
    bin_N = np.clip(np.ceil(confidence_N * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(bin_N, weights=correct_N - confidence_N, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence_N))


def per_class(confusion_KK: NDArray[np.int64], classes: Sequence[str]) -> list[ClassFigures]:
    """Precision, recall and f1 of each class, from its counts.

    A class without an example has none, and they are None. A precision with nothing below the
    line is 0, as in scikit-learn's zero_division=0: there was something to find.
    """
    right_K, support_K = np.diag(confusion_KK), confusion_KK.sum(1)
    precision_K = right_K / np.maximum(confusion_KK.sum(0), 1)
    recall_K = right_K / np.maximum(support_K, 1)
    f1_K = 2 * right_K / np.maximum(support_K + confusion_KK.sum(0), 1)
    return [
        {
            "class": name,
            "precision": float(precision_K[k]) if support_K[k] else None,
            "recall": float(recall_K[k]) if support_K[k] else None,
            "f1": float(f1_K[k]) if support_K[k] else None,
            "support": int(support_K[k]),
        }
        for k, name in enumerate(classes)
    ]


def _log_softmax(logits_NK: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted_NK = logits_NK - logits_NK.max(1, keepdims=True)
    return np.asarray(shifted_NK - np.log(np.exp(shifted_NK).sum(1, keepdims=True)))


def speed(student: Student, device: torch.device) -> dict[str, float]:
    """Median of one input alone, and inputs a second in batches of 32; a second or two in all."""
    was_training = student.training
    student.eval()
    try:
        with torch.no_grad():
            one, many = (student.example(count).to(device) for count in (1, THROUGHPUT_BATCH))
            alone_seconds = _median_seconds(lambda: student(one), device)
            batch_seconds = _median_seconds(lambda: student(many), device, most=10)
    finally:
        student.train(was_training)
    return {
        "latency_milliseconds": 1000 * alone_seconds,
        "throughput_images_per_second": THROUGHPUT_BATCH / batch_seconds,
    }


def _median_seconds(
    work: Callable[[], object],
    device: torch.device,
    *,
    least: int = 3,
    most: int = 50,
    budget_seconds: float = 1.0,
) -> float:
    def timed() -> float:
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - began

    timed()  # the first call allocates, and on a GPU compiles
    taken: list[float] = []
    while len(taken) < least or (len(taken) < most and sum(taken) < budget_seconds):
        taken.append(timed())
    return float(np.median(taken))
