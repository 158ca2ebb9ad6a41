"""A specification in a JSON file, and one sentence where it is none."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tandem.spec.errors import SpecError

Spec = TypeVar("Spec", bound=BaseModel)


def read_spec_file(path: Path, wanted: type[Spec], *, top: str) -> Spec:
    """What the file says; SpecError where it cannot be read or says something else.

    `top` is what a fault of the whole, in no field, is said to be at.
    """
    try:
        return wanted.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SpecError(
            "The specification {path} cannot be read: {reason}.",
            path=path,
            reason=error.strerror or str(error),
        ) from error
    except ValidationError as error:
        # The first fault alone: those after it often follow from it.
        first = error.errors()[0]
        raise SpecError(
            "The specification {path} is wrong at {where}: {problem}.",
            path=path,
            where=".".join(map(str, first["loc"])) or top,
            problem=first["msg"],
        ) from error
