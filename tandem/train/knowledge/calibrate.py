"""How sure a teacher may be: one temperature, fitted on labels it was not fitted on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

COLDEST, HOTTEST = 0.02, 50.0


def fit_temperature(logits_NK: NDArray[np.float32], labels_N: NDArray[np.int64]) -> float:
    """The divisor of the logits that makes these labels likeliest (Guo et al. 2017).

    Kept within 0.02 to 50: where every label is right, or chance, the best one is 0 or infinite.
    """
    logits = np.asarray(logits_NK, dtype=np.float64)
    rows = np.arange(len(logits))

    def nats(log_t: float) -> float:
        return float(-log_softmax(logits / np.exp(log_t), axis=1)[rows, labels_N].mean())

    found = minimize_scalar(  # type: ignore[no-untyped-call]
        nats, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded"
    )
    return float(np.exp(found.x))
