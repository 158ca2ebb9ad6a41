"""What a person set that nothing reads in the way of training they chose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tandem.spec.i18n import t
from tandem.spec.plugins.catalog import chosen_names
from tandem.spec.run.base import SpecTree
from tandem.spec.run.check import default_of
from tandem.spec.run.legacy import ALPHA, get

_BETA, _FEATURE_WEIGHT = "loss.soft_label_weight", "loss.feature_weight"
_TEMPERATURE = "loss.temperature"
_SOFT = (_BETA, "loss.soft_loss", _TEMPERATURE, "loss.soft_warmup_epochs")
_CONTRACT = {_TEMPERATURE: "4.0"}
"""What installed systems always send, beside the field's own default."""
_FEATURES = (_FEATURE_WEIGHT, "loss.feature_loss", "loss.align_feature")
_DISTILLED = (
    "loss.distillation_type", "loss.hard_label_weight", *_SOFT, *_FEATURES, "loss.attention_weight",
    "loss.relation_weight", "loss.intermediate_weight", "loss.weighting",
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
        said.add(_BETA)
        names = {**names, _BETA: names.get(ALPHA, ALPHA)}
    way = str(get(tree, "loss.distillation_type") or "hybrid")
    if get(tree, "mode") == "direct":
        way = "direct"
    vain = _VAIN.get(way, ())
    if way in ("logit", "hybrid") and not _is_softened(tree):
        vain = (*vain, _TEMPERATURE)
    if way == "feature" and get(tree, _FEATURE_WEIGHT) is None:
        said.discard(_BETA)  # it weighs the features
    told = [path for path in vain if path in said and _differs(tree, path)]
    return [_line(_why(path, way), names.get(path, path)) for path in told]


def _why(path: str, way: str) -> str:
    if path == _TEMPERATURE and way in ("logit", "hybrid"):
        return "unsoftened"
    return "teacher" if path in _TEACHERS else way


def _is_softened(tree: SpecTree) -> bool:
    """Whether the loss on soft labels has a temperature; an unknown one is not for us to judge."""
    loss = chosen_names("losses", "soft").get(str(get(tree, "loss.soft_loss") or "kl_div"))
    return loss is None or "temperature" in loss["options"]["properties"]


def _differs(tree: SpecTree, path: str) -> bool:
    value = get(tree, path)
    if value is None:
        return False
    quiet = [default_of(path), _CONTRACT.get(path, "")]
    return not any(_same(value, default) for default in quiet)


def _same(value: object, default: str) -> bool:
    try:
        return float(str(value)) == float(default)
    except ValueError:
        return str(value).lower() == default.lower()


def _line(way: str, name: str) -> str:
    if way == "unsoftened":
        return t("{name} has no effect: this loss on soft labels has no temperature.", name=name)
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
