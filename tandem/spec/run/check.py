"""A tree of names and values becomes a RunSpec, or one sentence that says what is wrong where."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tandem.spec.errors import SpecError
from tandem.spec.i18n import joined, t
from tandem.spec.run import RunSpec
from tandem.spec.run.legacy import FLAGS
from tandem.spec.run.suggest import nearest, nearest_path

MOST = 3
"""Faults named in one sentence; more would not be read."""

_OFTEN = {flag.path for flag in FLAGS}
_SAYS = {
    "missing": "{field} is missing.",
    "greater_than": "{field} must be greater than {gt}.",
    "greater_than_equal": "{field} must be at least {ge}.",
    "less_than": "{field} must be less than {lt}.",
    "less_than_equal": "{field} must be at most {le}.",
    "finite_number": "{field} must be a finite number.",
    "int_parsing": "{field} must be a whole number.",
    "int_type": "{field} must be a whole number.",
    "int_from_float": "{field} must be a whole number.",
    "float_parsing": "{field} must be a number.",
    "float_type": "{field} must be a number.",
    "bool_parsing": "{field} must be true or false.",
    "bool_type": "{field} must be true or false.",
    "string_type": "{field} must be a text.",
    "list_type": "{field} must be a list.",
    "dict_type": "{field} must hold names and values.",
    "model_type": "{field} must hold names and values.",
    "literal_error": "{field} must be one of those allowed.",
}

_BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number"}


def run_spec(tree: Mapping[str, object], names: Mapping[str, str] | None = None) -> RunSpec:
    """Validate; `names` are what the person called the fields (`--epochs` for optim.epochs).

    Raises SpecError that names each field at fault, what it got and what is allowed.
    """
    try:
        return RunSpec.model_validate(tree)
    except ValidationError as error:
        raise spec_error(error, names or {}) from None


def spec_error(error: ValidationError, names: Mapping[str, str]) -> SpecError:
    """The first few faults of a RunSpec as one error."""
    said = [sentence for _, sentence in faults(error, names)]
    if len(said) > MOST:
        said[MOST:] = [t("And {count} more.", count=len(said) - MOST)]
    return SpecError("{faults}", faults=joined(said))


def faults(error: ValidationError, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each field at fault, as the person called it, and a sentence that says what is wrong."""
    by_field: dict[str, ErrorDetails] = {}
    for fault in error.errors(include_url=False):
        if fault["type"] == "default_factory_not_called":
            continue  # what it follows from is at fault, and is named
        field = _field(fault["loc"])
        known = by_field.get(field)
        if known is None or _knows_more(fault, known):
            by_field[field] = fault
    return [
        (names.get(field, field), _sentence(field, fault, names))
        for field, fault in by_field.items()
    ]


def _knows_more(one: ErrorDetails, other: ErrorDetails) -> bool:
    """Which of a union's complaints is told: the deepest, and a number's bound before a name."""
    return (len(one["loc"]), one["type"] in _BOUNDS) > (len(other["loc"]), other["type"] in _BOUNDS)


def _field(place: tuple[int | str, ...]) -> str:
    """The dotted path of a field, without pydantic's own names for a union's members."""
    model: type[BaseModel] | None = RunSpec
    path: list[str] = []
    for step in place:
        if model is None or not isinstance(step, str):
            break
        path.append(step)
        model = _section(model, step)
    return ".".join(path)


def _section(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    info = model.model_fields.get(name)
    if info is None:
        return None
    inner = [info.annotation, *getattr(info.annotation, "__args__", ())]
    return next((i for i in inner if isinstance(i, type) and issubclass(i, BaseModel)), None)


def _sentence(field: str, fault: ErrorDetails, names: Mapping[str, str]) -> str:
    fault_type, got = fault["type"], fault["input"]
    shown, context = names.get(field, field), fault.get("ctx", {})
    if fault_type == "extra_forbidden":
        return _unknown(field)
    if fault_type == "value_error":
        reason = t(str(context["error"]))
        return (
            t("{field}: {reason}.", field=shown, reason=reason)
            if field
            else t("{reason}.", reason=reason)
        )
    parts = [rule(fault, shown)]
    if fault_type != "missing" and not isinstance(got, dict):
        parts.append(t("Got: {got}.", got=got))
    if fault_type == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(context["expected"]))
        parts.append(t("Allowed: {allowed}.", allowed=", ".join([*allowed, *_more(field)])))
    return joined(parts)


def rule(fault: ErrorDetails, shown: str) -> str:
    """What the field at fault must be."""
    fault_type = fault["type"]
    context = {name: _plain(value) for name, value in fault.get("ctx", {}).items()}
    if fault_type in _SAYS:
        return t(_SAYS[fault_type], field=shown, **context)
    return t("{field} is not right: {reason}.", field=shown, reason=fault["msg"])


def _plain(value: object) -> object:
    """A limit of 0.0 is read as 0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _more(field: str) -> list[str]:
    match field:
        case "run.devices":
            return [t("GPU numbers such as 0,1")]
        case "loss.temperature":
            return [t("a number such as 4")]
    return []


def _unknown(field: str) -> str:
    near = _near(field)
    if near is None:
        return t("{field} is not a known setting.", field=field)
    return t("{field} is not a known setting; did you mean {near}?", field=field, near=near)


def _near(field: str) -> str | None:
    """A right name in the wrong section, a wrong name in the right one, or neither."""
    _, _, name = field.rpartition(".")
    known = paths()
    by_name: dict[str, list[str]] = {}
    for path in sorted(known, key=lambda path: path not in _OFTEN):
        by_name.setdefault(path.rpartition(".")[2], []).append(path)
    if name in by_name:
        return by_name[name][0]
    meant = nearest(name, by_name)
    return nearest_path(field, known) or (by_name[meant][0] if meant else None)


def paths(model: type[BaseModel] = RunSpec, prefix: str = "") -> dict[str, str]:
    """Every field of the spec by its dotted path, sections too, with what it is for."""
    found: dict[str, str] = {}
    for name, info in model.model_fields.items():
        path = f"{prefix}{name}"
        found[path] = info.description or ""
        section = _section(model, name)
        if section is not None:
            found |= paths(section, f"{path}.")
    return found


def default_of(path: str) -> str:
    """A field's default as it would be typed; empty for one that has none."""
    model: type[BaseModel] = RunSpec
    *above, last = path.split(".")
    for step in above:
        model = _section(model, step) or model
    info = model.model_fields.get(last)
    if info is None or info.is_required():
        return ""
    value = info.get_default(call_default_factory=True, validated_data={})
    return "" if value is None or value == [] else str(value)
