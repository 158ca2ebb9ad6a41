"""What a run will take, in words."""

from __future__ import annotations

from tandem.spec.i18n import t
from tandem.spec.run.costs import RunCosts

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def lines(costs: RunCosts) -> list[str]:
    """A line for each part, the whole, and what it is from."""
    return [
        t("Teacher: {looks:,} inputs, {time}", looks=costs.teacher_looks,
          time=duration(costs.teacher_seconds)),
        t("Cache: {size}", size=size(costs.cache_bytes)),
        t("Training: {time}", time=duration(costs.training_seconds)),
        t("Evaluation after each epoch: {time}", time=duration(costs.evaluation_seconds)),
        t("The same student without the teacher: {time}", time=duration(costs.baseline_seconds)),
        t("Together: {time} on {device}", time=duration(costs.seconds), device=costs.device),
        t("Memory: {size}", size=size(round(costs.memory_megabytes * 2**20))),
        costs.basis,
    ]  # fmt: skip


def duration(seconds: float) -> str:
    """In the two largest units, such as 3 h 20 min."""
    left = round(seconds)
    parts: list[str] = []
    for unit, name in _UNITS:
        count, left = divmod(left, unit)
        if count or (parts and len(parts) < 2):
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def size(count: int) -> str:
    """In megabytes, or in gigabytes from a thousand of them."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
