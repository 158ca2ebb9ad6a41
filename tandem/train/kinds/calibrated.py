"""How well a model's confidence agrees with how often it is right, told as it is served.

`predict` divides class scores by a temperature that was fitted on the validation set. `ece` and
`nll` are measured behind that division, on the very probabilities that a caller is told; `ece_raw`
and `nll_raw` before it. On the samples that the temperature was fitted on, the figure is a little
kind: `ece_cross_fitted` and `nll_cross_fitted` divide each half of them by the temperature of the
other.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tandem.train.kinds.base import EvalResult
from tandem.train.kinds.metrics import calibration
from tandem.train.knowledge.calibrate import fit_temperature
from tandem.train.types import UNLABELLED

CALIBRATION = ("ece", "nll")


def served_temperature(evaluation: EvalResult, labels_N: NDArray[np.int64]) -> float:
    """What class scores are divided by in use, fitted on these labels; 1 where there are none."""
    known_N = labels_N != UNLABELLED
    if evaluation.logits_NK is None or not known_N.any():
        return 1.0
    return fit_temperature(evaluation.logits_NK[known_N], labels_N[known_N])


def as_served(
    evaluation: EvalResult, labels_N: NDArray[np.int64], temperature: float, *, fitted_here: bool
) -> EvalResult:
    """The same with its calibration as it is served, and raw; as it is for kinds without classes.

    `fitted_here`: the temperature was fitted on these very labels.
    """
    logits_NK, known_N = evaluation.logits_NK, labels_N != UNLABELLED
    if logits_NK is None or not known_N.any():
        return evaluation
    logits_NK, labels_N = logits_NK[known_N], labels_N[known_N]
    served = calibration(logits_NK.astype(np.float64) / temperature, labels_N)
    told = dict(zip(CALIBRATION, served, strict=True))
    told |= {f"{name}_raw": evaluation.metrics[name] for name in CALIBRATION}
    if fitted_here and len(labels_N) > 1:
        crossed = calibration(cross_fitted(logits_NK, labels_N), labels_N)
        told |= {
            f"{name}_cross_fitted": one for name, one in zip(CALIBRATION, crossed, strict=True)
        }
    return replace(evaluation, metrics=evaluation.metrics | told)


def cross_fitted(
    logits_NK: NDArray[np.float32], labels_N: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(N, K): each half of the rows, divided by the temperature that fits the other half.

    The halves take turns within each class, so that both have all of them.
    """
    order = np.argsort(labels_N, kind="stable")
    half_N = np.empty(len(labels_N), np.int64)
    half_N[order] = np.arange(len(labels_N)) % 2
    divided_NK = logits_NK.astype(np.float64)
    for half in (0, 1):
        mine_N, others_N = half_N == half, half_N != half
        divided_NK[mine_N] /= fit_temperature(logits_NK[others_N], labels_N[others_N])
    return divided_NK
