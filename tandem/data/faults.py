"""What is wrong with a data set: collected with file and line, or raised as one sentence."""

from __future__ import annotations

from dataclasses import dataclass, field

from tandem.spec.errors import DataError
from tandem.spec.i18n import joined, t

NAMED = 3
"""Faults told in one sentence; the rest are counted."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong."""

    file: str
    line: int
    """From 1; 0: the file as a whole."""
    template: str
    """For `i18n.t`, filled by `fields`."""
    fields: dict[str, object] = field(default_factory=dict)
    warning: bool = False
    """Told, but training goes on."""

    def what(self) -> str:
        """What is wrong, in the reader's language."""
        return t(self.template, **self.fields)

    def sentence(self) -> str:
        """`file:line: what is wrong`."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.what()}"


class Faults:
    """Where a reader puts what it finds; it then leaves the thing out and reads on.

    A reader that cannot go on at all raises DataError.
    """

    def __init__(self, most: int = 100_000) -> None:
        self.found: list[Fault] = []
        self.most = most
        """Kept at the most; beyond, they are only counted."""
        self.errors = 0
        self.warnings = 0

    def add(
        self, file: object, line: int, what: str, /, *, warning: bool = False, **fields: object
    ) -> None:
        """Remember one. `file` is shown as it is; `what` is a sentence without its full stop."""
        self.keep(Fault(str(file), line, what, fields, warning))

    def keep(self, fault: Fault) -> None:
        """Remember one; of those beyond `most` only the count."""
        if fault.warning:
            self.warnings += 1
        else:
            self.errors += 1
        if len(self.found) < self.most:
            self.found.append(fault)

    def check(self) -> None:
        """DataError naming the first few errors, if there are any."""
        wrong = [one for one in self.found if not one.warning]
        if not wrong:
            return
        told = joined(f"{one.sentence()}." for one in wrong[:NAMED])
        if self.errors <= NAMED:
            raise DataError("{faults}", faults=told, fix="Mend these lines or take them away.")
        raise DataError(
            "The data set has {count} faults. {faults} And {more} more.",
            count=self.errors,
            faults=told,
            more=self.errors - NAMED,
            fix="`tandem data check` lists them all.",
        )
