"""Which classes a detector takes for which: its confusion matrix, with a place for nothing.

One more row and column than classes, the last: nothing. Its row counts boxes where nothing is, its
column things that were not found, as Ultralytics' matrix has its background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from tandem.train.data.boxes import DetectionTable
from tandem.train.predictions.boxes import DetectionArray

LEAST_IOU = 0.5
"""For two boxes to be of one thing, as the scores beside the matrix have it."""


@dataclass(frozen=True)
class Confusion:
    """On one split."""

    count_KK: NDArray[np.int64]
    """(classes + 1, classes + 1); rows: the true class."""
    pairs_N: list[list[list[int]]]
    """Each image's pairs [true class, answered class], each once; empty where nobody looked."""


def confusion(truth: DetectionTable, kept: Sequence[DetectionArray]) -> Confusion:
    """`kept`: what is answered to each picture. What falls on a crowd counts for nothing."""
    classes = len(truth.classes)
    count_KK = np.zeros((classes + 1, classes + 1), np.int64)
    pairs_N: list[list[list[int]]] = []
    for row, kept_n6 in enumerate(kept):
        if not truth.labelled(row):
            pairs_N.append([])
            continue
        pairs_P2 = _pairs_of(truth, row, kept_n6, nothing=classes)
        np.add.at(count_KK, (pairs_P2[:, 0], pairs_P2[:, 1]), 1)
        pairs_N.append(np.unique(pairs_P2, axis=0).tolist())
    return Confusion(count_KK, pairs_N)


def _pairs_of(
    truth: DetectionTable, row: int, found_n6: DetectionArray, nothing: int
) -> NDArray[np.int64]:
    """(P, 2): each true box and each found one in one pair."""
    shapes = truth.items[row].shapes or []
    true_m = np.array([one.label for one in shapes], np.int64)
    crowd_m = np.array([one.crowd for one in shapes], bool)
    said_n = found_n6[:, 5].astype(np.int64)
    # On a crowd pycocotools divides by the found box's area alone: nobody knows the crowd's own.
    iou_nm = _ious(found_n6, [one.bounds() for one in shapes], crowd_m)
    matched = _matches(iou_nm[:, ~crowd_m], said_n[:, None] == true_m[None, ~crowd_m])
    # Crowds are no row of the matrix, but a box on one is not wrong either.
    things_m = np.flatnonzero(~crowd_m)
    pairs = [(true_m[things_m[m]], said_n[n]) for n, m in matched]
    seen = {int(things_m[m]) for _, m in matched}
    pairs += [(true_m[m], nothing) for m in things_m.tolist() if m not in seen]
    placed = {n for n, _ in matched}
    on_crowd_n = iou_nm[:, crowd_m].max(1, initial=0) >= LEAST_IOU
    pairs += [
        (nothing, said_n[n]) for n in range(len(said_n)) if n not in placed and not on_crowd_n[n]
    ]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _ious(
    found_n6: DetectionArray, true_m: Sequence[tuple[float, ...]], crowd_m: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(n, m); for a crowd, how much of the found box lies on it."""
    if not len(found_n6) or not true_m:
        return np.zeros((len(found_n6), len(true_m)))
    boxes_n4, boxes_m4 = found_n6[:, :4].astype(np.float64), np.array(true_m, np.float64)
    for boxes in (boxes_n4, boxes_m4):
        # To COCO's left, top, width, height.
        boxes[:, 2:] -= boxes[:, :2]
    return np.asarray(coco.iou(boxes_n4, boxes_m4, crowd_m.astype(np.uint8).tolist()))


def _matches(iou_nm: NDArray[np.float64], same_nm: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(found, true), each once: boxes of the right class first, then by how well they lie."""
    found_p, true_p = np.nonzero(iou_nm >= LEAST_IOU)
    # The class first: of two boxes on one thing the right one is its match, however it lies, and
    # the wrong one is a box where nothing is.
    order = np.lexsort((-iou_nm[found_p, true_p], ~same_nm[found_p, true_p]))
    taken: tuple[set[int], set[int]] = (set(), set())
    chosen: list[tuple[int, int]] = []
    for n, m in zip(found_p[order].tolist(), true_p[order].tolist(), strict=True):
        if n in taken[0] or m in taken[1]:
            continue
        taken[0].add(n)
        taken[1].add(m)
        chosen.append((n, m))
    return chosen
