"""How sure a teacher may be: one temperature, fitted on labels it was not fitted on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

COLDEST, HOTTEST = 0.02, 50.0


def fit_temperature(logits_NK: NDArray[np.float32], labels_N: NDArray[np.int64]) -> float:
    """The divisor of the logits that makes these labels likeliest (Guo et al. 2017).

    Each label counts (n + 1) / (n + 2), the rest being spread over the other classes (Platt 1999):
    on a hundred labels that are all right the likeliest temperature would be 0, a teacher certain
    of everything. With many labels the difference is gone. Kept within 0.02 to 50.
    """
    logits = np.asarray(logits_NK, dtype=np.float64)
    count, classes = logits.shape
    target_NK = np.full(logits.shape, 1 / ((count + 2) * (classes - 1)))
    target_NK[np.arange(count), labels_N] = (count + 1) / (count + 2)

    def nats(log_t: float) -> float:
        return float(-(target_NK * log_softmax(logits / np.exp(log_t), axis=1)).sum() / count)

    found = minimize_scalar(  # type: ignore[no-untyped-call]
        nats, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded"
    )
    return float(np.exp(found.x))
