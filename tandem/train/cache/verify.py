"""A few of the signals that are kept are asked for again, and must agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tandem.spec.errors import CacheError
from tandem.train.cache.parts import decode
from tandem.train.cache.sources import Shelf
from tandem.train.cache.teacher_calls import TeacherCalls

AGREE = 0.05
"""Relative difference that a sample may have: what a low precision rounds depends on the batch;
another teacher differs by about 1."""


def verify(calls: TeacherCalls, shelves: list[Shelf], samples: int, folder: Path) -> int:
    """How many were asked for again. CacheError when one differs."""
    if not shelves or samples == 0:
        return 0
    # Rows that every part has: one question to the teacher then checks all of them.
    there_NV = ~np.any([shelf.places.missing_NV for shelf in shelves], axis=0)
    rows, views = np.nonzero(there_NV)
    if len(rows) == 0:
        return 0
    some = np.unique(np.linspace(0, len(rows) - 1, min(samples, len(rows))).round().astype(int))
    said = calls.signals(rows[some], views[some])
    for shelf in shelves:
        kept = shelf.read(rows[some], views[some], torch.device("cpu"))
        part = shelf.part.to(calls.setup.device)
        fresh = decode(part.encoded(said), torch.device("cpu"))
        if not _agree(kept, fresh):
            raise CacheError(
                "The cache {folder} contradicts its teacher: {part} of a picture is not what the "
                "teacher says of it now.",
                folder=folder,
                part=shelf.part.signal,
                fix="Delete that folder; it will be filled anew.",
            )
    return len(some)


def _agree(kept: Tensor, fresh: Tensor) -> bool:
    if kept.shape != fresh.shape:
        return False
    difference_B = (kept - fresh).flatten(1).norm(dim=1)
    return bool((difference_B <= AGREE * fresh.flatten(1).norm(dim=1) + 1e-6).all())
