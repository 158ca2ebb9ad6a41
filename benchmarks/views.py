"""How many views of each picture to keep: accuracy and time of the demonstration with 1 to 8.

Equal epochs, so equal optimizer steps; only how often a picture returns in the same view differs.
"""

from __future__ import annotations

import statistics

from benchmarks.engine import Ran, Room, changed, room, run
from benchmarks.row import Row
from tandem.spec.run import ViewSpec
from tandem.train.demo.recipe import make_spec
from tandem.train.demo.summary import mean_and_deviation

COUNTS, SEEDS, EPOCHS = (1, 2, 4, 8), 3, 4


def measure() -> list[Row]:
    with room() as here:
        return [_row(count, _runs(here, count)) for count in COUNTS]


def _row(count: int, runs: list[Ran]) -> Row:
    seconds = statistics.fmean(one.report.student.seconds for one in runs)
    first = runs[0].report  # its cache was empty
    assert first.teacher is not None
    return Row(
        f"{count} view{'s' * (count > 1)} of each picture: val accuracy of ResNet-18, taught",
        mean_and_deviation([one.accuracy for one in runs]) + " %",
        note=f"{first.teacher.forwards} forwards of the teacher fill the cache; then {EPOCHS} "
        f"epochs of {seconds / EPOCHS:.1f} s; crop and colour as by default, {SEEDS} seeds",
    )


def _runs(here: Room, count: int) -> list[Ran]:
    return [_run(here, count, seed) for seed in range(SEEDS)]


def _run(here: Room, count: int, seed: int) -> Ran:
    spec = make_spec(
        here.folder / "runs" / f"{count}-{seed}",
        datasets=here.datasets,
        teacher=here.teacher,
        cache=here.folder / f"cache-{count}",
        seed=seed,
    )
    views = ViewSpec(count=count).model_dump()
    off = {"baseline": False, "tensorboard": False}
    return run(changed(spec, views=views, optim={"epochs": EPOCHS}, report=off))
