"""The figures agree with scikit-learn's and with figures worked out by hand."""

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support

from tandem.spec.report import counted_classes
from tandem.train.kinds.metrics import classification, expected_calibration_error, speed
from tandem.train.kinds.segmentation import masks_measured
from tandem.train.types import StepOutput, Student


def test_figures_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(200, 7)).astype(np.float32)
    labels = rng.integers(0, 7, 200)
    logits[np.arange(200), labels] += 1
    figures, details = classification(logits, labels, [f"c{k}" for k in range(7)])
    predicted = logits.argmax(1)
    precision, recall, f1, _ = precision_recall_fscore_support(labels, predicted, average="macro")
    assert figures["precision"] == pytest.approx(precision)
    assert figures["recall"] == pytest.approx(recall)
    assert figures["f1"] == pytest.approx(f1)
    assert details["confusion_matrix"] == confusion_matrix(labels, predicted).tolist()
    probabilities = np.exp(logits.astype(float))
    probabilities /= probabilities.sum(1, keepdims=True)
    assert figures["nll"] == pytest.approx(log_loss(labels, probabilities, labels=range(7)))
    top5 = np.argsort(-logits, 1)[:, :5]
    assert figures["top5_accuracy"] == pytest.approx((top5 == labels[:, None]).any(1).mean())
    assert figures["accuracy"] == pytest.approx((predicted == labels).mean())
    json.dumps(details)


def test_a_class_that_val_lacks_neither_warns_nor_lowers_the_mean():
    logits = np.eye(4)[[0, 1, 0, 1]] * 10
    figures, details = classification(logits, np.array([0, 1, 0, 1]), ["a", "b", "c", "d"])
    assert figures["precision"] == figures["recall"] == figures["f1"] == 1.0
    rows = details["per_class"]
    assert [row["support"] for row in rows] == [2, 2, 0, 0]
    assert all(rows[k][name] is None for k in (2, 3) for name in ("precision", "recall", "f1"))
    assert counted_classes(details) == (2, 4)


def test_masks_make_no_figure_of_a_class_that_no_pixel_has():
    counts = np.array([[90, 10, 0], [0, 0, 0], [0, 50, 50]])
    figures, details = masks_measured(counts, ("background", "nowhere", "thing"))
    assert figures["miou"] == pytest.approx((0.9 + 0.5) / 2)
    assert [row["iou"] for row in details["per_class"]] == [0.9, None, 0.5]
    assert details["per_class"][1]["dice"] is None
    assert counted_classes(details) == (2, 3)
    assert counted_classes(masks_measured(np.eye(2, dtype=np.int64), ("a", "b"))[1]) is None


def test_rows_without_a_label_are_left_out():
    logits = np.eye(2)[[0, 1, 1]] * 9.0
    figures, details = classification(logits, np.array([0, -1, 1]), ["a", "b"])
    assert figures["accuracy"] == 1.0
    assert sum(row["support"] for row in details["per_class"]) == 2
    assert classification(logits, np.array([-1, -1, -1]), ["a", "b"]) == ({}, {})


def test_calibration_error_by_hand():
    # Bin (0.8, 0.867]: two at 0.85, one right: |0.5 - 0.85|; the last bin: 0.95, right: 0.05.
    error = expected_calibration_error(np.array([0.85, 0.85, 0.95]), np.array([True, False, True]))
    assert error == pytest.approx((2 * 0.35 + 0.05) / 3)


def test_a_confident_liar_is_badly_calibrated():
    figures, _ = classification(np.eye(2)[[0] * 10] * 50, np.array([0, 1] * 5), ["a", "b"])
    assert figures["ece"] == pytest.approx(0.5)


def test_speed_counts_images_and_leaves_the_model_as_it_was():
    class Tiny(Student):
        image_size, num_classes = 16, 2

        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(3, 2)
            self.seen = set()

        def forward(self, images_BCHW, layers=()):
            assert not self.training
            self.seen.add(tuple(images_BCHW.shape))
            pooled_BD = images_BCHW.mean((2, 3))
            return StepOutput(self.head(pooled_BD), pooled_BD)

    student = Tiny().train()
    figures = speed(student, torch.device("cpu"))
    assert student.training
    assert student.seen == {(1, 3, 16, 16), (32, 3, 16, 16)}
    assert figures["latency_milliseconds"] > 0
    assert figures["throughput_images_per_second"] > 1000 / figures["latency_milliseconds"] / 32
