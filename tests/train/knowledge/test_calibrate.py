"""A teacher that is right on the few labels held out may still be wrong on others."""

import numpy as np
import pytest

from tandem.train.knowledge.calibrate import fit_temperature


def told(count: int, wrong: int, seed: int = 0):
    """Logits of ten classes with a clear favourite, and labels that it misses `wrong` times."""
    random = np.random.default_rng(seed)
    favourite_N = random.integers(0, 10, count)
    logits_NK = random.normal(0, 0.3, (count, 10))
    logits_NK[np.arange(count), favourite_N] += 2
    labels_N = favourite_N.copy()
    labels_N[:wrong] = (labels_N[:wrong] + 1) % 10
    return logits_NK.astype(np.float32), labels_N


def nats(logits_NK, labels_N, temperature):
    scaled = logits_NK.astype(np.float64) / temperature
    scaled -= np.log(np.exp(scaled - scaled.max(1, keepdims=True)).sum(1, keepdims=True))
    scaled -= (logits_NK / temperature).max(1, keepdims=True)
    return -scaled[np.arange(len(labels_N)), labels_N].mean()


def test_a_hundred_labels_that_are_all_right_do_not_make_it_certain():
    temperature = fit_temperature(*told(100, wrong=0))
    assert temperature > 0.2
    # Three in a hundred wrong: being certain of everything would cost far more than this.
    assert nats(*told(500, wrong=15, seed=1), temperature) < 0.35


def test_with_many_labels_the_smoothing_is_gone():
    logits_NK, labels_N = told(20_000, wrong=4_000)
    fitted = fit_temperature(logits_NK, labels_N)
    around = [nats(logits_NK, labels_N, fitted * factor) for factor in (0.9, 1.0, 1.1)]
    assert around[1] == min(around)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_logits_that_are_scaled_get_a_temperature_that_undoes_it(temperature):
    logits_NK, labels_N = told(5_000, wrong=500)
    one, other = (
        fit_temperature(logits_NK, labels_N),
        fit_temperature(logits_NK * temperature, labels_N),
    )
    assert other / one == pytest.approx(temperature, rel=1e-2)
