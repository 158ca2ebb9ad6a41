"""A model's classes as a data set's: by name, or refused; never by their order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tandem.data.faults import Faults
from tandem.data.registry import recognise
from tandem.data.verify import verify
from tandem.spec.errors import DataError


def dataset_classes(path: Path, kind: str) -> tuple[str, ...]:
    """The data set's classes; none where nobody has labelled anything yet.

    DataError where `tandem data check` finds an error: a label that cannot be read may be all
    that names a class, and the others would then be numbered otherwise.
    """
    faults = Faults()
    content = recognise(path, kind).make().content(path, faults, kind)
    verify(content, faults)
    faults.check()
    return content.classes


def map_classes(model: Sequence[str], dataset: Sequence[str]) -> dict[str, int]:
    """Each of the model's classes to its place in the data set's.

    A name that differs in case or in space around it is the same. DataError where a class of the
    model has no place: its labels would be lost, or stand for another.
    """
    if not dataset:
        return {name: index for index, name in enumerate(model)}
    exact: dict[str, int | None] = {name: index for index, name in enumerate(dataset)}
    loose: dict[str, int | None] = {}
    for index, name in enumerate(dataset):
        key = name.strip().casefold()
        loose[key] = None if key in loose else index  # two that differ in case only: neither
    found: dict[str, int] = {}
    missing: list[str] = []
    for name in model:
        match = exact.get(name, loose.get(name.strip().casefold()))
        if match is None:
            missing.append(name)
        else:
            found[name] = match
    if missing or len(set(found.values())) != len(found):
        raise DataError(
            "The model knows the classes {missing}, which the data set has not.",
            missing=", ".join(missing[:10]) or ", ".join(found),
            allowed=list(dataset)[:50],
            fix="Add them to the data set, or take a model with its classes.",
        )
    return found
