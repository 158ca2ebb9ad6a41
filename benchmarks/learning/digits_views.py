"""The digits of `digits` with 1, 4 and 16 frozen views of each, and as Tandem does by itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.learning.compare import Effort, Line, Variant, lines, train
from benchmarks.learning.digits import prepare
from benchmarks.learning.specs import frozen_views
from tandem.spec.run import RunSpec

COUNTS = (1, 4, 16)
EPOCHS = 3


def measure(folder: Path, effort: Effort) -> list[Line]:
    data = prepare(folder, effort)

    def frozen(count: int, seed: int) -> RunSpec:
        return frozen_views(data.spec("taught", seed, EPOCHS), f"views-{count}-{seed}", count)

    variants = [Variant("as by default", lambda seed: data.spec("default", seed, EPOCHS))]
    variants += [Variant(f"{count} frozen views", partial(frozen, count)) for count in COUNTS]
    train(variants, data.figures, effort)
    return lines("digits_views", variants, ("accuracy",))
