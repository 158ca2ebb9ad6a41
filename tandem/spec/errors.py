"""Every error Tandem raises on purpose.

    TandemError                    exit  failure class
    ├── UserInputError                2  user_input      the arguments or the configuration
    │   ├── SpecError                                    a field of the RunSpec
    │   ├── TeacherError                                 missing, no model, another family
    │   ├── StudentError                                 no such type or size, bad weights file
    │   ├── DeviceError                                  no such GPU, a precision it lacks
    │   ├── MissingExtraError                            an optional package is not installed
    │   └── OutputFolderError                            not writable, or holds another run
    ├── DataError                     2  data            missing, empty, broken, disagreeing data
    ├── OutOfMemoryError              1  out_of_memory   at a micro-batch of one
    ├── NumericError                  1  code            a loss that is not finite
    ├── DiskFullError                 1  disk            no room for a checkpoint or a cache shard
    ├── CacheError                    1  code            a cache that contradicts its teacher
    ├── LostPeerError                 1  lost            another process of the same run has died
    └── StoppedError                 75  stopped         asked to stop; a checkpoint is saved

An error says what, what it got, what is allowed and the fix, in one sentence or two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from tandem.spec.i18n import joined, t


class TandemError(Exception):
    """`what` and `fix` are templates for `i18n.t`; further keyword arguments fill their fields."""

    exit_code: ClassVar[int] = 1
    failure_class: ClassVar[str] = "code"

    def __init__(
        self,
        what: str,
        *,
        got: object = None,
        allowed: Iterable[object] | None = None,
        fix: str | None = None,
        **fields: object,
    ) -> None:
        self.what, self.got, self.fix, self.fields = what, got, fix, fields
        self.allowed = None if allowed is None else [str(one) for one in allowed]
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """The whole message on one line, in the reader's language."""
        parts = [_filled(self.what, self.fields)]
        if self.got is not None:
            parts.append(t("Got: {got}.", got=self.got))
        if self.allowed is not None:
            parts.append(t("Allowed: {allowed}.", allowed=", ".join(self.allowed) or "-"))
        if self.fix is not None:
            parts.append(_filled(self.fix, self.fields))
        return joined(part.replace("\n", " ").strip() for part in parts)

    def __str__(self) -> str:
        return self.sentence()


def _filled(template: str, fields: dict[str, object]) -> str:
    return t(template, **fields)


class UserInputError(TandemError):
    exit_code = 2
    failure_class = "user_input"


class SpecError(UserInputError):
    pass


class TeacherError(UserInputError):
    pass


class StudentError(UserInputError):
    pass


class DeviceError(UserInputError):
    pass


class MissingExtraError(UserInputError):
    pass


class OutputFolderError(UserInputError):
    pass


class DataError(TandemError):
    exit_code = 2
    failure_class = "data"


class OutOfMemoryError(TandemError):
    failure_class = "out_of_memory"


class NumericError(TandemError):
    pass


class DiskFullError(TandemError):
    failure_class = "disk"


class CacheError(TandemError):
    pass


class LostPeerError(TandemError):
    failure_class = "lost"


class StoppedError(TandemError):
    exit_code = 75
    failure_class = "stopped"
