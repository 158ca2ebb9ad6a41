"""What passes between the parts of a detection run.

Shape letters beside those of `tandem.train.types`:
    A  anchors of the head       M  cells of one map that the teacher has seen
    S  sources of a canvas       U  images of a batch's sources, each once
    n  boxes of one image        N  boxes of a whole batch, or images of a split

Nothing of Ultralytics is imported here: `warp` and the tests of geometry do without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tandem.train.data.rows import RowIndex
from tandem.train.pipeline.prepare_teacher import PreparedTeacher
from tandem.train.types import Options
from tandem.train.yolo.data.images import DetectionTable
