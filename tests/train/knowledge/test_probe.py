"""The probe: against scikit-learn's, across folds, calibrated, folded into one linear head."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from tandem.spec.errors import DataError
from tandem.train.knowledge.calibrate import fit_temperature
from tandem.train.knowledge.probe import Probe
from tandem.train.types import Signals


def features(count=240, classes=4, width=24, noise=0.8, seed=0):
    """Class centres in noise, with features of very different scale and offset."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    raw = random.normal(size=(classes, width))[labels] + noise * random.normal(size=(count, width))
    scales = 10.0 ** random.uniform(-3, 3, width)
    return (raw * scales + 5 * scales).astype(np.float32), labels.astype(np.int64)


def fit(pooled, labels, **what):
    return Probe.fit(pooled, labels, **({"num_classes": 4, "folds": 5, "seed": 0} | what))


def of(pooled):
    return Signals(pooled_BD=torch.from_numpy(pooled))


def test_it_is_the_logistic_regression_of_scikit_learn():
    pooled, labels = features()
    probe = fit(pooled, labels)
    mean, std = pooled.mean(0, dtype=np.float64), pooled.std(0, dtype=np.float64)
    theirs = LogisticRegression(C=1 / probe.l2, max_iter=2000).fit((pooled - mean) / std, labels)
    ours = probe.logits(of(pooled), None).softmax(1).numpy()
    expected = torch.from_numpy(theirs.decision_function((pooled - mean) / std))
    expected = (expected / probe.temperature).softmax(1).numpy()
    np.testing.assert_allclose(ours, expected, atol=5e-3)


def test_a_row_is_judged_by_a_head_that_never_saw_it():
    """With labels drawn by lot, heads that saw a row know it; those that did not are at chance."""
    pooled, labels = features(noise=1.0, width=200)
    labels = np.random.default_rng(1).permutation(labels)
    probe = fit(pooled, labels, calibrate=False)
    whole = probe.logits(of(pooled), None).argmax(1).numpy()
    held_out = probe.logits(of(pooled), probe.fold_N).argmax(1).numpy()
    assert (whole == labels).mean() > 0.6
    assert (held_out == labels).mean() < 0.4


def test_each_fold_leaves_out_its_rows_and_every_class_evenly():
    pooled, labels = features()
    fold = fit(pooled, labels).fold_N
    counts = np.array([np.bincount(labels[fold == f], minlength=4) for f in range(5)])
    assert counts.shape == (5, 4)
    assert counts.min() == counts.max() == 12


def test_rows_without_a_label_are_left_out_and_judged_by_the_whole():
    pooled, labels = features()
    some = labels.copy()
    some[100:] = -1
    probe = fit(pooled, some)
    assert (probe.fold_N[100:] == 5).all()
    assert (probe.fold_N[:100] < 5).all()
    alone = fit(pooled[:100], labels[:100])
    assert torch.equal(probe.weight_FKD, alone.weight_FKD)
    right = probe.logits(of(pooled[100:]), probe.fold_N[100:]).argmax(1).numpy() == labels[100:]
    assert right.mean() > 0.9


def test_its_confidence_is_calibrated_out_of_fold():
    pooled, labels = features(count=1200, noise=2.0)
    probe = fit(pooled, labels)
    logits = probe.logits(of(pooled), probe.fold_N)
    assert fit_temperature(logits.numpy(), labels) == pytest.approx(1, abs=0.02)
    sure = logits.softmax(1).max(1).values.mean()
    right = (logits.argmax(1).numpy() == labels).mean()
    assert float(sure) == pytest.approx(right, abs=0.03)


def test_the_same_arguments_give_the_same_bits_and_so_does_its_state():
    pooled, labels = features()
    one, two = fit(pooled, labels), fit(pooled, labels)
    again = Probe.load(one.state_dict())
    for other in (two, again):
        assert torch.equal(
            one.logits(of(pooled), one.fold_N), other.logits(of(pooled), other.fold_N)
        )
    assert not torch.equal(one.weight_FKD[0], fit(pooled, labels, seed=1).weight_FKD[0])


def test_the_class_map_averages_to_the_class_logits_of_the_whole_image():
    pooled, labels = features()
    probe = fit(pooled, labels)
    tokens = torch.from_numpy(pooled).view(60, 2, 2, 24)
    mean = tokens.mean((1, 2))
    maps = probe.class_map(Signals(tokens_BHWD=tokens), None)
    assert maps.shape == (60, 2, 2, 4)
    torch.testing.assert_close(
        maps.mean((1, 2)), probe.logits(Signals(pooled_BD=mean), None), atol=1e-3, rtol=1e-3
    )


def test_the_class_map_is_the_same_from_reduced_tokens():
    from tandem.train.cache.reduce import fit as fit_reduction

    random = np.random.default_rng(0)
    labels = (np.arange(200) % 4).astype(np.int64)
    pooled = (random.normal(size=(4, 24))[labels] + random.normal(size=(200, 24))).astype("f4")
    probe = fit(pooled, labels)
    tokens = torch.from_numpy(pooled).view(50, 2, 2, 24)
    reduction = fit_reduction([tokens], None, np.zeros((1, 16), np.uint8))
    reduced = Signals(tokens_BHWD=reduction.apply(tokens))
    expected = probe.class_map(Signals(tokens_BHWD=tokens), None)
    torch.testing.assert_close(probe.class_map(reduced, reduction), expected, atol=1e-4, rtol=1e-3)


def test_few_labels_and_a_feature_that_never_varies():
    pooled, labels = features(count=6, classes=2)
    pooled[:, 0] = 3.0
    probe = Probe.fit(pooled, labels, num_classes=2, folds=5, seed=0)
    assert torch.isfinite(probe.logits(of(pooled), probe.fold_N)).all()


def test_one_labelled_class_is_refused():
    pooled, labels = features()
    labels[labels > 0] = -1
    with pytest.raises(DataError, match="at least two classes; there are 1"):
        fit(pooled, labels)


def test_temperature_undoes_what_sharpened_the_logits():
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 5)) * 2
    odds = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([random.choice(5, p=p) for p in odds])
    assert fit_temperature(logits.astype("f4"), labels) == pytest.approx(1, abs=0.1)
    assert fit_temperature(7 * logits.astype("f4"), labels) == pytest.approx(7, rel=0.1)
