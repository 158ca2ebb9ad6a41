"""What can be learnt, one file each; `find` gives one by its name."""

from __future__ import annotations

from tandem.train.kinds.base import Kind
from tandem.train.registry import find as find_entry


def find(name: str) -> Kind:
    """A fresh kind of this name; SpecError with the allowed names when there is none."""
    kind = find_entry("kinds", name).make()
    assert isinstance(kind, Kind), f"the kind {name} lacks something of kinds.base.Kind"
    return kind
