"""Every distillation method against KL: the same digits, labels, teacher, student and seeds.

The demonstration's data (100 labels, 1,197 pictures without) at 64 px, where a ResNet-18 has four
cells, which methods on places need. A method differs from KL in what its line says and in nothing
else; the gain is the mean of the differences by seed. `METHODS_SEEDS=1 METHODS_EPOCHS=1` tries it.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.engine import Room, changed, room, run
from benchmarks.row import Row
from tandem.spec.run import RunSpec
from tandem.train.demo import digits, digits_teacher
from tandem.train.demo.recipe import make_spec

PIXELS = 64
SECOND_TEACHER = digits_teacher.TeacherRecipe(epochs=10)
LOGITS: Mapping[str, Any] = {"distillation_type": "logit"}
Changes = Mapping[str, Mapping[str, Any]]


def methods(second: Path) -> dict[str, tuple[str, Changes]]:
    """What each differs in from KL on soft labels alone, and how that is said."""

    def soft(name: str) -> Changes:
        return {"loss": {"soft_loss": name}}

    def with_features(name: str, weight: float) -> Changes:
        loss = {"distillation_type": "hybrid", "feature_loss": name, "feature_weight": weight}
        return {"loss": loss}

    two = {"teacher": {"others": [str(second)]}}
    return {
        "DKD": ("soft_loss dkd", soft("dkd")),
        "standardised logits": ("soft_loss standardised", soft("standardised")),
        "DIST": ("soft_loss dist", soft("dist")),
        "DHO": ("soft_loss dho", soft("dho")),
        "OFA-KD": ("soft_loss ofa", soft("ofa")),
        "KL + features, mse": ("feature_loss mse, weight 1", with_features("mse", 1)),
        "KL + features, PKD": ("feature_loss pkd, weight 1", with_features("pkd", 1)),
        "KL + features, CWD": ("feature_loss cwd, weight 50", with_features("cwd", 50)),
        "KL + similarity of places": (
            "feature_loss similarity, weight 1",
            with_features("similarity", 1),
        ),
        "KL + MGD": ("feature_loss mgd, weight 1", with_features("mgd", 1)),
        "KL, two teachers": ("the second taught for a third as long", two),
    }


def measure() -> list[Row]:
    """A row for KL itself, and one for each other method's gain over it."""
    seeds = range(int(os.environ.get("METHODS_SEEDS", "3")))
    epochs = int(os.environ.get("METHODS_EPOCHS", "3"))
    with room() as here:
        second = here.folder / "second"
        digits_teacher.make_teacher(second, digits.load(), SECOND_TEACHER)
        found: dict[str, list[float]] = {"KL": []}
        said = methods(second)
        for seed in seeds:
            plain = changed(_spec(here, "kl", seed), optim={"epochs": epochs})
            found["KL"].append(run(plain).accuracy)
            for number, (name, (_, changes)) in enumerate(said.items()):
                folder = here.folder / f"method-{number}-{seed}"
                spec = changed(plain, **changes, run={"output_dir": folder})
                found.setdefault(name, []).append(run(spec).accuracy)
    how = f"digits, 100 labels, ResNet-18 at {PIXELS} px, {epochs} epochs, {len(seeds)} seeds"
    rows = [Row("accuracy of a student taught by KL", _mean(found["KL"], ""), note=how)]
    return rows + [
        Row(f"{name} over KL, points", _mean(_apart(found[name], found["KL"]), "+"), note=note)
        for name, (note, _) in said.items()
    ]


def _spec(here: Room, name: str, seed: int) -> RunSpec:
    spec = make_spec(
        here.folder / f"{name}-{seed}",
        datasets=here.datasets,
        teacher=here.teacher,
        cache=here.folder / "cache",
        seed=seed,
    )
    return changed(spec, data={"image_size": PIXELS}, loss=dict(LOGITS), report={"baseline": False})


def _apart(ones: list[float], others: list[float]) -> list[float]:
    return [one - other for one, other in zip(ones, others, strict=True)]


def _mean(values: list[float], sign: str) -> str:
    mean = f"{100 * statistics.fmean(values):{sign}.1f}"
    return mean if len(values) < 2 else f"{mean} ± {100 * statistics.stdev(values):.1f}"
