"""Each way to compare with the teacher, against KL of soft labels, on the digits of `digits`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.engine import changed
from benchmarks.learning.compare import Effort, Line, Variant, lines, train
from benchmarks.learning.digits import prepare
from tandem.spec.plugins import catalog
from tandem.spec.run import RunSpec

EPOCHS = 4
KL: dict[str, Any] = {"distillation_type": "logit", "soft_loss": "kl_div"}


def _methods() -> dict[str, dict[str, Any]]:
    """By name, the fields of `loss` that choose it; those for masks alone are left out."""
    found: dict[str, dict[str, Any]] = {}
    for loss in catalog.read()["losses"]:
        name, role = str(loss["name"]), loss["role"]
        if loss.get("kinds") and "classification" not in loss["kinds"]:
            continue
        if role == "soft" and name != "kl_div":
            found[name] = {"distillation_type": "logit", "soft_loss": name}
        elif role == "feature":
            found[name] = {
                "distillation_type": "hybrid",
                "feature_loss": name.removeprefix("feature_"),
            }
        elif name in ("attention", "relation", "intermediate"):
            found[name] = {"distillation_type": "logit", f"{name}_weight": 1.0}
    return found


METHODS = _methods()


def measure_method(folder: Path, effort: Effort, name: str) -> list[Line]:
    """KL alone, and the method: in its place where it compares class scores, else beside it."""
    bench = prepare(folder, effort)

    def spec(variant: str, seed: int, fields: dict[str, Any]) -> RunSpec:
        return changed(bench.spec(variant, seed, EPOCHS), loss=KL | fields)

    beside = METHODS[name].get("soft_loss") is None
    variants = [
        Variant("KL", lambda seed: spec("kl", seed, {}), "soft labels alone"),
        Variant(
            name,
            lambda seed: spec(name, seed, METHODS[name]),
            "beside KL" if beside else "in place of KL",
        ),
    ]
    train(variants, bench.figures, effort)
    return lines(f"method_{name}", variants, ("accuracy",))
