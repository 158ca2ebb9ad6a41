"""Several ways to teach one student, each by three seeds, judged on what nobody has looked at."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.engine import Ran, changed, run
from tandem.spec.run import RunSpec

Figures = Callable[[Path], dict[str, float]]
"""From a final_model folder to figures of 0 to 1 on the test part."""


@dataclass(frozen=True)
class Effort:
    """How much is tried: all of it for the table, a little to see that it works."""

    seeds: tuple[int, ...] = (0, 1, 2)
    share: float = 1.0
    """Of the epochs that the table's figures are of."""

    def epochs(self, wanted: int) -> int:
        return max(1, round(wanted * self.share))


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    name: str
    """The command's."""
    what: str
    figure: str
    values: tuple[float, ...]
    against: tuple[float, ...] = ()
    """The fair baseline's, seed by seed; empty for the baseline itself."""
    how: str = ""

    @property
    def mean(self) -> str:
        return mean_and_spread(self.values)

    @property
    def gain(self) -> str:
        """Mean of the differences by seed, with their spread: seeds share data and weights."""
        if not self.against:
            return "–"
        apart = [one - other for one, other in zip(self.values, self.against, strict=True)]
        return mean_and_spread(apart, sign="+")


def mean_and_spread(values: Sequence[float], sign: str = "") -> str:
    """In points of a hundred: mean ± sample standard deviation."""
    mean = f"{100 * statistics.fmean(values):{sign}.1f}"
    return mean if len(values) < 2 else f"{mean} ± {100 * statistics.stdev(values):.1f}"


@dataclass
class Variant:
    """One way to teach: a spec for each seed, and what came of it."""

    what: str
    spec_of: Callable[[int], RunSpec]
    how: str = ""
    runs: list[Ran] = field(default_factory=list)
    figures: list[dict[str, float]] = field(default_factory=list)
    alone: list[dict[str, float]] = field(default_factory=list)
    """The baseline's, of the variant whose runs have one."""

    def values(self, figure: str) -> tuple[float, ...]:
        return tuple(one[figure] for one in self.figures)


def train(variants: Sequence[Variant], figures_of: Figures, effort: Effort) -> None:
    """Each variant by each seed, the variants in turn; the figures are left in them.

    Before the first one stands "labels only": the fair baseline of its runs, the same student
    without the teacher, for as many steps and with views drawn afresh. It is no run of its own.
    """
    first = variants[0]
    for seed in effort.seeds:
        for variant in variants:
            spec = variant.spec_of(seed)
            spec = changed(
                spec,
                optim={"epochs": effort.epochs(spec.optim.epochs)},
                run={"seed": seed},
                report={"tensorboard": False, "baseline": variant is first},
            )
            variant.runs.append(run(spec))
            folder = Path(spec.run.output_dir)
            if variant is first:
                variant.alone.append(figures_of(folder / "baseline_model"))
                _tell("labels only", seed, variant.alone[-1])
            variant.figures.append(figures_of(folder / "final_model"))
            _tell(variant.what, seed, variant.figures[-1])


def _tell(what: str, seed: int, found: dict[str, float]) -> None:
    said = ", ".join(f"{key} {value:.4f}" for key, value in found.items())
    print(f"      {what}, seed {seed}, test: {said}", flush=True)


def lines(name: str, variants: Sequence[Variant], figures: Sequence[str]) -> list[Line]:
    """For each figure the baseline's line, then each variant's against it."""
    made = []
    for figure in figures:
        alone = tuple(one[figure] for one in variants[0].alone)
        made.append(Line(name, "labels only", figure, alone, how="as many steps, fresh views"))
        for variant in variants:
            values = variant.values(figure)
            made.append(Line(name, variant.what, figure, values, alone, variant.how))
    return made
