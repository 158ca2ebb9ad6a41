"""Which found box is which true one, by COCO's rules, at all thresholds of overlap at once.

pycocotools matches box by box in Python, four times over (for areas that no figure here is about).
Here one loop goes over an image's boxes of one class and carries all ten thresholds along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from tandem.train.data.boxes import DetectionTable
from tandem.train.kinds.intervals import Floats
from tandem.train.predictions.boxes import DetectionArray

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
MOST_FOUND = 100
"""Boxes of one class that count in one image: the surest."""


@dataclass(frozen=True)
class ClassMatches:
    """One class over all images: its found boxes, the surest first."""

    scores_n: Floats
    image_n: NDArray[np.int64]
    """The place of each one's image among those looked at."""
    right_Tn: NDArray[np.bool_]
    """(10, n): whether it is a true box's match at each threshold."""
    ignored_Tn: NDArray[np.bool_]
    """What lies on a crowd is neither right nor wrong."""
    support_N: NDArray[np.int64]
    """True boxes in each image, crowds left out."""

    @property
    def support(self) -> int:
        return int(self.support_N.sum())


def match(
    truth: DetectionTable, rows: Sequence[int], detections: Sequence[DetectionArray]
) -> list[ClassMatches]:
    """The matches of each class, over the images `rows`."""
    classes = len(truth.classes)
    support_KN = np.zeros((classes, len(rows)), np.int64)
    images: list[_ImageMatches] = []
    for place, row in enumerate(rows):
        shapes = truth.items[row].shapes or []
        true_m = np.array([one.label for one in shapes], np.int64)
        crowd_m = np.array([one.crowd for one in shapes], bool)
        boxes_m4 = _sides(np.array([one.bounds() for one in shapes], np.float64).reshape(-1, 4))
        np.add.at(support_KN[:, place], true_m[~crowd_m], 1)
        images.append(_match_image(detections[row], true_m, boxes_m4, crowd_m))
    said_n = np.concatenate([one.said_n for one in images]) if images else np.zeros(0, np.int64)
    if not len(said_n):
        nothing = np.zeros((len(IOU_THRESHOLDS), 0), bool)
        none = (np.zeros(0), np.zeros(0, np.int64), nothing, nothing)
        return [ClassMatches(*none, support_N) for support_N in support_KN]
    scores_n = np.concatenate([one.scores_n for one in images])
    image_n = np.repeat(np.arange(len(images)), [len(one.said_n) for one in images])
    right_Tn = np.concatenate([one.right_Tn for one in images], 1)
    ignored_Tn = np.concatenate([one.ignored_Tn for one in images], 1)
    # By class, within it by score; equal scores keep the order of their images, as in pycocotools.
    order = np.lexsort((-scores_n, said_n))
    ends = np.searchsorted(said_n[order], np.arange(classes + 1))
    made = []
    for k in range(classes):
        mine = order[ends[k] : ends[k + 1]]
        made.append(
            ClassMatches(
                scores_n[mine], image_n[mine], right_Tn[:, mine], ignored_Tn[:, mine], support_KN[k]
            )
        )
    return made


@dataclass(frozen=True)
class _ImageMatches:
    """One image's found boxes of all classes, the surest first."""

    scores_n: Floats
    said_n: NDArray[np.int64]
    right_Tn: NDArray[np.bool_]
    ignored_Tn: NDArray[np.bool_]


def _match_image(
    found: DetectionArray,
    true_m: NDArray[np.int64],
    boxes_m4: Floats,
    crowd_m: NDArray[np.bool_],
) -> _ImageMatches:
    found_n6 = np.asarray(found, np.float64).reshape(-1, 6)
    # Stable: equal scores keep the order they were found in, as in pycocotools.
    found_n6 = found_n6[np.argsort(-found_n6[:, 4], kind="stable")]
    said_n = found_n6[:, 5].astype(np.int64)
    if len(said_n) > MOST_FOUND:
        surest = [np.flatnonzero(said_n == k)[:MOST_FOUND] for k in np.unique(said_n)]
        found_n6 = found_n6[np.sort(np.concatenate(surest))]
        said_n = found_n6[:, 5].astype(np.int64)
    boxes_n4 = _sides(found_n6[:, :4])
    right_Tn = np.zeros((len(IOU_THRESHOLDS), len(said_n)), bool)
    ignored_Tn = right_Tn.copy()
    # Only a class that is both there and found has anything to match.
    for k in set(true_m.tolist()) & set(said_n.tolist()):
        mine, theirs = np.flatnonzero(said_n == k), true_m == k
        right_Tn[:, mine], ignored_Tn[:, mine] = _match_one(
            boxes_n4[mine], boxes_m4[theirs], crowd_m[theirs]
        )
    return _ImageMatches(found_n6[:, 4], said_n, right_Tn, ignored_Tn)


def _sides(boxes_n4: Floats) -> Floats:
    """COCO's left, top, width, height."""
    return np.concatenate([boxes_n4[:, :2], boxes_n4[:, 2:] - boxes_n4[:, :2]], 1)


def _match_one(
    found_n4: Floats, true_m4: Floats, crowd_m: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(T, n) right and ignored: the surest found box takes the free true one it lies on best."""
    thresholds = len(IOU_THRESHOLDS)
    right_Tn = np.zeros((thresholds, len(found_n4)), bool)
    # Crowds last: a box takes a thing before a crowd. Of a crowd, how much of the box lies on it.
    order = np.argsort(crowd_m, kind="stable")
    true_m4, crowd_m = true_m4[order], crowd_m[order]
    iou_nm = np.asarray(coco.iou(found_n4, true_m4, crowd_m.astype(np.uint8)))
    things = int((~crowd_m).sum())
    needed_T = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)
    free_Tm = np.ones((thresholds, things), bool)
    each = np.arange(thresholds)
    near_n = iou_nm[:, :things].max(1, initial=-1.0) >= needed_T[0]
    for n in np.flatnonzero(near_n).tolist():
        # The last of equal ones, as pycocotools has it: it goes on while one is as good.
        left_Tm = np.where(free_Tm, iou_nm[n, :things], -1.0)[:, ::-1]
        best_T = left_Tm.argmax(1)
        taken_T = left_Tm[each, best_T] >= needed_T
        free_Tm[each[taken_T], things - 1 - best_T[taken_T]] = False
        right_Tn[:, n] = taken_T
    on_crowd_n = iou_nm[:, things:].max(1, initial=-1.0)
    return right_Tn, ~right_Tn & (on_crowd_n >= needed_T[:, None])
