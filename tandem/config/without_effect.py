"""What a person set that nothing reads in the way of training they chose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tandem.spec.i18n import t
from tandem.spec.run.base import SpecTree
from tandem.spec.run.check import default_of
from tandem.spec.run.legacy import ALPHA, get

_SOFT = ("loss.soft_label_weight", "loss.soft_loss", "loss.temperature")
_FEATURES = ("loss.feature_weight", "loss.feature_loss", "loss.align_feature")
_DISTILLED = (
    "loss.distillation_type", "loss.hard_label_weight", *_SOFT, *_FEATURES, "loss.attention_weight",
    "loss.relation_weight", "loss.intermediate_weight",
)  # fmt: skip
_TEACHERS = ("teacher.name", "teacher.path", "teacher.precision", "report.baseline")
_VAIN: Mapping[str, tuple[str, ...]] = {
    "feature": _SOFT, "logit": _FEATURES, "direct": (*_DISTILLED, *_TEACHERS),
}  # fmt: skip


def without_effect(tree: SpecTree, given: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """A line for each field of `given` that says something else than its default, and says it in
    vain; `names` are what the person called them."""
    said = set(given)
    if ALPHA in said:
        said.add(_SOFT[0])
        names = {**names, _SOFT[0]: names.get(ALPHA, ALPHA)}
    way = str(get(tree, "loss.distillation_type") or "hybrid")
    if get(tree, "mode") == "direct":
        way = "direct"
    told = [path for path in _VAIN.get(way, ()) if path in said and _differs(tree, path)]
    return [_line("teacher" if path in _TEACHERS else way, names.get(path, path)) for path in told]


def _differs(tree: SpecTree, path: str) -> bool:
    value, default = get(tree, path), default_of(path)
    if value is None:
        return False
    try:
        return float(value) != float(default)
    except (TypeError, ValueError):
        return str(value).lower() != default.lower()


def _line(way: str, name: str) -> str:
    if way == "teacher":
        return t("{name} has no effect: in mode direct no teacher is asked.", name=name)
    if way == "direct":
        return t("{name} has no effect: in mode direct nothing is distilled.", name=name)
    if way == "feature":
        return t(
            "{name} has no effect: loss.distillation_type feature compares no soft labels. "
            "loss.feature_weight weighs the features.",
            name=name,
        )
    return t("{name} has no effect: loss.distillation_type logit compares no features.", name=name)
