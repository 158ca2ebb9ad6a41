"""The plainest classifier of the same labels, which a teacher is measured against."""

import numpy as np
import pytest

from tandem.train.knowledge.raw_probe import BUCKETS, PENALTIES, held_out_right, raw_features


def test_it_is_ridge_regression_on_what_a_fold_left_in():
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    x = random.normal(size=(60, 7)) + np.eye(7)[labels] * 1.5
    folds = random.permutation(60) % 4
    found = held_out_right(x, labels, folds, 3)
    z = (x - x.mean(0)) / x.std(0)
    best = np.zeros(60, bool)
    for penalty in PENALTIES:
        right = np.zeros(60, bool)
        for fold in range(4):
            seen, out = folds != fold, folds == fold
            mean, y = z[seen].mean(0), np.eye(3)[labels[seen]]
            centred = z[seen] - mean
            gram = centred.T @ centred + penalty * seen.sum() * np.eye(7)
            weight = np.linalg.solve(gram, centred.T @ (y - y.mean(0)))
            right[out] = ((z[out] - mean) @ weight + y.mean(0)).argmax(1) == labels[out]
        best = right if right.sum() > best.sum() else best
    assert (found == best).all()
    assert 0.6 < found.mean() < 1


def test_labels_that_pixels_do_not_tell_are_guessed():
    random = np.random.default_rng(1)
    labels = random.integers(0, 4, 200)
    right = held_out_right(random.normal(size=(200, 30)), labels, np.arange(200) % 5, 4)
    assert right.mean() < 0.4


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (2, 5, 3, 4, 4)])
def test_images_and_clips_are_their_pixels(shape):
    given = np.full(shape, 255, np.uint8)
    assert raw_features(given).shape == (2, int(np.prod(shape[1:])))
    assert (raw_features(given) == 1).all()


def test_texts_are_their_words_without_padding():
    ids = np.zeros((1, 3, 5), np.int64)
    ids[0, 0] = [7, 7, 9 + BUCKETS, 3, 3]
    ids[0, 1] = [1, 1, 1, 0, 0]
    found = raw_features(ids)[0]
    assert found[7] == np.log1p(2)
    assert found[9] == np.log1p(1)
    assert found[3] == 0
