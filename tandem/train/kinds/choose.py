"""Which kind of learning a run is: by what was asked, what the data is and what the student can."""

from __future__ import annotations

from tandem.data.registry import FormatEntry, recognise
from tandem.spec.errors import DataError, SpecError
from tandem.spec.run import RunSpec
from tandem.train import kinds
from tandem.train.data.classification import find_folder
from tandem.train.kinds.base import TableKind
from tandem.train.registry import by_precedence, find


def choose(spec: RunSpec) -> TableKind:
    """The kind, by a look at the data's layout. DataError or SpecError where they do not fit."""
    kind = kinds.find(choose_name(spec))
    if isinstance(kind, TableKind):
        return kind
    raise SpecError(
        "The student {student} does not learn {kind}.",
        student=spec.student.type,
        kind=kind.name,
        allowed=sorted(find("students", spec.student.type).kinds),
    )


def choose_name(spec: RunSpec) -> str:
    """The same, by its name: the first, in the order of the kinds' precedence, that fits both."""
    can = find("students", spec.student.type).kinds
    asked = spec.kind
    wanted: str | None = asked
    if "sequence" in can and asked in (None, "classification"):
        wanted = "sequence"
    elif asked is None:
        wanted = next((name for name in by_precedence("kinds") if name in can), None)
    entry = recognise(find_folder(spec.data.root, spec.data.dataset), wanted, spec.data.type)
    if asked == "classification" and "sequence" in entry.kinds & can:
        return "sequence"  # installed systems call it so: a clip has one class too
    if asked is not None:
        _check_asked(spec, entry, asked)
        return asked
    for name in by_precedence("kinds"):
        if name in entry.kinds & can:
            return name
    raise SpecError(
        "The student {student} does not learn {kind}.",
        student=spec.student.type,
        kind=" / ".join(sorted(entry.kinds)),
        allowed=sorted(can),
    )


def _check_asked(spec: RunSpec, entry: FormatEntry, asked: str) -> None:
    if asked not in entry.kinds and not (asked == "sequence" and "classification" in entry.kinds):
        raise DataError(
            "The data set {dataset} is for {found}, not for {asked}.",
            dataset=spec.data.dataset,
            found=" / ".join(sorted(entry.kinds)),
            asked=asked,
            fix="Leave the task type out, or name another data set.",
        )
