"""Twenty epochs of the demonstration: the teacher in every step, or a cache filled first.

Both are whole runs from an empty folder, in turn. What the cache costs is the difference of what
comes before the first epoch; it pays from the epoch at which the quicker epochs have won it back.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from benchmarks.engine import Ran, Room, changed, room, run
from benchmarks.row import Row
from tandem.train.demo.digits_teacher import TeacherRecipe
from tandem.train.demo.recipe import make_spec

EPOCHS, ROUNDS = 20, 1


@dataclass(frozen=True)
class Times:
    """Of one run."""

    seconds: float
    epoch_seconds: float

    @property
    def before_seconds(self) -> float:
        """Everything but the epochs."""
        return self.seconds - EPOCHS * self.epoch_seconds


def measure() -> list[Row]:
    with room(TeacherRecipe(epochs=1)) as here:
        taken = {mode: [_times(here, mode, turn) for turn in range(1)] for mode in ("on", "off")}
        for turn in range(1, ROUNDS):
            for mode in ("off", "on"):
                taken[mode].append(_times(here, mode, turn))
    cached, online = _median(taken["on"]), _median(taken["off"])
    saved = online.epoch_seconds - cached.epoch_seconds
    cost = max(cached.before_seconds - online.before_seconds, 0.0)
    pays = f"from epoch {max(math.ceil(cost / saved), 1)}" if saved > 0 else "not here"
    return [
        Row(
            f"online teacher against a cache filled first, {EPOCHS} epochs of the demonstration",
            f"{online.seconds:.0f} s against {cached.seconds:.0f} s "
            f"({online.seconds / cached.seconds:.2f}); the cache pays {pays}",
            note=f"an epoch takes {online.epoch_seconds:.2f} s and {cached.epoch_seconds:.2f} s, "
            f"filling four views costs {cost:.1f} s. This teacher of half a million weights takes "
            "a fraction of a millisecond an image; a 7B tower takes thousands of times as long",
        )
    ]


def _times(here: Room, mode: str, turn: int) -> Times:
    name = f"{mode}-{turn}"
    spec = make_spec(
        here.folder / "runs" / name,
        datasets=here.datasets,
        teacher=here.teacher,
        cache=here.folder / f"cache-{name}",
        seed=0,
    )
    spec = changed(
        spec,
        optim={"epochs": EPOCHS},
        cache={"mode": mode},
        report={"baseline": False, "tensorboard": False},
    )
    ran: Ran = run(spec)
    return Times(ran.report.seconds, statistics.fmean(one.seconds for one in ran.epochs))


def _median(times: list[Times]) -> Times:
    return Times(
        statistics.median(one.seconds for one in times),
        statistics.median(one.epoch_seconds for one in times),
    )
