"""What a foreign file turned out to be."""

from __future__ import annotations

from dataclasses import dataclass

from tandem.spec.run import StudentSpec
from tandem.train.types import Student


@dataclass(frozen=True)
class ImportedModel:
    """A model of ours with the foreign weights."""

    kind: str
    classes: list[str]
    spec: StudentSpec
    student: Student
